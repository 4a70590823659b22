import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { memoryLog } from '../shared/log.ts';
import { readSettings } from '../shared/settings.ts';
import { type Runtime, startRuntime } from './runtime.ts';
import { SHOP, shopDataset } from './shop.ts';

/** `npm run screenshots`: the pictures of the pages in README.md, of a small shop with a little trouble. */

const FOLDER = fileURLToPath(new URL('screenshots/', import.meta.url));
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const DESK = { viewport: { width: 1440, height: 760 } };
const PHONE = { viewport: { width: 390, height: 760 }, deviceScaleFactor: 2, hasTouch: true };
const ENRICHED = shopDataset('orders_enriched');

interface Shot {
  readonly options: BrowserContextOptions;
  readonly path: string;
  act?(page: Page): Promise<void>;
}

const lineage = (query: Record<string, string>) => `/lineage?${new URLSearchParams(query)}`;

const SHOTS: Readonly<Record<string, Shot>> = {
  light: {
    options: DESK,
    path: lineage({ dataset: ENRICHED, depth: '2' }),
    act: (page) => page.locator('.pick').first().click(),
  },
  dark: {
    options: { ...DESK, colorScheme: 'dark' },
    path: lineage({ dataset: ENRICHED, depth: '2' }),
    async act(page) {
      await page.getByRole('button', { name: 'Columns', exact: true }).click();
      await page.locator(`.card[data-id="${ENRICHED}"] li button`, { hasText: 'total' }).click();
    },
  },
  phone: { options: PHONE, path: lineage({ dataset: ENRICHED, depth: '1' }) },
  compare: {
    options: DESK,
    path: lineage({ dataset: ENRICHED, depth: '2', from: 'compare' }),
    act: (page) => page.locator('.pick').nth(1).click(),
  },
  overview: { options: { viewport: { width: 1440, height: 1000 } }, path: '/' },
};

/** Every owner has a status, so every page has something to show. */
async function settled(runtime: Runtime): Promise<void> {
  const end = Date.now() + 20_000;
  const paths = Object.keys(SHOP).map((key) => join(runtime.bucket, `status/${key}.json`));
  while (!paths.every((path) => existsSync(path))) {
    if (Date.now() > end) throw new Error('the sample manifests did not converge within 20 s');
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** DataArts may be read, Dataphin has found an edge of its own, and somebody has deleted one there. */
async function drift({ vendors, services }: Runtime): Promise<void> {
  const seed = (vendor: string, body: object) =>
    fetch(`${vendors[vendor]}/_sandbox/seed`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const guid = (name: string) => `odps.300000001.shop.${name}`;
  await seed('dataarts', { bulkRead: true });
  await seed('dataphin', { parsedLineage: [{ source: guid('legacy_rates'), target: guid('orders_enriched') }] });
  const dataphin = (await services.deps.targets()).list.find((each) => each.name === 'dataphin');
  const end = (name: string) => ({ referenceType: 'BY_GUID', guid: guid(name), metadataType: 'TABLE' });
  await dataphin?.client.withdraw?.(
    {
      from: [{ name: guid('orders_enriched') }],
      to: [{ name: guid('customer_360') }],
      spec: { source: end('orders_enriched'), target: end('customer_360') },
      columns: [],
      options: {},
      cascade: true,
    },
    { deadlineMs: Date.now() + 5_000 },
  );
}

const executablePath = PLACES.find((path) => existsSync(path));
if (executablePath === undefined) throw new Error('no Chromium on this machine; apt-get install chromium');
const dataDir = await mkdtemp(join(tmpdir(), 'lineage-screenshots-'));
const settings = readSettings({ PORT: '0', DATA_DIR: dataDir, RECONCILE_EVERY: '3600' });
const runtime = await startRuntime(settings, { log: memoryLog() });
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--headless', '--no-first-run'] });
try {
  const [troubled = '', ...others] = Object.keys(SHOP);
  const fault = { kind: 'invalid', times: 1, operation: 'CreateLineageInfo' };
  await fetch(`${runtime.vendors['dataarts']}/_sandbox/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fault),
  });
  for (const key of [troubled, ...others]) {
    const path = join(runtime.bucket, key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, SHOP[key] ?? '');
    // The first alone, so that the trouble is always the same.
    if (key === troubled) await new Promise((done) => setTimeout(done, 1_500));
  }
  await settled(runtime);
  await drift(runtime);
  await mkdir(FOLDER, { recursive: true });
  for (const [name, { options, path, act }] of Object.entries(SHOTS)) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    await page.goto(`${runtime.url}${path}`);
    await page.waitForTimeout(300);
    await act?.(page);
    await page.waitForTimeout(500);
    await page.screenshot({ path: join(FOLDER, `${name}.png`) });
    await context.close();
    console.log(`wrote local/screenshots/${name}.png`);
  }
} finally {
  await browser.close();
  await runtime.close();
  await rm(dataDir, { recursive: true, force: true });
}
