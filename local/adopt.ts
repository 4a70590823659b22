import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { isOwnerKey } from '../shared/core/owner-key.ts';
import { edgesWord, manifestsWord } from '../shared/formats/plan-words.ts';
import { readSettings } from '../shared/settings.ts';
import { post, serviceUrl } from './service.ts';

const USAGE = `usage: npm run adopt [-- <manifest, folder or owner>…] [--json] [--url <service>]

Counts what manifests declare as registered already, without a vendor call: for lineage that other tools registered, or after the ledger
was lost. From then on it is ours: what leaves its manifest is deleted where the vendor can delete.

  orders.yaml, lineage/    files; they are stored below manifests/, and nothing of them is sent
  manifests/orders.yaml    stored already (also what is below DATA_DIR/bucket)
  (nothing)                everything that is stored`;

interface Counts {
  readonly target: string;
  readonly counted: number;
  readonly released: number;
  readonly known: number;
  readonly open: number;
  readonly columns: number;
}
interface Report {
  readonly owners: number;
  readonly left: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failures: readonly { readonly owner: string; readonly reason: string }[];
  readonly adopted: readonly (Counts & { readonly allows: string })[];
  readonly byOwner: readonly (Counts & { readonly owner: string })[];
}
interface Given {
  readonly owners: readonly string[];
  /** Contents of files, by the key they get. */
  readonly manifests: ReadonlyMap<string, string>;
}

/** `npm run adopt`: exit code 0 done, 1 refused or unfinished, 2 wrong usage. */
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) console.log(USAGE);
  else {
    const given = await read(positionals);
    const url = await serviceUrl(values.url);
    const orders: object[] = [...given.manifests].map(([key, text]) => ({ manifests: { [key]: text } }));
    if (given.owners.length > 0) orders.push({ owners: given.owners });
    if (positionals.length === 0) orders.push({});
    if (orders.length === 0) throw new Error('there are no manifests (.yaml, .yml, .json) in what was given');
    const reports: Report[] = [];
    for (const order of orders) reports.push((await post(url, '/reconcile', { adopt: true, ...order })) as Report);
    const total = reports.reduce(together);
    console.log(values.json ? JSON.stringify(total, null, 2) : told(total));
    const open = total.adopted.some((each) => each.open > 0) || total.outcomes['unfinished'] !== undefined;
    if (total.left > 0 || total.failures.length > 0 || open) process.exitCode = 1;
  }
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : String(thrown));
  process.exitCode = (thrown as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
}

/** Files and folders by the key their manifests get; what is in the bucket, or no file at all, is an owner's key. */
async function read(names: readonly string[]): Promise<Given> {
  const bucket = resolve(readSettings().dataDir, 'bucket');
  const owners: string[] = [];
  const manifests = new Map<string, string>();
  for (const name of names) {
    const found = await stat(name).catch(() => undefined);
    const path = resolve(name);
    const files = !found
      ? []
      : found.isDirectory()
        ? (await readdir(path, { recursive: true })).map((each) => join(path, each)).filter(isManifest)
        : [path];
    if (!found && !isOwnerKey(name))
      throw new Error(
        `${name} is neither a file or folder here nor the key of a stored manifest, e.g. manifests/orders.yaml`,
      );
    if (!found) owners.push(name);
    for (const file of files.sort()) {
      const base = found?.isDirectory() ? path : join(path, '..');
      if (file.startsWith(bucket + sep)) owners.push(keyOf(bucket, file));
      else manifests.set(`manifests/${keyOf(base, file)}`, await readFile(file, 'utf8'));
    }
  }
  return { owners, manifests };
}

function isManifest(file: string): boolean {
  return /\.(ya?ml|json)$/.test(file);
}

function keyOf(folder: string, file: string): string {
  return relative(folder, file).split(sep).join('/');
}

function together(left: Report, right: Report): Report {
  const outcomes = { ...left.outcomes };
  for (const [kind, count] of Object.entries(right.outcomes)) outcomes[kind] = (outcomes[kind] ?? 0) + count;
  const adopted = new Map(left.adopted.map((each) => [each.target, each]));
  for (const each of right.adopted) {
    const known = adopted.get(each.target);
    const sum = (key: keyof Omit<Counts, 'target'>) => each[key] + (known?.[key] ?? 0);
    adopted.set(each.target, {
      ...each,
      counted: sum('counted'),
      released: sum('released'),
      known: sum('known'),
      open: sum('open'),
      columns: sum('columns'),
    });
  }
  return {
    owners: left.owners + right.owners,
    left: left.left + right.left,
    outcomes,
    failures: [...left.failures, ...right.failures],
    adopted: [...adopted.values()],
    byOwner: [...left.byOwner, ...right.byOwner],
  };
}

function told(report: Report): string {
  const outcomes = Object.entries(report.outcomes).map(([kind, count]) => `${count} ${kind}`);
  const lines = [`${manifestsWord(report.owners)} looked at: ${outcomes.join(', ') || 'nothing to do'}`];
  for (const { target, counted, released, known, open, columns, allows } of report.adopted) {
    const edges = counted + released + known + open;
    lines.push('', `${target}: ${edgesWord(edges)} declared, with ${columns} column pairs`);
    if (counted > 0) lines.push(`  ${counted} count as registered from now on`);
    if (released > 0)
      lines.push(`  ${released} were there before their manifests and were never to be deleted; they are ours now`);
    if (known > 0) lines.push(`  ${known} were ours already`);
    if (open > 0) lines.push(`  ${open} are not settled yet; run it again`);
    lines.push(`  ${allows}`);
  }
  if (report.byOwner.length > report.adopted.length) {
    lines.push('');
    for (const { owner, target, counted, released, known, open } of report.byOwner) {
      lines.push(
        `${owner}  ${target}: ${counted + released} adopted, ${known} ours before${open > 0 ? `, ${open} open` : ''}`,
      );
    }
  }
  for (const { owner, reason } of report.failures) lines.push(`${owner}: ${reason}`);
  if (report.left > 0) lines.push(`${report.left} were not reached in time; run it again`);
  return lines.join('\n');
}
