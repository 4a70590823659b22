import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRuntime } from '../../local/runtime.ts';
import { memoryLog } from '../../shared/log.ts';
import { readSettings } from '../../shared/settings.ts';
import { CHROMIUM, launch } from '../browser/chromium.ts';
import { type Benchmark, expectSame, type Figure, median } from './bench.ts';

const TABLES = 300;
const ALL_MS = 60_000;
const PAINTED = `new Promise((tell) => {
  const seen = (list) => list.getEntriesByName('first-contentful-paint').forEach((paint) => tell(paint.startTime));
  new PerformanceObserver(seen).observe({ type: 'paint', buffered: true });
})`;

/** `page.paint`: from asking for the page of a graph of 300 tables to its first content on the screen, in a browser of this machine. */
export const page: Benchmark = async ({ short, progress }) => {
  if (CHROMIUM === undefined) {
    progress('no Chromium on this machine: page.paint is not measured');
    return [];
  }
  const folder = await mkdtemp(join(tmpdir(), 'lineage-bench-'));
  const settings = readSettings({ DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'silent' });
  const runtime = await startRuntime(settings, { log: memoryLog() });
  const browser = await launch();
  try {
    await declared(runtime.url);
    const paints: number[] = [];
    for (let round = 0; round < (short ? 1 : 11); round += 1) {
      const context = await browser.newContext();
      const tab = await context.newPage();
      await tab.goto(`${runtime.url}/lineage?dataset=${encodeURIComponent('shop/t0')}&limit=${TABLES}`);
      await tab.locator('.card').first().waitFor();
      paints.push(Number(await tab.evaluate(PAINTED)));
      expectSame('whether it was painted', Number.isFinite(paints.at(-1)), true);
      expectSame(
        'datasets of the page',
        (await tab.locator('.panel h2').first().innerText()).split(' ')[0],
        String(TABLES),
      );
      await context.close();
    }
    const figure: Figure = {
      name: 'page.paint',
      what: `first paint of a graph of ${TABLES} tables`,
      value: median(paints),
      unit: 'ms',
    };
    return [figure];
  } finally {
    await browser.close();
    await runtime.close();
    await rm(folder, { recursive: true, force: true });
  }
};

/** One table that feeds all others, registered at the simulated vendor. */
async function declared(url: string): Promise<void> {
  const names = Array.from({ length: TABLES }, (_, at) => `t${at}`);
  const datasets = Object.fromEntries(
    names.map((name) => [name, { namespace: 'shop', name, dataphin: { guid: `odps.1.shop.${name}` } }]),
  );
  const lineage = names.slice(1).map((to) => ({ from: 't0', to }));
  const body = JSON.stringify({ version: 1, targets: ['dataphin'], datasets, lineage });
  const headers = { 'content-type': 'application/json' };
  await fetch(`${url}/manifests/star.json`, { method: 'PUT', headers, body });
  for (const end = Date.now() + ALL_MS; Date.now() < end; await sleep(200)) {
    const answer = await fetch(`${url}/status/manifests/star.json`);
    if (answer.ok && ((await answer.json()) as { state?: string }).state === 'converged') return;
  }
  throw new Error('the manifest of the page did not converge');
}
