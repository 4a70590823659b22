import * as z from 'zod';
import type { Target } from '../../shared/converge/deps.ts';
import { type Dataset, identity } from '../../shared/core/dataset.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import { Failure } from '../../shared/core/failure.ts';
import type {
  Call,
  Receipt,
  Sight,
  Unit,
  UnitTable,
  Unresolved,
  Vendor,
  VendorClient,
  WithdrawCall,
} from '../../shared/vendors/vendor.ts';
import { type Invocation, throttled, unknown } from './invocation.ts';
import type { World } from './world.ts';

export interface ShownEdge {
  /** `a>b`: is it direct? */
  readonly columns: Map<string, boolean>;
  tag: string | undefined;
}

export interface ShownNode {
  readonly receipt: string;
  readonly pair: string;
  readonly columns: ReadonlySet<string>;
  readonly tag: string | undefined;
}

/** What the two vendors hold. The one shows an edge per pair and takes it back, the other makes a node per call for good. */
export class SimVendors {
  readonly edges = new Map<string, ShownEdge>();
  nodes: ShownNode[] = [];
  calls = 0;
  private made = 0;

  /** Gives the receipt. `sloppy`: leaves out the columns. */
  register(vendor: string, call: Call, sloppy = false): string {
    const pair = String(call.spec['pair']);
    const columns = columnsOf(call);
    const tag = tagOf(call);
    this.made += 1;
    const receipt = `n${this.made}`;
    if (vendor === 'dataarts') {
      this.nodes.push({ receipt, pair, columns: new Set(columns.keys()), tag });
      return receipt;
    }
    const edge = this.edges.get(pair) ?? { columns: new Map(), tag: undefined };
    for (const [column, direct] of columns) {
      // A column whose flag changes shows nothing by which a read could tell.
      if (!sloppy || edge.columns.has(column)) edge.columns.set(column, direct);
    }
    edge.tag = tag;
    this.edges.set(pair, edge);
    return receipt;
  }

  /** What one unit's pair looks like now. */
  columnEdges(pair: string): ColumnEdge[] {
    return [...(this.edges.get(pair)?.columns ?? [])].map(([column, direct]) => {
      const [from, to] = column.split('>') as [string, string];
      return { from: { table: 0, column: from }, to: { table: 0, column: to }, direct };
    });
  }

  /** Without columns the whole pair goes; with columns these, and the pair when the call took the last one and cascades. */
  withdraw(call: WithdrawCall): void {
    const pair = String(call.spec['pair']);
    const edge = this.edges.get(pair);
    if (!edge) return;
    if (call.columns.length === 0) this.edges.delete(pair);
    let took = 0;
    for (const column of columnsOf(call).keys()) if (edge.columns.delete(column)) took += 1;
    if (took > 0 && call.cascade && edge.columns.size === 0) this.edges.delete(pair);
  }
}

export function columnsOf(call: Call): Map<string, boolean> {
  return new Map(call.columns.map((each) => [`${each.from.column}>${each.to.column}`, each.direct]));
}

function tagOf({ options }: Call): string | undefined {
  const relation = options['relationProperties'] as { tag?: string } | undefined;
  return relation?.tag ?? (options['connectionName'] as string | undefined);
}

const ids = { dataphin: 'P', dataarts: 'A' } as const;
export type VendorName = keyof typeof ids;
export const unitOf = (vendor: VendorName, pair: string): string => `${ids[vendor]}${pair}----`;

