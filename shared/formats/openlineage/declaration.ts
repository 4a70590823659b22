import { type ColumnPair, compare, derive } from './derive.ts';
import type { Subject } from './event.ts';
import { type DatasetId, type Facts, idOf } from './facts.ts';
import { follow, type Life } from './life.ts';
import { factsOfRun, lastNamed, type OpenLineageOptions, type Run, type Statement } from './run.ts';

/** The event an edge was last seen in. */
export interface Evidence {
  readonly event: 'run' | 'job' | 'dataset';
  readonly run?: string;
  readonly eventTime: string;
  readonly producer: string;
}

export interface DeclaredEdge {
  readonly from: DatasetId;
  readonly to: DatasetId;
  readonly columns: readonly ColumnPair[];
  /** One of several possible pairs; no event says which. */
  readonly guess: boolean;
  readonly evidence: Evidence;
}

/** What a job (or a dataset) declares now, sorted by dataset. */
export interface Declared {
  readonly subject: Subject;
  readonly edges: readonly DeclaredEdge[];
  /** Other names of datasets: id → ids. */
  readonly aliases: ReadonlyMap<string, readonly string[]>;
  /** INDIRECT column statements left out. */
  readonly indirect: number;
  /** How many edges there are at least, where not all of them are written out. */
  readonly count?: number;
}

/** With the names that went into it, by which it is to be found when something becomes of one of them. */
export interface Followed extends Declared {
  /** Every dataset whose life matters: those that were named, and `renamed`. */
  readonly asked: readonly string[];
  /** What those that were named have been called since. */
  readonly renamed: readonly string[];
}

export interface Sayings {
  readonly subject: Subject;
  readonly statement?: Statement;
  /** Runs that count, any order; more than the last ones may be given. */
  readonly runs: readonly Run[];
  readonly life: ReadonlyMap<string, Life>;
}

/** The order in which runs of a job replace each other. */
export function compareRuns(left: Pick<Run, 'at' | 'runId'>, right: Pick<Run, 'at' | 'runId'>): number {
  return compare(left.at, right.at) || compare(left.runId, right.runId);
}

/**
 * The union of a job's last runs and of the statement about it; runs before that statement have been replaced by it. Dropped datasets take
 * what was said of them before along, renamed ones carry it over. A run speaks of a dataset whenever it names it, not with every event.
 */
export function declare(sayings: Sayings, options: OpenLineageOptions): Followed {
  const { subject, statement, life } = sayings;
  const runs = [...sayings.runs]
    .sort(compareRuns)
    .slice(-options.runs)
    .filter((run) => !statement || compare(run.at, statement.at) > 0);
  const edges = new Map<string, DeclaredEdge>();
  const aliases = new Map<string, Set<string>>();
  const asked = new Set<string>();
  const renamed = new Set<string>();
  let indirect = 0;
  const nameNow = (dataset: DatasetId, at: string): DatasetId | undefined => {
    const { names, now } = follow(dataset, at, life);
    for (const name of names) asked.add(name);
    for (const name of names.slice(1)) renamed.add(name);
    return now;
  };
  let most = 0;
  const take = (facts: Facts, evidence: Evidence, named: (id: string) => string) => {
    indirect += facts.indirect;
    const { edges: found, count } = derive(facts, options);
    if (count > found.length) most = Math.max(most, count);
    for (const text of facts.aliases) {
      const [id, other] = JSON.parse(text) as [string, string];
      aliases.set(id, (aliases.get(id) ?? new Set()).add(other));
    }
    for (const edge of found) {
      const from = nameNow(edge.from, named(idOf(edge.from)));
      const to = nameNow(edge.to, named(idOf(edge.to)));
      if (!from || !to) continue;
      const key = JSON.stringify([idOf(from), idOf(to)]);
      edges.set(key, joined(edges.get(key), { from, to, columns: edge.columns, guess: edge.guess, evidence }));
    }
  };
  // Oldest first: the evidence of an edge is the last event that shows it.
  if (statement) {
    const event = subject.kind === 'dataset' ? 'dataset' : 'job';
    const evidence = { event, eventTime: statement.at, producer: statement.producer } as const;
    take(statement.facts, evidence, () => statement.at);
  }
  for (const run of runs) {
    const evidence = { event: 'run', run: run.runId, eventTime: run.at, producer: run.producer } as const;
    take(factsOfRun(run), evidence, lastNamed(run));
  }
  return {
    subject,
    edges: [...edges].sort(([a], [b]) => compare(a, b)).map(([, edge]) => edge),
    aliases: new Map([...aliases].map(([id, others]) => [id, [...others].sort()])),
    indirect,
    ...(most > 0 ? { count: most } : {}),
    asked: [...asked].sort(),
    renamed: [...renamed].sort(),
  };
}

function joined(known: DeclaredEdge | undefined, next: DeclaredEdge): DeclaredEdge {
  if (!known) return next;
  const columns = new Map<string, ColumnPair>();
  for (const column of [...known.columns, ...next.columns]) {
    const key = JSON.stringify(column.slice(0, 2));
    if (columns.get(key)?.[2] !== true) columns.set(key, column);
  }
  return {
    ...next,
    columns: [...columns].sort(([a], [b]) => compare(a, b)).map(([, column]) => column),
    guess: known.guess && next.guess,
  };
}
