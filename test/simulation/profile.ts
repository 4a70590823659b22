import type { ConvergeSettings } from '../../shared/converge/deps.ts';
import type { COMMON } from './people.ts';
import type { Random } from './random.ts';

/** What kind of world a seed makes. */
export interface Profile {
  readonly settings: ConvergeSettings;
  readonly workers: number;
  readonly owners: number;
  /** Pairs of datasets that manifests draw from. */
  readonly pool: readonly string[];
  readonly events: number;
  /** Share of operations that go wrong. */
  readonly faultRate: number;
  /** Share of invocations that are killed. */
  readonly killRate: number;
  readonly duplicates: number;
  /** Share of triggers that get lost. */
  readonly lostTriggers: number;
  /**
   * All work comes from messages and no trigger is lost: then everything settles without a reconcile pass.
   */
  readonly durable: boolean;
  /** Targets that are configured, if not taken away for a while. */
  readonly targets: readonly ('dataphin' | 'dataarts')[];
  readonly columnsPerCall: number;
  /** How long invocations may run (ms). */
  readonly slices: readonly number[];
  /** The Dataphin-like vendor can be read back. */
  readonly look: boolean;
  /** The DataArts-like vendor can be read in bulk. */
  readonly bulk: boolean;
  /** Datasets have their vendor names from naming.yaml, which changes. */
  readonly named: boolean;
  /** Convergences share the circuits of their targets. */
  readonly circuit: boolean;
  /** Rows are so small that most of them are written in pieces. */
  readonly pieces: boolean;
  /** Others change what we registered at the vendors. */
  readonly tampering: boolean;
  readonly badShare: number;
  /** The Dataphin-like vendor sometimes leaves out columns of a change that is read back, and says that it is done. */
  readonly sloppy: boolean;
  /** The Dataphin-like vendor refuses to take anything back, for a while. */
  readonly refusing: boolean;
  /** An owner with more units than its row holds. */
  readonly big: boolean;
  /** What people do more often than usual. */
  readonly often?: Partial<typeof COMMON>;
}

export function profileOf(random: Random): Profile {
  const big = random.chance(0.003);
  const datasets = big ? 12 : random.between(2, 4);
  const all: string[] = [];
  for (let from = 0; from < datasets; from += 1) {
    for (let to = 0; to < datasets; to += 1) if (from !== to) all.push(`d${from}-d${to}`);
  }
  const durable = random.chance(0.35);
  const rough = random.pick([0, 0.01, 0.03, 0.08]);
  const profile = {
    settings: {
      deployment: 'sim',
      policy: { ratio: 0.3, singleRemoval: 100, smallTarget: 3 },
      graceMs: random.pick([20_000, 60_000]),
      lateBoundMs: random.pick([30_000, 120_000]),
      clockSkewMs: 5_000,
      ledgerTimeoutMs: 1_000,
      callBudgetMs: random.pick([8_000, 30_000]),
      concurrency: random.between(1, 4),
    },
    workers: random.between(2, 4),
    owners: random.pick([2, 2, 3, 4]),
    pool: big ? all : random.some(all, random.between(2, 6)),
    events: random.between(6, big ? 8 : 15),
    faultRate: rough,
    killRate: rough === 0 ? 0 : random.pick([0, 0.05, 0.2]),
    duplicates: random.pick([0, 0.1]),
    lostTriggers: durable ? 0 : random.pick([0, 0.1, 0.3]),
    durable,
    targets: random.pick([
      ['dataphin', 'dataarts'],
      ['dataphin', 'dataarts'],
      ['dataphin'],
      ['dataphin'],
      ['dataarts'],
    ] as const),
    columnsPerCall: random.pick([1, 2, 2, 100]),
    slices: random.pick([[60_000], [60_000, 20_000], [12_000, 40_000]]),
    look: random.chance(0.85),
    bulk: random.chance(0.4),
    named: random.chance(0.25),
    circuit: random.chance(0.3),
    pieces: random.chance(0.1),
    tampering: random.chance(0.4),
    badShare: random.chance(0.2) ? 0.08 : 0,
    big,
  };
  // What it refuses is not read back, and who cannot look back finds nothing out.
  const sloppy = profile.look && profile.badShare === 0 && random.chance(0.3);
  // What is refused in the middle of a change is not read back: verification finds out.
  return { ...profile, sloppy, refusing: random.chance(0.18) && !sloppy };
}
