import { parse as parseYaml, stringify } from 'yaml';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import { parse } from '../../shared/parse.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import { type Benchmark, expectSame, type Figure, sideBySide } from './bench.ts';

const ENTRIES = 10_000;
const COLUMNS = ['order_id', 'customer_id', 'total_price'];
/** JSON takes a tenth of the time, so that one pause of the machine says more: more rounds. */
const ROUNDS = { yaml: { warmUp: 1, rounds: 7 }, json: { warmUp: 5, rounds: 41 } } as const;

/** `manifest.parse`: from bytes to checked edges with their ids, beside the library that only reads the text. */
export const manifests: Benchmark = async ({ short, progress }) => {
  const entries = short ? 500 : ENTRIES;
  const manifest = manifestOf(entries);
  const texts = { yaml: stringify(manifest, { aliasDuplicateObjects: false }), json: JSON.stringify(manifest) };
  const figures: Figure[] = [];
  for (const format of ['yaml', 'json'] as const) {
    const text = texts[format];
    const bytes = new TextEncoder().encode(text);
    progress(`${entries} entries as ${format}, ${bytes.byteLength} bytes`);
    const contenders = {
      ours: () =>
        timed(
          async () => {
            const parsed = await parse(bytes, format);
            if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems.slice(0, 3)));
            const { entries: resolved } = resolveManifest(parsed.manifest, NO_NAMING);
            return dataphin.units({ entries: resolved, account: 'a', secret: {}, deployment: 'bench' }).units;
          },
          (units) => {
            const columns = units.reduce((sum, unit) => sum + unit.columns.length, 0);
            expectSame('units', units.length, entries);
            expectSame('different ids', new Set(units.map(({ id }) => id)).size, entries);
            expectSame('columns', columns, COLUMNS.length * entries);
          },
        ),
      library: () =>
        timed(
          async () => (format === 'yaml' ? parseYaml(text) : JSON.parse(text)) as typeof manifest,
          (value) => expectSame('entries', value.lineage.length, entries),
        ),
    };
    const { warmUp, rounds } = short ? { warmUp: 0, rounds: 1 } : ROUNDS[format];
    if (warmUp > 0) await sideBySide(contenders, warmUp);
    const times = await sideBySide(contenders, rounds);
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

/** Milliseconds that the work took; what it gave is checked afterwards. */
async function timed<T>(work: () => Promise<T>, check: (given: T) => void): Promise<number> {
  globalThis.gc?.();
  const started = performance.now();
  const given = await work();
  const tookMs = performance.now() - started;
  check(given);
  return tookMs;
}
