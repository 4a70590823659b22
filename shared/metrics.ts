import type { EdgeOutcome } from './converge/status.ts';

type Unit = 'Count' | 'Milliseconds' | 'Seconds';

/**
 * Every number there is, with its unit. `target` says whether it is told per target; what alarms look at is not. A `gauge` is how many there
 * are at a moment: two of them do not add up.
 */
export const METRICS = {
  /** Edges by what became of them, as the status document of one convergence says. */
  EdgesRegistered: { unit: 'Count', target: true },
  EdgesUnchanged: { unit: 'Count', target: true },
  EdgesDeleted: { unit: 'Count', target: true },
  EdgesHeld: { unit: 'Count', target: true },
  EdgesUnsupported: { unit: 'Count', target: true },
  EdgesUnresolved: { unit: 'Count', target: true },
  EdgesConflict: { unit: 'Count', target: true },
  EdgesPending: { unit: 'Count', target: true },
  EdgesUnknown: { unit: 'Count', target: true },
  EdgesFailed: { unit: 'Count', target: true },
  /** Exchanges with a vendor, every attempt counted. */
  VendorCalls: { unit: 'Count', target: true },
  VendorLatency: { unit: 'Milliseconds', target: true },
  /** Attempts that the vendor turned away as too many, and those that failed otherwise. */
  VendorThrottles: { unit: 'Count', target: true },
  VendorFailures: { unit: 'Count', target: true },
  /** How long a call waited for the account's own budget. */
  BudgetWait: { unit: 'Milliseconds', target: true },
  BudgetSpent: { unit: 'Count', target: true },
  /** What a pass found: it is told with every pass, zeros too. */
  HeldPlans: { unit: 'Count', target: false, gauge: true },
  HeldAge: { unit: 'Seconds', target: false },
  UnknownAge: { unit: 'Seconds', target: false },
  OldestUnsettled: { unit: 'Seconds', target: false },
  /** Told as soon as one opens or closes, too. */
  CircuitsOpen: { unit: 'Count', target: false, gauge: true },
  TargetsUnusable: { unit: 'Count', target: false, gauge: true },
  PassesFinished: { unit: 'Count', target: false },
  /** Edges that a vendor refuses, whether to register them or to take them back. */
  EdgesRefused: { unit: 'Count', target: false, gauge: true },
  OwnersFailed: { unit: 'Count', target: false },
  Drifted: { unit: 'Count', target: true },
  /** How long a message had waited when it was taken. */
  BacklogAge: { unit: 'Seconds', target: false },
  /** Messages that will be delivered again, answers that say it is our fault, and events that were sent away to come again. */
  MessagesFailed: { unit: 'Count', target: false },
  UnexpectedErrors: { unit: 'Count', target: false },
  EventsTurnedAway: { unit: 'Count', target: false },
  ColdStarts: { unit: 'Count', target: false },
} as const satisfies Readonly<Record<string, Kind>>;

interface Kind {
  readonly unit: Unit;
  readonly target: boolean;
  readonly gauge?: true;
}

export type MetricName = keyof typeof METRICS;
/** Those that are told per target. */
export type TargetMetric = {
  [Name in MetricName]: (typeof METRICS)[Name]['target'] extends true ? Name : never;
}[MetricName];
export type PlainMetric = Exclude<MetricName, TargetMetric>;

/** Where numbers go. Nothing is sent before `flush`; dimensions are the service, the stage and at most the target. */
export interface Metrics {
  add(name: PlainMetric, value: number): void;
  addFor(name: TargetMetric, target: string, value: number): void;
  /** Tells what was gathered since the last time; `about` goes with it without being a dimension. */
  flush(about?: Readonly<Record<string, string>>): void;
}

export const NAMESPACE = 'LineageFunctions';
export const SERVICE = 'lineage-functions';

/** A number that was told, with the dimensions that alarms and dashboards find it by. */
export interface Told {
  readonly name: MetricName;
  readonly unit: Unit;
  readonly values: readonly number[];
  readonly dimensions: Readonly<Record<string, string>>;
}

/** Hands on what was gathered, one list of values for each metric of each target. */
export function gathered(
  stage: string,
  tell: (told: readonly Told[], about: Readonly<Record<string, string>>) => void,
): Metrics {
  let held = new Map<
    string,
    { readonly name: MetricName; readonly target: string | undefined; readonly values: number[] }
  >();
  const put = (name: MetricName, target: string | undefined, value: number) => {
    const key = `${name} ${target ?? ''}`;
    const known = held.get(key) ?? { name, target, values: [] };
    held.set(key, known);
    const { values } = known;
    const { unit, gauge }: Kind = METRICS[name];
    // Counts add up; what was measured keeps its spread, as far as one line of EMF holds it.
    if (unit === 'Count' && gauge === undefined && values.length > 0) values[0] = (values[0] ?? 0) + value;
    else if (values.length < MOST_VALUES) values.push(value);
    else values[Math.floor(values.length / 2)] = Math.max(value, values[Math.floor(values.length / 2)] ?? 0);
  };
  return {
    add: (name, value) => put(name, undefined, value),
    addFor: (name, target, value) => put(name, target, value),
    flush(about = {}) {
      if (held.size === 0) return;
      const told = [...held.values()].map(
        ({ name, target, values }): Told => ({
          name,
          unit: METRICS[name].unit,
          values,
          dimensions: { service: SERVICE, stage, ...(target === undefined ? {} : { target }) },
        }),
      );
      held = new Map();
      tell(told, about);
    },
  };
}

/** EMF takes a hundred values of a metric per line, and Powertools prints at once when it has them (AWS, Embedded metric format specification, read 2026-11). */
const MOST_VALUES = 99;

/** Keeps what is told, for tests and for whoever wants to look. */
export function memoryMetrics(stage = 'local'): Metrics & { readonly told: Told[] } {
  const told: Told[] = [];
  return { ...gathered(stage, (all) => told.push(...all)), told };
}

/** Tells nobody. */
export const silentMetrics: Metrics = { add: () => {}, addFor: () => {}, flush: () => {} };

/** `EdgesRegistered` of `registered`. */
export function edgeMetric(outcome: EdgeOutcome): TargetMetric {
  return `Edges${outcome.charAt(0).toUpperCase()}${outcome.slice(1)}` as `Edges${Capitalize<EdgeOutcome>}`;
}