/** A vendor with the abilities of Dataphin or of DataArts, and the simplest of mappings: a unit per pair. */
export function simVendor(name: VendorName, columnsPerCall: number): Vendor {
  const able = name === 'dataphin';
  return {
    name,
    title: name,
    mappingVersion: 1,
    limits: { columnsPerCall: able ? columnsPerCall : 10_000, callsPerSecond: 1_000 },
    abilities: { repeatable: able, withdraw: able },
    blocks: { dataset: z.strictObject({}), entry: z.strictObject({}) },
    secret: z.record(z.string(), z.json()),
    account: () => name,
    units({ entries }) {
      const units: Unit[] = [];
      const unresolved: Unresolved[] = [];
      for (const entry of entries) {
        const [source, sink] = [entry.from[0], entry.to[0]];
        if (!source?.vendors[name] || !sink?.vendors[name]) {
          const labels = { from: labelOf(source), to: labelOf(sink) };
          unresolved.push({ path: entry.path, ...labels, reason: `it has no name at ${name}` });
          continue;
        }
        const pair = `${source.alias}-${sink.alias}`;
        units.push({
          id: unitOf(name, pair),
          from: [tableOf(source)],
          to: [tableOf(sink)],
          spec: { pair },
          columns: able ? entry.columns : entry.columns.map((each) => ({ ...each, direct: true })),
          options: entry.options[name] ?? {},
          paths: [entry.path],
        });
      }
      return { units, unresolved };
    },
    connect() {
      throw new Error('targets of a simulation come connected');
    },
  };
}

const labelOf = (dataset: Dataset | undefined): string => (dataset && identity(dataset)) ?? dataset?.alias ?? '';

function tableOf(dataset: Dataset): UnitTable {
  const known = identity(dataset);
  return { name: dataset.alias ?? '', ...(known === undefined ? {} : { dataset: known }) };
}

/** Whether a call is done badly, as converge is to find out afterwards: never when it is made again. */
function isSloppy(world: World, unit: string): boolean {
  if (!world.faults || !world.profile.sloppy) return false;
  const { intent, unproved } = (world.ledger.shadow.get(`unit/${unit}`)?.body ?? {}) as {
    intent?: { part?: true };
    unproved?: number;
  };
  const seen = unproved === undefined ? intent?.part === true : unproved === 0;
  return seen && world.random.chance(0.2);
}

