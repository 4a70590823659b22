import { parse as parseYaml, stringify } from 'yaml';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import { parse } from '../../shared/parse.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import { type Benchmark, expectSame, type Figure, sideBySide } from './bench.ts';

const ENTRIES = 10_000;
const COLUMNS = ['order_id', 'customer_id', 'total_price'];

/** `manifest.parse`: from bytes to checked edges with their ids, beside the library that only reads the text. */
export const manifests: Benchmark = async ({ short, progress }) => {
  const entries = short ? 500 : ENTRIES;
  const rounds = short ? 1 : 7;
  const manifest = manifestOf(entries);
  const texts = { yaml: stringify(manifest, { aliasDuplicateObjects: false }), json: JSON.stringify(manifest) };
  const figures: Figure[] = [];
  for (const format of ['yaml', 'json'] as const) {
    const text = texts[format];
    const bytes = new TextEncoder().encode(text);
    progress(`${entries} entries as ${format}, ${bytes.byteLength} bytes`);
    const times = await sideBySide(
      {
        ours: () =>
          timed(async () => {
            const parsed = await parse(bytes, format);
            if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems.slice(0, 3)));
            const { entries: resolved } = resolveManifest(parsed.manifest, NO_NAMING);
            const { units } = dataphin.units({ entries: resolved, account: 'a', secret: {}, deployment: 'bench' });
            expectSame('units', units.length, entries);
            expectSame(
              'columns',
              units.reduce((sum, unit) => sum + unit.columns.length, 0),
              COLUMNS.length * entries,
            );
          }),
        library: () =>
          timed(async () => {
            const value = (format === 'yaml' ? parseYaml(text) : JSON.parse(text)) as typeof manifest;
            expectSame('entries', value.lineage.length, entries);
          }),
      },
      rounds,
    );
    figures.push({
      name: `manifest.parse.${format}`,
      what: `${entries.toLocaleString('en-US')} entries of ${format.toUpperCase()} to checked edges with ids`,
      value: times.ours,
      unit: 'ms',
      floor: times.library,
      ratio: times.ours / times.library,
      must: { atMost: format === 'yaml' ? 1.5 : 8 },
    });
  }
  return figures;
};

/** As in the README: datasets with an identity and names at two vendors, used by four entries of three columns each. */
function manifestOf(entries: number) {
  const tables = Math.ceil(entries / 4);
  const dataset = (at: number) => {
    const names = {
      namespace: 'maxcompute://cn-shanghai',
      name: `shop.orders_${at}`,
      dataphin: { guid: `odps.300000001.shop.orders_${at}` },
      dataarts: { database: 'shop', table: `orders_${at}` },
    };
    return [`orders_${at}`, names] as const;
  };
  const columns = Object.fromEntries(COLUMNS.map((name) => [name, name]));
  return {
    version: 1,
    targets: ['dataphin'],
    datasets: Object.fromEntries(Array.from({ length: tables + 8 }, (_, at) => dataset(at))),
    lineage: Array.from({ length: entries }, (_, at) => ({
      from: `orders_${at % tables}`,
      to: `orders_${(at % tables) + 1 + Math.floor(at / tables)}`,
      columns,
    })),
  };
}

async function timed(work: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  const started = performance.now();
  await work();
  return performance.now() - started;
}
