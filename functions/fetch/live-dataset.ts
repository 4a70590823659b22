import type { Target } from '../../shared/converge/deps.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { Graph } from '../../shared/core/graph.ts';
import { nearGraph } from '../../shared/core/graph-near.ts';
import type { Services } from '../../shared/wiring.ts';
import { graphOfLive, type LiveAnswer, NOT_CONFIGURED, targetCalled } from './live.ts';
import { ledgerReader } from './units.ts';
import { namesAt, withLedgerNames } from './vendor-names.ts';

/** A question to a vendor that knows datasets by name: Dataphin around one, DataArts around one or all. */
export interface DatasetQuestion {
  readonly dataset?: string | undefined;
  readonly direction: 'upstream' | 'downstream' | 'both';
  readonly depth: number;
  readonly level: 'table' | 'column';
  readonly limit: number;
  readonly after?: string | undefined;
}

/** What a target itself shows, asked now, with datasets under the ledger's names. Throws `Failure`. */
export async function liveDatasets(
  from: string,
  asked: DatasetQuestion,
  deadlineMs: number,
  services: Services,
): Promise<LiveAnswer & { readonly next?: string }> {
  const target = await targetCalled(from, services);
  const { lineage, everything } = target.client;
  const reader = ledgerReader(services.deps.ledger);
  // Without naming.yaml the vendor's names do.
  const naming = (await services.deps.naming().catch(() => undefined))?.naming;
  const names = asked.dataset === undefined ? [] : await namesAt(asked.dataset, target, naming, reader);
  if (asked.dataset !== undefined && names.length === 0) throw nameless(asked.dataset, target);
  if (everything !== undefined) {
    const whole = graphOfLive(await everything({ deadlineMs }), target, naming, false);
    const starts = whole.nodes.filter((node) => names.some((name) => isCalled(node, target.vendor.name, name)));
    if (asked.dataset !== undefined && starts.length === 0) throw unknown(asked.dataset, target);
    const near =
      asked.dataset === undefined
        ? whole
        : nearGraph(
            whole,
            starts.map((node) => node.id),
            asked.direction,
            asked.depth,
          );
    return withLedgerNames(page(near, asked), services);
  }
  if (lineage === undefined) throw unreadable(target);
  const [name] = names;
  if (name === undefined) {
    throw new Failure('rejected', `${target.name} lists no lineage as a whole; ask with a dataset`);
  }
  const question = { direction: asked.direction, depth: asked.depth, level: asked.level, temporary: false };
  const found = await lineage({ ...question, start: { table: name } }, { deadlineMs });
  return withLedgerNames(graphOfLive(found, target, naming, asked.level === 'column'), services);
}

/** A name of the ledger and one of the vendor's list mean the same; DataArts's list leaves catalogs out. */
export function isCalled(node: Graph['nodes'][number], vendor: string, name: string): boolean {
  return [node.id, ...node.names].some((each) => {
    if (!each.startsWith(`${vendor}:`)) return false;
    const listed = each.slice(vendor.length + 1);
    return listed === name || name.endsWith(`.${listed}`);
  });
}

export function unreadable({ name, vendor }: Pick<Target, 'name' | 'vendor'>): Failure {
  const how =
    vendor.name === 'dataarts'
      ? `its list of lineage is by invitation: with it, put "instance_id" into the secret lineage/${name}`
      : `remove "read_back": false from the secret lineage/${name}`;
  return new Failure('conflict', `${name} cannot be read; ${how}`, { code: NOT_CONFIGURED });
}

function nameless(
  dataset: string,
  { name, vendor }: { readonly name: string; readonly vendor: { readonly name: string } },
) {
  const shown = dataset.slice(0, 300);
  return new Failure(
    'missing',
    `nobody says how ${name} calls ${shown}; ask by its name there (${vendor.name}:…), or add a rule to naming.yaml`,
  );
}

function unknown(dataset: string, { name }: { readonly name: string }) {
  return new Failure('missing', `${name} shows no lineage of ${dataset.slice(0, 300)}`);
}

/** So many edges from `after` on, with the datasets at their ends. */
function page(graph: LiveAnswer, { limit, after, dataset }: DatasetQuestion): LiveAnswer & { next?: string } {
  const skip = after !== undefined && /^\d{1,7}$/.test(after) ? Number(after) : 0;
  const edges = graph.edges.slice(skip, skip + limit);
  if (edges.length === graph.edges.length) return graph;
  const ends = new Set([...edges.flatMap((edge) => [edge.from, edge.to]), ...(dataset === undefined ? [] : [dataset])]);
  const left = skip + limit < graph.edges.length ? { next: String(skip + limit) } : {};
  return { ...graph, nodes: graph.nodes.filter((node) => ends.has(node.id)), edges, ...left };
}