/** A client of one invocation. What it sends may get lost, come late, or be done although nobody hears of it. */
export function connected(world: World, inv: Invocation, vendor: Vendor, look: boolean): Target {
  const { random, clock } = world;
  const { settings } = world.profile;
  const held = world.vendors;
  const name = vendor.name as VendorName;
  const able = vendor.abilities.withdraw;

  async function send(op: 'register' | 'withdraw', call: WithdrawCall, deadlineMs: number): Promise<Receipt> {
    if (inv.now() >= deadlineMs) throw new Failure('unavailable', 'no time left for this call');
    held.calls += 1;
    const unit = unitOf(name, String(call.spec['pair']));
    world.watch.called(inv, op, unit, call);
    const bad = op === 'register' && call.columns.some((each) => each.from.column === 'bad');
    const sloppy = able && isSloppy(world, unit);
    const refused = op === 'withdraw' && world.refuses;
    let receipt = 'done';
    const apply = (how: string): void => {
      world.trace(
        () =>
          `${inv.id} ${name} ${how} ${op} ${unit} [${[...columnsOf(call).keys()]}]${call.cascade ? ' cascade' : ''}${bad ? ' (bad)' : ''}${sloppy ? ' (sloppily)' : ''}${refused ? ' (refused)' : ''}`,
      );
      if (bad || refused) return;
      if (op === 'register') receipt = held.register(name, call, sloppy);
      else if (!sloppy) held.withdraw(call);
    };
    const lastMs = deadlineMs - inv.offset;
    const stray = (): void => {
      const at =
        clock.now +
        random.next() *
          (random.chance(0.3) ? lastMs - clock.now : lastMs + world.profile.settings.lateBoundMs - clock.now);
      world.late(at, () => apply('late'));
    };
    const doubtful = able && !refused;
    const fault = world.strikes(2)
      ? random.weighted({
          throttled: 2,
          unavailable: 2,
          halfDone: 2,
          lost: 3,
          never: 2,
          late: 4,
          ambiguous: doubtful ? 2 : 0,
          doubt: doubtful ? 1 : 0,
          denied: world.profile.circuit ? 1.5 : 0.3,
        })
      : 'none';
    const quick = random.chance(0.8)
      ? random.between(5, 300)
      : random.between(300, Math.max(301, Math.min(settings.callBudgetMs, lastMs - clock.now) - 1));
    if (fault === 'late' || fault === 'ambiguous' || fault === 'doubt') stray();
    try {
      await inv.enter(fault === 'lost' || fault === 'never' ? Math.max(1, lastMs - clock.now) * random.next() : quick);
      if (
        fault === 'none' ||
        fault === 'lost' ||
        fault === 'ambiguous' ||
        (fault === 'halfDone' && random.chance(0.5))
      ) {
        // A call that nobody hears of any more may also arrive late.
        if (inv.dead && random.chance(0.3)) stray();
        else apply('does');
      }
    } finally {
      world.watch.returned(inv, unit);
    }
    world.trace(() => `${inv.id} ${op} ${unit}: ${fault}`);
    switch (fault) {
      case 'throttled':
        return inv.fail(throttled(name));
      case 'unavailable':
        return inv.fail(new Failure('unavailable', `${name} cannot be reached`));
      case 'halfDone':
        return inv.fail(new Failure('unavailable', `${name} answered 503`, { maybeApplied: true }));
      case 'doubt':
        return inv.fail(new Failure('throttled', `${name} throttled at last`, { maybeApplied: true }));
      case 'denied':
        return inv.fail(new Failure('denied', `${name} denies`));
      case 'lost':
      case 'never':
      case 'late':
        return inv.fail(unknown(name));
      default:
        if (bad) return inv.fail(new Failure('rejected', 'a column that the vendor refuses'));
        if (refused) return inv.fail(new Failure('rejected', 'nothing is taken back today'));
        return inv.leave({ receipt, ambiguous: fault === 'ambiguous' });
    }
  }

  /** A read of the vendor, which may fail, and if `refusable` be refused; `what` sees it as it is when the read takes effect. */
  async function reading<T>(what: () => T, refusable = false): Promise<T> {
    await inv.enter(random.between(5, 300));
    if (world.strikes()) return inv.fail(unreadable(refusable));
    return inv.leave(what());
  }

  function unreadable(refusable: boolean): Failure {
    if (refusable && random.chance(0.2)) return new Failure('rejected', `${name} does not show it`);
    return random.chance(0.5) ? throttled(name) : unknown(name);
  }

  const sightOf = ({ spec, columns }: Call): Sight => {
    const pair = String(spec['pair']);
    const direct = new Map(columns.map((each) => [`${each.from.column}>${each.to.column}`, each.direct]));
    return {
      readable: true,
      edge: held.edges.has(pair),
      // Reads do not return the direct flag.
      columns: held.columnEdges(pair).map((each) => ({
        ...each,
        direct: direct.get(`${each.from.column}>${each.to.column}`) ?? true,
      })),
      others: [],
    };
  };
  const alike = ({ spec }: Call): string[] =>
    held.nodes.filter((node) => node.pair === spec['pair']).map((node) => node.receipt);

  const client: VendorClient = {
    register: (call, options) => send('register', { ...call, cascade: false }, options.deadlineMs),
    ...(able ? { withdraw: (call, options) => send('withdraw', call, options.deadlineMs) } : {}),
    ...(able && look
      ? {
          present: ({ spec }) => {
            const pair = String(spec['pair']);
            const what = () => ({ edge: held.edges.has(pair), columns: held.columnEdges(pair) });
            // What was sent is believed when it is refused to be read back: then nothing could be found wrong here.
            const known = world.ledger.shadow.get(`unit/${unitOf(name, pair)}`)?.body['foreign'] !== undefined;
            return reading(what, !known);
          },
          verify: (calls) => reading(() => calls.map(sightOf)),
        }
      : {}),
    ...(!able && world.profile.bulk
      ? {
          locate: (call) => reading(() => alike(call)),
          verify: (calls) =>
            reading(() => {
              const all = new Set(held.nodes.map((node) => node.receipt));
              return calls.map((call) => {
                const nodes = alike(call);
                return { readable: true, edge: nodes.length > 0, columns: [], nodes, all, others: [] };
              });
            }),
        }
      : {}),
  };
  return { name, vendor, account: name, secret: {}, client: world.mutant?.client?.(client, world) ?? client };
}
