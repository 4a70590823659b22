import { join, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { isOwnerKey } from '../shared/core/owner-key.ts';
import { edgesWord, manifestsWord } from '../shared/formats/plan-words.ts';
import { readSettings } from '../shared/settings.ts';
import { refuseInAws } from './aws-request.ts';
import { filesAt, type ManifestFile, manifestTexts, relativeKey } from './manifest-files.ts';
import { post, serviceUrl } from './service.ts';

const USAGE = `usage: npm run adopt [-- <manifest, folder or owner>…] [--json] [--url <service>] [--key <key>]

Counts what manifests declare as registered already, without a vendor call: for lineage that other tools registered, or after the ledger
was lost. From then on it is ours: what leaves its manifest is deleted where the vendor can delete.

  orders.yaml, lineage/    files; they are stored below manifests/, and nothing of them is sent
  manifests/orders.yaml    stored already (also what is below DATA_DIR/bucket)
  (nothing)                everything that is stored

  --key   of the secret lineage/clients, with the scope reconcile, where the service wants one; better LINEAGE_KEY in the environment`;

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
/** One request, as `POST /reconcile` takes it beside `adopt`, and what it is about. */
interface Order {
  readonly about: string;
  readonly body: { readonly manifests?: Record<string, string>; readonly owners?: readonly string[] };
  /** Somebody has given its name, so it has to be there. */
  readonly named?: true;
}

/** `npm run adopt`: exit code 0 done, 1 refused or unfinished, 2 wrong usage. */
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      key: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) console.log(USAGE);
  else {
    const orders = await ordersOf(positionals);
    const requests = orders.map(
      ({ body }) => ({ to: 'reconcile-http', path: 'reconcile', body: { adopt: true, ...body } }) as const,
    );
    refuseInAws(values.url, requests);
    const total = (await sent(orders, await serviceUrl(values.url), values.key)).reduce(together);
    console.log(values.json ? JSON.stringify(total, null, 2) : told(total));
    const open = total.adopted.some((each) => each.open > 0) || total.outcomes['unfinished'] !== undefined;
    if (total.left > 0 || total.failures.length > 0 || open) process.exitCode = 1;
  }
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : String(thrown));
  process.exitCode = (thrown as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
}

/** Manifests one by one, all of them checked; what is in the bucket, or no file at all, is an owner's key. */
async function ordersOf(names: readonly string[]): Promise<readonly Order[]> {
  if (names.length === 0) return [{ about: 'everything that is stored', body: {} }];
  const bucket = resolve(readSettings().dataDir, 'bucket');
  const stored: string[] = [];
  const named: string[] = [];
  const files: ManifestFile[] = [];
  for (const name of names) {
    const found = await filesAt(name);
    if (found === undefined && !isOwnerKey(name))
      throw new Error(
        `${name} is neither a file or folder here nor the key of a stored manifest, e.g. manifests/orders.yaml`,
      );
    if (found === undefined) named.push(name);
    for (const each of found ?? []) {
      const path = resolve(each.file);
      if (path.startsWith(join(bucket, sep))) stored.push(relativeKey(bucket, path));
      else files.push(each);
    }
  }
  const texts = await manifestTexts(files, { whole: true });
  const orders: Order[] = [...texts].map(([key, text]) => ({ about: key, body: { manifests: { [key]: text } } }));
  const owners = stored.filter(isOwnerKey);
  if (owners.length > 0) orders.push({ about: owners.join(', '), body: { owners } });
  // One by one: the answer only counts what is absent.
  orders.push(...named.map((owner): Order => ({ about: owner, body: { owners: [owner] }, named: true })));
  if (orders.length === 0) throw new Error('there are no manifests (.yaml, .yml, .json) in what was given');
  return orders;
}

/** Their reports. Throws at the first that is refused, and says what was done before and what was not. */
async function sent(orders: readonly Order[], url: string, key: string | undefined): Promise<readonly Report[]> {
  const reports: Report[] = [];
  for (const [at, { about, body, named }] of orders.entries()) {
    try {
      const report = (await post(url, '/reconcile', { adopt: true, ...body }, key)) as Report;
      const reason = 'is not stored, so nothing of it was adopted; look at its name (GET /manifests lists what is)';
      const absent = named && report.outcomes['absent'] !== undefined;
      reports.push(absent ? { ...report, failures: [...report.failures, { owner: about, reason }] } : report);
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      if (orders.length === 1) throw new Error(why);
      const told = (what: string, some: readonly Order[]) =>
        some.length === 0 ? [] : [`${what}: ${some.map((each) => each.about).join(', ')}`];
      const lines = [...told('adopted before it', orders.slice(0, at)), ...told('not tried', orders.slice(at + 1))];
      throw new Error(
        [`${about}: ${why}`, ...lines, 'Mend that and run it again; what is adopted already stays so.'].join('\n'),
      );
    }
  }
  return reports;
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
