import { namelessKeys } from '../../shared/converge/nameless.ts';
import { Failure } from '../../shared/core/failure.ts';
import { type Graph, type GraphOptions, graphOf, nameGroups, namesOf } from '../../shared/core/graph.ts';
import { type EdgeFilter, filtered, isFilter } from '../../shared/core/graph-filter.ts';
import { append } from '../../shared/core/large-lists.ts';
import type { UnitState } from '../../shared/core/unit-state.ts';
import type { Services } from '../../shared/wiring.ts';
import { idsOf, ownerFacts } from './owners.ts';
import { between } from './path.ts';
import { type Direction, reach, withMore } from './reach.ts';
import { search } from './search.ts';
import { ledgerReader, type UnitReader } from './units.ts';

export interface LineageQuery extends EdgeFilter {
  /** `namespace/name` or `vendor:name`; without it everything, a page at a time. */
  readonly dataset?: string | undefined;
  /** The other end: only the ways between the two. */
  readonly to?: string | undefined;
  /** Part of a name: the datasets that have it, without edges. */
  readonly q?: string | undefined;
  readonly direction: 'upstream' | 'downstream' | 'both';
  /** How many edges away from the dataset. */
  readonly depth: number;
  readonly level: 'table' | 'column';
  readonly after?: string | undefined;
  /** Edges an answer has at the most (several at one vendor count as several). */
  readonly limit: number;
}

export interface LineageAnswer extends Graph {
  /** Pass as `after` for what this answer has no room for. */
  readonly next?: string;
  /** Not everything was looked at. */
  readonly partial?: true;
}

/** Answers "what feeds this table?" from the ledger. Reads grow with the answer, not with the ledger. */
export async function lineage(query: LineageQuery, services: Services): Promise<LineageAnswer> {
  const reader = ledgerReader(services.deps.ledger);
  if (query.q !== undefined) {
    const { nodes, ...rest } = await search(query.q, query, reader);
    return { nodes, edges: [], ...rest };
  }
  if (query.dataset === undefined) return everything(query, reader, services);
  if (query.to !== undefined) return path(query.dataset, query.to, query, reader, services);
  return around(query.dataset, query, reader, services);
}

/** Pages of the neighbourhood are walked again from the start; further than this nobody pages. */
const FURTHEST = 20_000;

async function around(
  start: string,
  query: LineageQuery,
  reader: UnitReader,
  services: Services,
): Promise<LineageAnswer> {
  const skip = offset(query.after);
  const directions: readonly Direction[] = query.direction === 'both' ? ['upstream', 'downstream'] : [query.direction];
  const reached = await reach({ start, directions, depth: query.depth, most: skip + query.limit }, reader);
  if (reached.units.length === 0) {
    const known = await at(start, reader);
    if (known.length === 0) throw new Failure('missing', `no lineage is known for ${start.slice(0, 300)}`);
    const { nodes } = await graphFor(known, query, services, { names: reached.names });
    return { nodes: nodes.filter((node) => node.id === start || node.names.includes(start)), edges: [] };
  }
  const units = reached.units.slice(skip);
  const groups = nameGroups(units, reached.names);
  const graph = filtered(await graphFor(units, query, services, { keeps: reached.keeps, groups }), query, start);
  const whole = isFilter(query) ? graph : await withMore(graph, reached, groups, reader);
  const end = skip + query.limit;
  return { ...whole, ...(reached.full && end < FURTHEST ? { next: String(end) } : {}) };
}

/** A few units of a dataset, on either side of it and under any of its names. */
async function at(start: string, reader: UnitReader): Promise<readonly UnitState[]> {
  const alike = await reader.alike([start]);
  const names = [
    start,
    ...alike.flatMap((unit) => unit.from.concat(unit.to).flatMap((each) => namesOf(each, unit.vendor))),
  ];
  const sides = await Promise.all(
    (['upstream', 'downstream'] as const).map((direction) => reader.at([...new Set(names)], direction, 1)),
  );
  return [...new Set([...alike, ...sides.flatMap((pages) => [...pages.values()].flatMap(({ units }) => units))])];
}

