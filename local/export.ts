import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { manifestsWord } from '../shared/formats/plan-words.ts';
import { parse } from '../shared/parse.ts';
import { readSettings } from '../shared/settings.ts';
import { exportLedger } from './export-ledger.ts';
import { readingServices } from './export-services.ts';
import { type Exported, exportDataphin, exportFlink } from './export-vendors.ts';

const USAGE = `usage: npm run export -- --from dataphin|flink|ledger [--out <folder>] [--force]

Writes manifests to start from. Nothing is registered, and nothing changed at a vendor.

  --from dataphin   what Dataphin shows around tables (dataphin/<account> for another account)
      --table <guid>      where to start; may be repeated; default: the tables that manifests name already
      --direction         upstream, downstream or both (default)
      --depth <n>         edges away from the start (default 10);  --most <n>  tables asked about (default 1,000)
  --from flink      deployments of Realtime Compute for Apache Flink, as FLINK_SOURCE_… filter them
  --from ledger     what the ledger says is declared, one manifest per owner and target
  --out <folder>    where to; files that differ are only replaced with --force. Without it a single manifest is printed`;

/** `npm run export`: exit code 0 done, 1 failed, 2 wrong usage. What was left out is said on stderr. */
try {
  const { values } = parseArgs({
    options: {
      from: { type: 'string', default: '' },
      out: { type: 'string' },
      force: { type: 'boolean', default: false },
      table: { type: 'string', multiple: true, default: [] },
      direction: { type: 'string', default: 'both' },
      depth: { type: 'string', default: '10' },
      most: { type: 'string', default: '1000' },
      help: { type: 'boolean', default: false },
    },
  });
  const { from, direction } = values;
  const [depth, most] = [Number(values.depth), Number(values.most)];
  const [vendor] = from.split('/');
  const ways = direction === 'upstream' || direction === 'downstream' || direction === 'both';
  const known = vendor === 'dataphin' || vendor === 'flink' || from === 'ledger';
  const isCount = (value: number) => Number.isInteger(value) && value > 0;
  const wrong = [
    ...(known
      ? []
      : [from === '' ? 'from where? give --from' : `--from is dataphin, flink or ledger, and not ${from}`]),
    ...(ways ? [] : [`--direction is upstream, downstream or both, and not ${direction}`]),
    ...(isCount(depth) ? [] : [`--depth is a whole number from 1, and not ${values.depth}`]),
    ...(isCount(most) ? [] : [`--most is a whole number from 1, and not ${values.most}`]),
  ];
  if (values.help) console.log(USAGE);
  else if (!known || !ways || wrong.length > 0) {
    console.error(`${wrong.join('\n')}\n\n${USAGE}`);
    process.exitCode = 2;
  } else {
    const { services, close } = await readingServices(readSettings());
    try {
      const found =
        from === 'ledger'
          ? await exportLedger(services)
          : vendor === 'flink'
            ? await exportFlink(from, services)
            : await exportDataphin(from, { tables: values.table, direction, depth, most }, services);
      await deliver(found, values.out, values.force);
    } finally {
      await close();
    }
  }
} catch (thrown) {
  const misuse = (thrown as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  console.error(`${thrown instanceof Error ? thrown.message : String(thrown)}${misuse ? `\n\n${USAGE}` : ''}`);
  process.exitCode = misuse ? 2 : 1;
}

async function deliver({ files, notes }: Exported, out: string | undefined, force: boolean): Promise<void> {
  for (const note of notes) console.error(note);
  for (const [name, text] of files) {
    const parsed = await parse(Buffer.from(text), 'json');
    if ('problems' in parsed) {
      const [first] = parsed.problems;
      throw new Error(`${name} would be no valid manifest: ${first?.path ?? ''}: ${first?.message ?? ''}`);
    }
  }
  const [only, ...more] = files;
  if (only === undefined) console.error('nothing was found to export');
  else if (out === undefined && more.length > 0)
    throw new Error(`${files.size} manifests; say where to with --out <folder>`);
  else if (out === undefined) process.stdout.write(only[1]);
  else {
    const differ: string[] = [];
    for (const [name, text] of files) {
      const before = await readFile(join(out, name), 'utf8').catch(() => undefined);
      if (before !== undefined && before !== text && !force) differ.push(name);
    }
    if (differ.length > 0) {
      throw new Error(`these files differ, so nothing was written (--force replaces them):\n  ${differ.join('\n  ')}`);
    }
    for (const [name, text] of files) {
      await mkdir(dirname(join(out, name)), { recursive: true });
      await writeFile(join(out, name), text);
    }
    console.log(`${manifestsWord(files.size)} written below ${out}`);
  }
}
