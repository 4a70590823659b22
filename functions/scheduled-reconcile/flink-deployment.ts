import { flinkTable, noteUnnamed } from '../../shared/converge/unnamed.ts';
import { digest } from '../../shared/core/digest.ts';
import { canonicalJson } from '../../shared/core/json.ts';
import { type Declared, lacks, manifestText, readManifest, united } from '../../shared/formats/flink/declaration.ts';
import { type Flows, flowsOf, type Temporary } from '../../shared/formats/flink/flows.ts';
import { parse } from '../../shared/parse.ts';
import type { VendorClient } from '../../shared/vendors/vendor.ts';
import type { Services } from '../../shared/wiring.ts';
import type { Deployment } from './flink-list.ts';
import type { Scan, Sourced } from './flink-scan.ts';
import type { SourceTally } from './flink-source.ts';

/** What is asked of Flink. */
export type Reader = Required<Pick<VendorClient, 'pipelines' | 'jobsOf' | 'lineage'>>;

export interface Declaring {
  readonly scan: Scan;
  readonly tally: SourceTally;
  readonly services: Services;
}

/**
 * Writes a deployment's manifest if Flink shows something else. What it shows besides is declared at once; what it does not
 * show any more only when two consecutive complete scans agree, and no lineage at all never: whether Flink keeps the lineage
 * of stopped jobs is not documented. Gives what to remember of it. Asks Flink nothing: what it throws is our own trouble.
 */
export async function declareDeployment(
  { owner, job }: Pick<Deployment, 'owner' | 'job'>,
  found: Flows,
  before: Sourced | undefined,
  { scan, tally, services }: Declaring,
): Promise<Sourced> {
  const remembered = { owner, account: scan.account, seen: scan.number };
  const { temporary } = services.settings.flinkSource;
  const { flows, contracted, dropped } = found;
  // Some of it cannot be told to be what it was: then nothing of it counts as gone.
  const unclear = found.unnamed.length > 0;
  tally.scanned += 1;
  tally.contracted += contracted.length;
  tally.dropped += dropped.length;
  const problem = (message: string) => tally.problems.push({ target: scan.target, owner, message });
  for (const message of leftOut(found, temporary)) problem(message);
  if (contracted.length > 0) {
    services.log.debug('lineage was followed through temporary tables', { owner, tables: [...contracted] });
  }
  const { manifests, parse: parser = parse } = services.deps;

  const head = await manifests.head(owner);
  const same = (content: string | undefined, etag: string | undefined): Sourced => ({
    ...remembered,
    ...(content === undefined ? {} : { content }),
    ...(etag === undefined ? {} : { etag }),
  });
  if (flows.length === 0) {
    if (head !== undefined) problem('Flink shows no lineage for it now; what it declared stays');
    return same(before?.content, before?.etag);
  }
  const tables = new Map(flows.flatMap(({ from, to }) => [from, to]).map((block) => [canonicalJson(block), block]));
  const text = await checked({ job, flows });
  if (text === undefined) return same(before?.content, before?.etag);
  const content = digest(text);
  // What is declared as it was is no news.
  const again = content === before?.content;
  await noteUnnamed([...tables.values()].map(flinkTable), owner, services.deps, { again });
  if (head !== undefined && head.etag === before?.etag && content === before.content) return same(content, head.etag);

  const stored = head === undefined ? undefined : await manifests.get(owner);
  const storedText = stored && Buffer.from(stored.bytes).toString('utf8');
  if (stored === undefined || storedText === text) return same(content, stored?.etag ?? (await put(text)));
  const declared = readManifest(storedText ?? '');
  if (declared !== undefined && !lacks(flows, declared.flows)) return same(content, await put(text));

  const { less } = before ?? {};
  const confirmed = less?.content === content && less.scan < scan.number && less.scan >= scan.unbroken;
  if (confirmed && !unclear) return same(content, await put(text));
  const both = declared && (await checked({ job, flows: united(flows, declared.flows) }));
  const etag = both !== undefined && both !== storedText ? await put(both) : stored.etag;
  // Without `content`, so that the next scan looks at it again.
  return { ...same(undefined, etag), ...(unclear ? {} : { less: { content, scan: scan.number } }) };

  /** Undefined, and reported, when it would be no valid manifest. */
  async function checked(wanted: Declared): Promise<string | undefined> {
    const made = manifestText(wanted);
    if (made === undefined) {
      problem('its lineage is larger than a manifest may be, so nothing was changed; split the deployment');
      return undefined;
    }
    const parsed = await parser(Buffer.from(made), 'json');
    if (!('problems' in parsed)) return made;
    const [first] = parsed.problems;
    problem(`its lineage cannot be declared, so nothing was changed: ${first?.path ?? ''}: ${first?.message ?? ''}`);
    return undefined;
  }

  async function put(wanted: string): Promise<string> {
    const { etag } = await manifests.put(owner, Buffer.from(wanted), 'application/json');
    tally.written += 1;
    return etag;
  }
}

/** Lineage of all current jobs of a deployment, and what of it is not told on. Throws the vendor's `Failure`. */
export async function readFlows(
  { namespace, ids }: Pick<Deployment, 'namespace' | 'ids'>,
  reader: Reader,
  temporary: Temporary,
  deadlineMs: number,
): Promise<Flows> {
  const jobs = new Set<string>();
  for (const id of ids) for (const job of await reader.jobsOf({ id, namespace }, { deadlineMs })) jobs.add(job);
  const found: Flows[] = [];
  for (const jobId of jobs) {
    const start = { jobId };
    const query = { start, namespace, direction: 'both', depth: 1, level: 'column', temporary: false } as const;
    found.push(flowsOf(await reader.lineage(query, { deadlineMs }), jobId, temporary));
  }
  const all = (key: 'contracted' | 'dropped' | 'unnamed') => [...new Set(found.flatMap((each) => each[key]))].sort();
  return {
    flows: united(...found.map((each) => each.flows)),
    contracted: all('contracted'),
    dropped: all('dropped'),
    unnamed: all('unnamed'),
  };
}

/** What people are told of lineage that is left out. */
export function leftOut({ dropped, unnamed }: Flows, temporary: Temporary): readonly string[] {
  const why =
    temporary === 'drop'
      ? 'temporary tables left out'
      : 'temporary tables that nothing comes before or after are left out';
  return [...named(dropped, why), ...named(unnamed, 'these ends of its lineage name no table and are left out')];
}

function named(names: readonly string[], what: string): readonly string[] {
  if (names.length === 0) return [];
  const more = names.length > 10 ? ` and ${names.length - 10} more` : '';
  return [`${what}: ${names.slice(0, 10).join(', ')}${more}`];
}
