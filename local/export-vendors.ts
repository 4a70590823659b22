import { leftOut, readFlows } from '../functions/scheduled-reconcile/flink-deployment.ts';
import { deployments, namespacesOf } from '../functions/scheduled-reconcile/flink-list.ts';
import type { Target } from '../shared/converge/deps.ts';
import { decodeUnit } from '../shared/core/unit-state.ts';
import { manifestText } from '../shared/formats/flink/declaration.ts';
import { type ExportEntry, type ExportTable, exportManifest } from '../shared/formats/manifest-export.ts';
import type { Services } from '../shared/wiring.ts';

/** Manifests by file name, and what people should know of what is not in them. */
export interface Exported {
  readonly files: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
}

export interface Following {
  readonly tables: readonly string[];
  readonly direction: 'upstream' | 'downstream' | 'both';
  /** Edges away from where it starts. */
  readonly depth: number;
  /** Tables asked about, at most. */
  readonly most: number;
}

const CALL_MS = 60_000;
const EDGES_PER_FILE = 5_000;

/** Every deployment that the settings of the source let through, as the source itself would declare it. */
export async function exportFlink(name: string, { deps, settings }: Services): Promise<Exported> {
  const target = await targetNamed(name, deps);
  const { pipelines, jobsOf, lineage } = target.client;
  if (!pipelines || !jobsOf || !lineage) throw new Error(`${name} lists no deployments`);
  const { flinkSource } = settings;
  const files = new Map<string, string>();
  const notes: string[] = [];
  const deadline = () => deps.now() + CALL_MS;
  const found = await deployments(target, { pipelines }, namespacesOf(target, flinkSource), flinkSource, deadline());
  for (const deployment of found.values()) {
    const { owner, job } = deployment;
    const read = await readFlows(deployment, { pipelines, jobsOf, lineage }, flinkSource.temporary, deadline());
    for (const note of leftOut(read, flinkSource.temporary)) notes.push(`${owner}: ${note}`);
    if (read.flows.length === 0) notes.push(`${owner}: Flink shows no lineage for it`);
    const text = read.flows.length === 0 ? undefined : manifestText({ job, flows: read.flows });
    if (text !== undefined) files.set(`manifests/${owner}`, text);
    else if (read.flows.length > 0) notes.push(`${owner}: its lineage is larger than a manifest may be`);
  }
  return { files, notes };
}

/** What Dataphin shows around some tables, its own lineage and other people's included: it does not say whose it is. */
export async function exportDataphin(name: string, follow: Following, { deps }: Services): Promise<Exported> {
  const target = await targetNamed(name, deps);
  const { lineage } = target.client;
  if (!lineage) throw new Error(`the lineage of ${name} cannot be read; its secret says "read_back": false`);
  const start = follow.tables.length > 0 ? follow.tables : await knownTables(target, deps);
  if (start.length === 0) throw new Error(`Dataphin cannot list its lineage: name tables with --table <guid>`);
  const notes: string[] = [];
  const seen = new Set(start);
  const edges = new Map<string, ExportEntry>();
  let frontier = [...seen];
  let asked = 0;
  for (let step = 0; step < follow.depth && frontier.length > 0; step += 1) {
    const next = new Set<string>();
    for (const table of frontier) {
      if (asked >= follow.most) {
        notes.push(`stopped after ${asked} tables; ${frontier.length + next.size} more were in sight: raise --most`);
        return { files: filesOf(name, edges), notes };
      }
      asked += 1;
      const query = {
        start: { table },
        direction: follow.direction,
        depth: 1,
        level: 'column',
        temporary: false,
      } as const;
      const answer = await lineage(query, { deadlineMs: deps.now() + CALL_MS });
      for (const edge of answer.edges) {
        const [from, to] = [answer.tables[edge.from], answer.tables[edge.to]];
        if (from?.block === undefined || to?.block === undefined) {
          notes.push(`${from?.name ?? '?'} -> ${to?.name ?? '?'}: Dataphin shows no GUID for one of them`);
          continue;
        }
        const columns = edge.columns.map((pair) => ({
          from: { table: 0, column: pair.from },
          to: { table: 0, column: pair.to },
          direct: true,
        }));
        const tableOf = (each: typeof from): ExportTable => ({
          label: each.name.split('.').slice(-2).join('_'),
          vendor: 'dataphin',
          block: each.block ?? {},
        });
        edges.set(JSON.stringify([from.name, to.name]), {
          from: [tableOf(from)],
          to: [tableOf(to)],
          columns,
          options: {},
        });
        for (const each of [from.name, to.name]) if (!seen.has(each)) next.add(each);
      }
    }
    for (const each of next) seen.add(each);
    frontier = [...next];
  }
  if (frontier.length > 0) notes.push(`stopped ${follow.depth} edges away; there may be more: raise --depth`);
  return { files: filesOf(name, edges), notes: [...new Set(notes)] };
}

function filesOf(target: string, edges: ReadonlyMap<string, ExportEntry>): ReadonlyMap<string, string> {
  const all = [...edges].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  const files = new Map<string, string>();
  for (let at = 0; at < all.length; at += EDGES_PER_FILE) {
    const part = all.length <= EDGES_PER_FILE ? '' : `-${at / EDGES_PER_FILE + 1}`;
    const manifest = exportManifest(target, all.slice(at, at + EDGES_PER_FILE), undefined);
    files.set(`manifests/${target.replaceAll('/', '-')}${part}.json`, `${JSON.stringify(manifest, null, 1)}\n`);
  }
  return files;
}

/** GUIDs of the tables that manifests have named at this target. */
async function knownTables(target: Target, { ledger }: Services['deps']): Promise<readonly string[]> {
  const guids = new Set<string>();
  for (let after: string | undefined, more = true; more; ) {
    const page = await ledger.find(`account:${target.account}`, after === undefined ? {} : { after });
    for (let at = 0; at < page.items.length; at += 100) {
      for (const row of (await ledger.getMany(page.items.slice(at, at + 100))).values()) {
        const { spec, options } = { spec: decodeUnit(row.body).spec, options: {} };
        const written = target.vendor.written?.({ spec, options }, '');
        for (const { guid } of [...(written?.from ?? []), ...(written?.to ?? [])]) {
          if (typeof guid === 'string') guids.add(guid);
        }
      }
    }
    after = page.next;
    more = after !== undefined;
  }
  return [...guids].sort();
}

export async function targetNamed(name: string, deps: Services['deps']): Promise<Target> {
  const { list, problems } = await deps.targets();
  const target = list.find((each) => each.name === name);
  if (target !== undefined) return target;
  const wrong = problems.find((each) => each.target === name)?.message;
  throw new Error(
    wrong ??
      `${name} is not configured: put its credentials into the secret lineage/${name}, or start the simulators (npm start)`,
  );
}
