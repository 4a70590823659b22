import { makePlan } from '../../shared/converge/plan-all.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { Graph } from '../../shared/core/graph.ts';
import { filtered, isFilter } from '../../shared/core/graph-filter.ts';
import { nearGraph } from '../../shared/core/graph-near.ts';
import { planGraph } from '../../shared/core/graph-plan.ts';
import type { PlanSummary } from '../../shared/core/plan-document.ts';
import type { Services } from '../../shared/wiring.ts';
import { type LineageQuery, lineage } from './fetch.ts';

/** What applying the plan now would do, as a graph. */
export interface PlannedGraph extends Graph {
  readonly plan: { readonly checksum: string; readonly at: string; readonly summary: PlanSummary };
  readonly next?: string;
}

/**
 * The plan as `GET /plan` makes it, drawn: around a dataset together with what stands, without one its changes alone, so many edges a page.
 * Nothing is stored or sent. Throws `Failure`, `missing` when neither the ledger nor the plan knows the dataset.
 */
export async function planned(query: LineageQuery, deadlineMs: number, services: Services): Promise<PlannedGraph> {
  const { dataset, limit, after, direction, depth } = query;
  const scope = query.owner === undefined ? {} : { owners: [query.owner] };
  const made = await makePlan({ deadlineMs, ...scope }, services.deps);
  const plan = { checksum: made.checksum, at: made.at, summary: made.summary };
  if (dataset === undefined) {
    const skip = after !== undefined && /^\d{1,7}$/.test(after) ? Number(after) : 0;
    const whole = filtered(planGraph(made.changes, { nodes: [], edges: [] }), query);
    const edges = whole.edges.slice(skip, skip + limit);
    const ends = new Set(edges.flatMap((edge) => [edge.from, edge.to]));
    const left = skip + limit < whole.edges.length ? { next: String(skip + limit) } : {};
    return { nodes: whole.nodes.filter((node) => ends.has(node.id)), edges, plan, ...left };
  }
  const { owner: _owner, job: _job, target: _target, outcome: _outcome, to: _to, ...plain } = query;
  const standing = await lineage(plain, services).catch((thrown: unknown): Graph => {
    if (thrown instanceof Failure && thrown.kind === 'missing') return { nodes: [], edges: [] };
    throw thrown;
  });
  const all = planGraph(made.changes, standing);
  const start = all.nodes.find((node) => node.id === dataset || node.names.includes(dataset))?.id;
  if (start === undefined) {
    throw new Failure('missing', `neither the ledger nor the plan knows lineage of ${dataset.slice(0, 300)}`);
  }
  const near = nearGraph(all, [start], direction, depth);
  return { ...(isFilter(query) ? filtered(near, query, start) : near), plan };
}