function offset(after: string | undefined): number {
  if (after === undefined) return 0;
  const skip = /^\d{1,6}$/.test(after) ? Number(after) : Number.NaN;
  if (!(skip < FURTHEST))
    throw new Failure('invalid', 'after is the `next` of the answer before, for the same question');
  return skip;
}

async function path(
  from: string,
  to: string,
  query: LineageQuery,
  reader: UnitReader,
  services: Services,
): Promise<LineageAnswer> {
  const ways: (readonly [string, string])[] = [];
  if (query.direction !== 'upstream') ways.push([from, to]);
  if (query.direction !== 'downstream') ways.push([to, from]);
  for (const [start, end] of ways) {
    const way = await between(start, end, query.depth, reader);
    if (way.units.length > 0) return filtered(await graphFor(way.units, query, services, way), query, from);
  }
  const most = `${query.depth} edge${query.depth === 1 ? '' : 's'}`;
  throw new Failure('missing', `no path of at most ${most} between ${from.slice(0, 300)} and ${to.slice(0, 300)}`);
}

/** Pages that a filter may leave empty are read on, so many an answer. */
const PAGES_READ = 10;

async function everything(query: LineageQuery, reader: UnitReader, services: Services): Promise<LineageAnswer> {
  if (query.owner !== undefined) return ofOwner(query.owner, query, reader, services);
  const { limit } = query;
  const units: UnitState[] = [];
  let next = query.after;
  for (let pages = 0; pages < PAGES_READ; pages += 1) {
    const page = await reader.page({ limit, ...(next === undefined ? {} : { after: next }) });
    const kept = isFilter(query) ? await matching(page.items, query, services) : page.items;
    append(units, kept);
    next = page.next;
    if (next === undefined || !isFilter(query) || units.length >= limit) break;
  }
  const graph = filtered(await graphFor(units, query, services), query);
  return next === undefined ? graph : { ...graph, next };
}

/** Units of which an edge passes the filter. */
async function matching(units: readonly UnitState[], query: LineageQuery, services: Services): Promise<UnitState[]> {
  const facts = await ownerFacts(units, services);
  return units.filter((unit) => filtered(graphOf([unit], { columns: false, ...facts }), query).edges.length > 0);
}

/** An owner's row names its units; edges that no vendor has names for stand beside it. */
async function ofOwner(
  owner: string,
  query: LineageQuery,
  reader: UnitReader,
  services: Services,
): Promise<LineageAnswer> {
  const row = await services.deps.ledger.get(`owner/${owner}`);
  if (row === undefined) throw new Failure('missing', `no manifest ${owner.slice(0, 300)} has been registered`);
  const { ledger } = services.deps;
  const ids = await idsOf(row.body['units'] as Record<string, never>, ledger);
  const keys = [...ids.map((id) => `unit/${id}`), ...(await namelessKeys(owner, ledger))].sort();
  const rest = keys.filter((key) => key > (query.after ?? ''));
  const page = rest.slice(0, query.limit);
  const units = await reader.byKey(page);
  const graph = filtered(await graphFor(units, query, services), query);
  const last = page.at(-1);
  return rest.length > page.length && last !== undefined ? { ...graph, next: last } : graph;
}

async function graphFor(
  units: readonly UnitState[],
  query: LineageQuery,
  services: Services,
  { keeps, names, groups }: Pick<GraphOptions, 'keeps' | 'names' | 'groups'> = {},
): Promise<Graph> {
  const facts = await ownerFacts(units, services);
  const options = { ...(keeps && { keeps }), ...(names && { names }), ...(groups && { groups }) };
  return graphOf(units, { columns: query.level === 'column', ...facts, ...options });
}
