import { places } from './lineage.ts';
import type { LineageInfo, Seed } from './seed.ts';

export interface Start {
  readonly id: string;
  readonly type: 'JOB' | 'TABLE';
  readonly direction: 'UPSTREAM' | 'DOWNSTREAM' | 'BOTH';
  readonly depth: number;
}

type Edges = NonNullable<LineageInfo['edges']>;
type Relation = NonNullable<Edges['tableLineage']>[number];
type Node = NonNullable<LineageInfo['nodes']>[number];

/** A relation with the tables that its ends mean, and the seeded answer it comes from. */
interface Known {
  readonly relation: Relation;
  readonly level: 'tableLineage' | 'columnLineage';
  readonly from: string;
  readonly to: string;
  readonly info: LineageInfo;
}

/**
 * What GetLineageInfo finds in the seed, which is all there is. An id that is seeded is served word for word at depth 1; a table
 * that only occurs in what is seeded is walked from. Each further step of depth adds the relations next to those found, upstream,
 * downstream or both. How the vendor counts depth for a job is not documented: its own relations are depth 1 here.
 *
 * Undefined: there is no such job or table. `info` undefined: a job without lineage.
 */
export function reached(seed: Seed, start: Start): { readonly info: LineageInfo | undefined } | undefined {
  const infos = Object.values(seed.lineage);
  const isTable = infos.some((info) => info.nodes?.some((node) => node.tables?.some((table) => table.id === start.id)));
  const isJob = seed.jobs.some((job) => job.jobId === start.id);
  const seeded = Object.hasOwn(seed.lineage, start.id) ? seed.lineage[start.id] : undefined;
  if (start.type === 'JOB') {
    if (seeded !== undefined && (isJob || !isTable)) return { info: walked(start, infos, seeded) };
    return isJob ? { info: undefined } : undefined;
  }
  if (!isTable) return undefined;
  return { info: walked(start, infos, seeded) };
}

function walked(start: Start, infos: readonly LineageInfo[], seeded: LineageInfo | undefined): LineageInfo {
  const all = infos.flatMap(relationsOf);
  const base = seeded === undefined ? undefined : relationsOf(seeded);
  const found = new Set<Known>(all.filter((each) => each.info === seeded));
  const origin = base === undefined ? nameOfTable(start.id, infos) : undefined;
  // From a job the walk goes on at the outer ends of its own relations, from a table at the table.
  const ends = (side: 'from' | 'to') =>
    new Set(base?.map((each) => each[side]) ?? (origin === undefined ? [] : [origin]));
  const steps = start.depth - (base === undefined ? 0 : 1);
  if (start.direction !== 'DOWNSTREAM') spread(all, found, ends('from'), 'to', 'from', steps);
  if (start.direction !== 'UPSTREAM') spread(all, found, ends('to'), 'from', 'to', steps);
  const added = [...found].filter((each) => each.info !== seeded);
  return merged(seeded, added, start.id, infos);
}

/** Breadth first: relations that touch the frontier with `near` are found, their `far` ends are the next frontier. */
function spread(
  all: readonly Known[],
  found: Set<Known>,
  from: ReadonlySet<string>,
  near: 'from' | 'to',
  far: 'from' | 'to',
  steps: number,
): void {
  const seen = new Set(from);
  let frontier = from;
  for (let step = 0; step < steps && frontier.size > 0; step += 1) {
    const touching = all.filter((each) => frontier.has(each[near]));
    for (const each of touching) found.add(each);
    frontier = new Set(touching.map((each) => each[far]).filter((name) => !seen.has(name)));
    for (const name of frontier) seen.add(name);
  }
}

function relationsOf(info: LineageInfo): Known[] {
  const place = places(info);
  return (['tableLineage', 'columnLineage'] as const).flatMap((level) =>
    (info.edges?.[level] ?? []).map((relation) => ({
      relation,
      level,
      from: place(relation.source).table,
      to: place(relation.destination).table,
      info,
    })),
  );
}

function nameOfTable(id: string, infos: readonly LineageInfo[]): string | undefined {
  const home = infos.find((info) => info.nodes?.some((node) => node.tables?.some((table) => table.id === id)));
  return home === undefined ? undefined : places(home)(id).table;
}

/** The seeded answer with what was found besides; of the others only the tables that a relation names, and the start itself. */
function merged(
  seeded: LineageInfo | undefined,
  added: readonly Known[],
  startId: string,
  infos: readonly LineageInfo[],
): LineageInfo {
  if (seeded !== undefined && added.length === 0) return seeded;
  const nodes = new Map<string, Node>((seeded?.nodes ?? []).map((node) => [node.id, node]));
  const wanted = new Set(added.flatMap((each) => [each.from, each.to]));
  for (const info of infos) {
    const place = places(info);
    for (const node of info.nodes ?? []) {
      const tables = node.tables?.filter(({ id }) => id === startId || wanted.has(place(id).table)) ?? [];
      if (tables.length === 0) continue;
      const known = nodes.get(node.id);
      const more = tables.filter(({ id }) => !known?.tables?.some((table) => table.id === id));
      nodes.set(node.id, { ...node, ...known, tables: [...(known?.tables ?? []), ...more] });
    }
  }
  const level = (name: Known['level']) => [
    ...(seeded?.edges?.[name] ?? []),
    ...added.filter((each) => each.level === name).map((each) => each.relation),
  ];
  const jobs = new Set(added.map((each) => each.relation.jobId));
  const jobInfos = infos
    .flatMap((info) => (info === seeded ? [] : (info.jobInfos ?? [])))
    .filter(({ id }) => jobs.has(id));
  return {
    nodes: [...nodes.values()],
    edges: { tableLineage: level('tableLineage'), columnLineage: level('columnLineage') },
    jobInfos: [...(seeded?.jobInfos ?? []), ...jobInfos],
  };
}
