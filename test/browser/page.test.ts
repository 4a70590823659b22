import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { SHOP, shopDataset } from '../../local/shop.ts';
import { mermaid } from '../../shared/formats/mermaid.ts';
import { svg } from '../../shared/formats/svg.ts';
import { AWKWARD, awkwardGraph } from '../formats/awkward.ts';
import { type Local, local, manifest } from '../functions/local.ts';
import { CHROMIUM, launch, REQUIRED } from './chromium.ts';

const require = createRequire(import.meta.url);
const ENRICHED = shopDataset('orders_enriched');

if (CHROMIUM === undefined && !REQUIRED) {
  it('is not tried out in a browser here', () => {
    console.warn(
      'No Chromium on this machine: the pages were not tested. Install it (apt-get install chromium) to test them.',
    );
  });
} else {
  describe('the pages in Chromium', inChromium);
}

function inChromium() {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
  });

  /** A page of its own; whatever it complains of, or asks of others, fails the test. */
  async function open(url: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context = await browser.newContext(options);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== new URL(url).origin)
        complaints.push(`asked ${request.url()}`);
    });
    onTestFinished(() => expect(complaints).toEqual([]));
    await page.goto(url);
    return page;
  }

  async function shop(): Promise<Local> {
    const here = await local();
    for (const [key, text] of Object.entries(SHOP)) await here.drop(key, text);
    for (const key of Object.keys(SHOP)) await here.statusWhen(key, (status) => status.state === 'converged');
    return here;
  }

  const lineage = (here: Local, query: Record<string, string>) =>
    `${here.runtime.url}/lineage?${new URLSearchParams(query)}`;
  const cards = (page: Page) =>
    page.locator('.card').evaluateAll((all) => all.map((each) => each.getAttribute('data-id')).sort());
  const json = async <T>(url: string): Promise<T> =>
    (await fetch(url, { headers: { accept: 'application/json' } })).json() as Promise<T>;

  /** Serious findings of axe-core; run from its text, because the policy lets no script in. */
  async function findings(page: Page): Promise<string[]> {
    const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
    await page.evaluate(axe);
    return page.evaluate(async () => {
      const found = await (
        globalThis as unknown as {
          axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
        }
      ).axe.run();
      return found.violations
        .filter((each) => each.impact === 'serious' || each.impact === 'critical')
        .map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
    });
  }

  it('shows the graph that JSON tells, node by node and edge by edge', async () => {
    const here = await shop();
    const page = await open(lineage(here, { dataset: ENRICHED, depth: '2' }), {});
    const page2 = await fetch(lineage(here, { dataset: ENRICHED, depth: '2' }), { headers: { accept: 'text/html' } });
    expect(page2.headers.get('content-type')).toContain('text/html');
    const told = await json<{ nodes: { id: string }[]; edges: { from: string; to: string }[] }>(
      lineage(here, { dataset: ENRICHED, depth: '2', format: 'json' }),
    );
    await page.waitForSelector('.card');
    expect(await cards(page)).toEqual(told.nodes.map((node) => node.id).sort());
    const edges = await page
      .locator('.label')
      .evaluateAll((all) => all.map((each) => each.getAttribute('data-edge')).sort());
    expect(edges).toEqual(told.edges.map(({ from, to }) => JSON.stringify([from, to])).sort());
  });

  it('finds a dataset, expands it, lights the way of a column and tells about an edge', async () => {
    const here = await shop();
    const page = await open(`${here.runtime.url}/`);
    await page.keyboard.press('/');
    await page.keyboard.type('enriched');
    await page.waitForSelector('#found [data-id]');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForURL(/lineage\?dataset=/);
    await page.goto(lineage(here, { dataset: ENRICHED, depth: '1', format: 'html' }));
    await page.waitForSelector('.card');
    const before = await cards(page);
    expect(before).toHaveLength(6);
    await page.getByRole('button', { name: '1 more upstream of shop.orders_clean' }).click();
    await page.waitForFunction((count) => document.querySelectorAll('.card').length > count, before.length);
    expect(await cards(page)).toContain(shopDataset('orders_raw'));
    expect(await page.getByRole('button', { name: 'more upstream of shop.orders_clean' }).count()).toBe(0);

    await page.getByRole('button', { name: 'Columns', exact: true }).click();
    await page.locator(`.card[data-id="${ENRICHED}"] li button`, { hasText: 'total' }).click();
    const lit = await page
      .locator('.card li button.lit')
      .evaluateAll((all) => all.map((each) => each.textContent).sort());
    expect(lit).toEqual(['lifetime_value', 'price', 'qty', 'revenue', 'total', 'total']);
    expect(await page.locator('.flow.lit').count()).toBe(5);

    await page.locator('.label').first().focus();
    await page.keyboard.press('Enter');
    const panel = page.getByRole('complementary', { name: 'Details' });
    await panel.getByText('At the vendors').waitFor();
    expect(await panel.textContent()).toMatch(/dataphin.*registered.*Receipt/s);
    expect(await panel.textContent()).toContain('manifests/');
  });

  it('opens by a shared link, which shows no more than it was made for', async () => {
    const here = await shop();
    const made = (await (
      await here.request('POST', '/links', JSON.stringify({ dataset: ENRICHED, depth: 1 }))
    ).json()) as { html: string; svg: string };
    const page = await open(`${here.runtime.url}${made.html}`);
    await page.waitForSelector('.card');
    expect(await cards(page)).toHaveLength(6);
    expect((await page.getByRole('searchbox').count()) + (await page.getByRole('combobox').count())).toBe(0);
    expect(await page.getByText('Shared link, until').count()).toBe(1);
    const drawn = await page.evaluate(
      async (source) => {
        const image = new Image();
        image.src = source;
        await image.decode();
        return image.naturalWidth;
      },
      'data:image/svg+xml;base64,'.concat(
        Buffer.from(await (await fetch(`${here.runtime.url}${made.svg}`)).text()).toString('base64'),
      ),
    );
    expect(drawn).toBeGreaterThan(300);
  });

  it('has no serious accessibility findings: graph, table, overview, error; light, dark and phone', async () => {
    const here = await shop();
    const graph = lineage(here, { dataset: ENRICHED, format: 'html' });
    for (const options of [{}, { colorScheme: 'dark' as const }, { viewport: { width: 390, height: 844 } }]) {
      const page = await open(graph, options);
      await page.waitForSelector('.card');
      expect(await findings(page)).toEqual([]);
      await page.getByRole('button', { name: 'Columns', exact: true }).click();
      await page.locator('.label').first().click();
      expect(await findings(page)).toEqual([]);
      await page.getByRole('button', { name: 'Table', exact: true }).click();
      expect(await findings(page)).toEqual([]);
      await page.goto(`${here.runtime.url}/`);
      await page.getByRole('heading', { name: 'Manifests' }).waitFor();
      expect(await findings(page)).toEqual([]);
    }
  });

  it('shows vendors compared with the ledger, and the plan, by sign and word', async () => {
    const here = await shop();
    await here.sandbox('dataarts', 'PUT', 'seed', { bulkRead: true });
    const guid = (name: string) => `odps.300000001.shop.${name}`;
    await here.sandbox('dataphin', 'PUT', 'seed', {
      parsedLineage: [{ source: guid('legacy'), target: guid('orders_enriched') }],
    });
    const page = await open(lineage(here, { dataset: ENRICHED, depth: '1', format: 'html' }));
    await page.waitForSelector('.card');
    await page.locator('select[name=from]').selectOption('compare');
    await page.waitForURL(/from=compare/);
    await page.waitForSelector('.card[data-id="dataphin:odps.300000001.shop.legacy"]');
    const panel = page.getByRole('complementary', { name: 'Details' });
    expect(await panel.textContent()).toMatch(/dataphin 1 only there, 5 there/);
    await panel.getByRole('button', { name: /only at the vendor/ }).click();
    expect(await panel.getByRole('row', { name: /dataphin/ }).textContent()).toBe('dataphinnot declaredshown');
    expect(await findings(page)).toEqual([]);

    await page.goto(lineage(here, { from: 'plan', format: 'html' }));
    await page.getByText('Nothing would change').waitFor();
    // The vendors take nothing for a while, so a plan has something to say.
    await here.fault('dataphin', { kind: 'unavailable', times: 999 });
    await here.drop('manifests/new.json', manifest([['left', 'right']]));
    await here.statusWhen('manifests/new.json', (status) => status.state === 'pending');
    await page.goto(lineage(here, { from: 'plan', format: 'html' }));
    await page.waitForSelector('.card');
    expect(await page.locator('.label .chip').first().textContent()).toMatch(/\+.*dataphin.*to be registered/);
    expect(await panel.textContent()).toMatch(/1 create/);
    expect(await findings(page)).toEqual([]);
  });

  it('goes through the graph by keyboard', async () => {
    const here = await shop();
    const page = await open(lineage(here, { dataset: ENRICHED, format: 'html' }));
    await page.waitForSelector('.card');
    await page.locator(`.card[data-id="${ENRICHED}"] .name`).focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowLeft');
    expect(await page.evaluate(() => document.activeElement?.closest('.card')?.getAttribute('data-id'))).toBe(ENRICHED);
    await page.keyboard.press('Enter');
    expect(await page.getByRole('heading', { name: 'shop.orders_enriched', level: 2 }).count()).toBe(1);
    await page.keyboard.press('Escape');
    expect(await page.getByText('Every vendor shows every edge.').count()).toBe(1);
  });

  it('is honest when there is nothing, or when it failed', async () => {
    const here = await local();
    const page = await open(lineage(here, { format: 'html' }));
    await page.getByText('No lineage yet').waitFor();
    const answer = await fetch(lineage(here, { dataset: 'no/such', format: 'html' }));
    expect(answer.status).toBe(404);
    // A browser itself notes the 404 on its console; the text must be there all the same.
    expect(await answer.text()).toContain('no lineage is known for no/such');
  });

  it('shows awkward names as themselves', async () => {
    const here = await local();
    const names = AWKWARD.filter((name) => !/\n/.test(name));
    const datasets = Object.fromEntries(
      names.map((name, at) => [`d${at}`, { namespace: 'ns', name, dataphin: { guid: `odps.1.p.t${at}` } }]),
    );
    const entries = names.slice(1).map((_, at) => ({
      from: `d${at}`,
      to: `d${at + 1}`,
      columns: [
        { from: { dataset: `d${at}`, column: names[at] }, to: { dataset: `d${at + 1}`, column: names[at + 1] } },
      ],
    }));
    const put = await here.request(
      'PUT',
      '/manifests/awkward.json',
      JSON.stringify({ version: 1, targets: ['dataphin'], datasets, lineage: entries }),
    );
    expect(put.status, await put.clone().text()).toBe(200);
    const page = await open(lineage(here, { format: 'html' }));
    await page.waitForSelector('.card');
    expect(await cards(page)).toEqual(names.map((name) => `ns/${name}`).sort());
    const shown = await page.locator('.card .name b').evaluateAll((all) => all.map((each) => each.textContent).sort());
    expect(shown).toEqual([...names].sort());
    expect(await page.evaluate(() => document.querySelectorAll('script').length)).toBe(2);
  });

  it('lays out 300 datasets in about a second, and collapses what is more', async () => {
    const here = await local();
    const names = Array.from({ length: 381 }, (_, at) => `d${at}`);
    const datasets = Object.fromEntries(names.map((name) => [name, { dataphin: { guid: `odps.1.p.${name}` } }]));
    const entries = names.slice(1).map((to, at) => ({ from: `d${Math.floor(at / 2)}`, to }));
    await here.drop(
      'manifests/big.json',
      JSON.stringify({ version: 1, targets: ['dataphin'], datasets, lineage: entries }),
    );
    await here.statusWhen('manifests/big.json', (status) => status.state === 'converged', 25_000);
    const page = await open(lineage(here, { format: 'html', limit: '1000' }));
    await page.waitForSelector('.card');
    expect(await page.locator('.card').count()).toBe(300);
    const ms = await page.evaluate(() => {
      const started = performance.now();
      document.querySelector<HTMLButtonElement>('[data-key="Columns"]')?.click();
      return performance.now() - started;
    });
    // About one second alone; others may be testing beside us.
    expect(ms).toBeLessThan(3_000);
    await page.getByRole('button', { name: 'Show 200 more' }).click();
    expect(await page.locator('.card').count()).toBe(381);
  });

  it('draws Mermaid as Mermaid itself reads it', async () => {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.setContent('<div id="out"></div>');
    await page.addScriptTag({ content: await readFile(require.resolve('mermaid/dist/mermaid.min.js'), 'utf8') });
    const texts = await page.evaluate(async (text) => {
      const { mermaid } = globalThis as unknown as {
        mermaid: {
          initialize(config: object): void;
          parse(text: string): Promise<unknown>;
          render(id: string, text: string): Promise<{ svg: string }>;
        };
      };
      mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' });
      await mermaid.parse(text);
      const { svg: drawn } = await mermaid.render('drawing', text);
      const out = document.querySelector('#out');
      if (!out) throw new Error('no place to draw');
      out.innerHTML = drawn;
      return [...out.querySelectorAll<HTMLElement>('.node')].map(
        (each) => each.querySelector<HTMLElement>('foreignObject')?.innerText ?? each.textContent ?? '',
      );
    }, mermaid(awkwardGraph()));
    const clean = (text: string) => text.replace(/\s+/g, '');
    const wanted = awkwardGraph().nodes.map((node) => clean(`${node.id}${node.more ? '\n2 more upstream' : ''}`));
    expect(texts.map(clean).sort()).toEqual(wanted.sort());
  });

  it('shows the picture in an <img>, with nothing that runs', async () => {
    const page = await open('data:text/html,<title>x</title>');
    const ran = await page.evaluate(async (text) => {
      const image = new Image();
      image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
      await image.decode();
      return [image.naturalWidth > 100, document.querySelectorAll('script').length];
    }, svg(awkwardGraph()));
    expect(ran).toEqual([true, 0]);
  });
}
