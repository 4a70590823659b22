import type { ConvergeDeps, ConvergeSettings, Target } from '../../shared/converge/deps.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import type { Circuit } from '../../shared/http/circuit.ts';
import { ledgerCircuit } from '../../shared/ledger/circuit.ts';
import type { Log } from '../../shared/log.ts';
import type { Message, Queue } from '../../shared/queue/queue.ts';
import { guarded } from '../../shared/vendors/guarded.ts';
import type { Vendor } from '../../shared/vendors/vendor.ts';
import type { Services } from '../../shared/wiring.ts';
import { Clock } from './clock.ts';
import type { Version } from './history.ts';
import { Invocation, unknown } from './invocation.ts';
import type { Mutant } from './mutants.ts';
import { type NamingVersion, namingOf } from './naming.ts';
import { type Profile, profileOf } from './profile.ts';
import { Random } from './random.ts';
import { manifestsPort, SimLedger } from './stores.ts';
import { connected, SimVendors, simVendor } from './vendors.ts';
import { Watch } from './watch.ts';

/** A message is hidden for as long as its invocation and its leases may live. */
const VISIBILITY_MS = 150_000;
/** Kept back from the platform's timeout, as the entries do. */
const MARGIN_MS = 5_000;
const START = 1_800_000_000_000;

interface Queued {
  readonly message: Message;
  readonly number: number;
  /** Sent by the bucket, not by converge. */
  acknowledged: boolean;
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

/** What a message makes a worker do. */
export type Handler = (message: Message, services: Services, deadlineMs: number) => Promise<unknown>;

/** One schedule's world: time, workers, stores and vendors, all from one seed. */
export class World {
  readonly seed: number;
  readonly random: Random;
  readonly clock = new Clock(START);
  readonly profile: Profile;
  readonly settings: ConvergeSettings;
  readonly ledger: SimLedger;
  readonly vendors = new SimVendors();
  readonly manifests = new Map<string, Version>();
  readonly watch: Watch;
  readonly mutant: Mutant | undefined;
  /** Columns of the edges that others put there before us. */
  readonly foreign = new Map<string, ReadonlySet<string>>();
  readonly configured: Set<string>;
  naming: NamingVersion = 'all';
  readonly violations: string[] = [];
  readonly lines: string[] | undefined;
  faults = true;
  /** The Dataphin-like vendor refuses now to take anything back. */
  refuses = false;
  steps = 0;
  private readonly handler: Handler;
  private readonly kinds: readonly Vendor[];
  private readonly offsets: readonly number[];
  private started = 0;
  private sent = 0;
  private outstanding = 0;
  private running = 0;
  private strays = 0;
  private waiting: (() => void)[] = [];

  constructor(
    seed: number,
    handler: Handler,
    options: { readonly mutant?: Mutant | undefined; readonly trace?: boolean } = {},
  ) {
    this.seed = seed;
    this.handler = handler;
    this.random = new Random(seed);
    this.mutant = options.mutant;
    this.lines = options.trace ? [] : undefined;
    const profile = profileOf(this.random);
    this.profile = this.mutant?.world?.(profile) ?? profile;
    this.configured = new Set(this.profile.targets);
    this.settings = this.mutant?.settings?.(this.profile.settings) ?? this.profile.settings;
    // A mutant may think that clocks agree and calls are never late; they do not and are.
    const { clockSkewMs } = this.profile.settings;
    this.offsets = Array.from({ length: this.profile.workers }, () => this.random.between(-clockSkewMs, clockSkewMs));
    this.kinds = [simVendor('dataphin', this.profile.columnsPerCall), simVendor('dataarts', 10_000)];
    this.watch = new Watch(this);
    this.ledger = new SimLedger(this);
  }

  trace(line: () => string): void {
    this.lines?.push(`${((this.clock.now - START) / 1_000).toFixed(3).padStart(10)} ${line()}`);
  }

  violate(what: string): void {
    this.trace(() => `VIOLATION ${what}`);
    this.violations.push(what);
  }

  /** Whether this operation goes wrong. */
  strikes(factor = 1): boolean {
    return this.faults && this.profile.faultRate > 0 && this.random.chance(this.profile.faultRate * factor);
  }

  detached(promise: Promise<unknown>): void {
    promise.catch(() => {});
  }

  /** Something that takes effect at a later time, whoever lives then. */
  late(at: number, apply: () => void): void {
    this.strays += 1;
    this.clock.at(at, () => {
      this.strays -= 1;
      apply();
      return this.settleIdle();
    });
  }

  /** A message in the queue; delivered at least once, in any order, not before `delayMs`. */
  send(message: Parameters<Queue['send']>[0], delayMs = 0): void {
    this.sent += 1;
    const queued: Queued = { message: message as Message, number: this.sent, acknowledged: false };
    this.outstanding += 1;
    const { random } = this;
    const extra = random.chance(0.1) ? random.between(500, 20_000) : random.between(1, 400);
    this.deliver(queued, delayMs + extra);
    if (this.faults && random.chance(this.profile.duplicates))
      this.deliver(queued, delayMs + random.between(1, 200_000));
  }

  private deliver(queued: Queued, delayMs: number): void {
    const duplicate = this.random.next();
    this.clock.at(this.clock.now + delayMs, () => {
      // A copy may come after the message was acknowledged.
      if (queued.acknowledged && duplicate > 0.3) return false;
      const again = (ms: number): void => {
        if (!queued.acknowledged) this.deliver(queued, ms);
      };
      let ended = false;
      this.clock.at(this.clock.now + VISIBILITY_MS, () => {
        if (!ended) again(0);
        return false;
      });
      this.trace(() => `deliver #${queued.number} ${JSON.stringify(queued.message)}`);
      this.start(
        (services, deadlineMs) => this.handler(queued.message, services, deadlineMs),
        (failed) => {
          ended = true;
          if (failed) return again(this.random.between(500, 10_000));
          // An acknowledgement may get lost.
          if (this.faults && this.random.chance(this.profile.duplicates / 4)) return again(VISIBILITY_MS);
          if (!queued.acknowledged) this.outstanding -= 1;
          queued.acknowledged = true;
        },
      );
      return true;
    });
  }

  /** Runs a function on one of the workers; `done` is called unless it dies before. */
  start(
    body: (services: Services, deadlineMs: number) => Promise<unknown>,
    done: (failed: boolean) => void = () => {},
  ): void {
    const { random, profile } = this;
    this.started += 1;
    const offset = Math.floor(random.pick(this.offsets));
    // A pass that is cut short leaves owners to the next one; at the end it must reach them all.
    const slice = this.faults ? random.pick(profile.slices) : 60_000;
    const killAt = this.faults && random.chance(profile.killRate) ? random.between(1, 40) : Number.POSITIVE_INFINITY;
    const inv = new Invocation(this, `i${this.started}`, {
      offset,
      deadlineMs: Math.floor(this.clock.now + offset) + slice,
      hardStop: this.clock.now + slice + MARGIN_MS,
      killAt,
    });
    this.running += 1;
    this.trace(() => `${inv.id} starts on a clock ${offset >= 0 ? '+' : ''}${offset} ms, ${slice} ms`);
    const end = (failed: unknown): void => {
      if (inv.dead) return;
      inv.ended = true;
      this.running -= 1;
      done(failed !== undefined);
      this.settleIdle();
    };
    body(this.services(inv), inv.deadlineMs).then(
      (outcome) => {
        this.trace(() => `${inv.id} ends ${JSON.stringify((outcome as { kind?: string } | undefined)?.kind ?? '')}`);
        end(undefined);
      },
      (thrown: unknown) => {
        this.trace(() => `${inv.id} throws ${String(thrown)}`);
        if (!(thrown instanceof Error) || thrown.name !== 'Failure')
          this.violate(`an error: ${(thrown as Error).stack}`);
        end(thrown);
      },
    );
  }

  died(_inv: Invocation): void {
    this.running -= 1;
    this.settleIdle();
  }

  /** Resolves when no message is left, nobody works, and nothing is under way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.clock.at(this.clock.now, () => this.settleIdle());
    });
  }

  private settleIdle(): boolean {
    if (this.outstanding > 0 || this.running > 0 || this.strays > 0) return false;
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
    return waiting.length > 0;
  }

  /** How much is still to be done, for messages. */
  backlog(): string {
    return `${this.outstanding} messages, ${this.running} running`;
  }

  private services(inv: Invocation): Services {
    const ledger = this.ledger.port(inv);
    const circuits = new Map<string, Circuit>();
    const circuitOf = (account: string): Circuit => {
      const options = { ledger, account, target: account, secret: '00', now: () => inv.now(), id: () => inv.newId() };
      const circuit = circuits.get(account) ?? ledgerCircuit(options);
      circuits.set(account, circuit);
      return circuit;
    };
    const deps: ConvergeDeps = {
      ledger,
      manifests: manifestsPort(this, inv),
      queue: {
        send: async (message, options) => {
          const fault = this.strikes() ? this.random.pick(['lost', 'never'] as const) : 'none';
          await inv.enter(this.random.between(1, 20));
          const delayMs = options?.delayMs ?? 0;
          if (fault !== 'never' && !this.mutant?.loses?.(message as Message, delayMs)) {
            this.trace(() => `${inv.id} sends ${JSON.stringify(message)} in ${delayMs} ms`);
            this.send(message, delayMs);
          }
          return fault === 'none' ? inv.leave(undefined) : inv.fail(unknown('the queue'));
        },
      },
      log: SILENT,
      settings: this.settings,
      targets: async () => ({ list: this.targets(inv, circuitOf), problems: [] }),
      naming: async () => (this.profile.named ? namingOf(this.naming) : { etag: 'none', naming: NO_NAMING }),
      now: () => inv.now(),
      id: () => inv.newId(),
      alive: (lease) => lease.until > inv.now(),
    };
    return { deps, log: SILENT } as Partial<Services> as Services;
  }

  private targets(inv: Invocation, circuitOf: (account: string) => Circuit): Target[] {
    return this.kinds
      .filter((kind) => this.configured.has(kind.name))
      .map((kind) => {
        const target = connected(this, inv, kind, this.profile.look);
        if (!this.profile.circuit) return target;
        const circuit = circuitOf(target.account);
        return { ...target, client: guarded(target.client, circuit), circuit };
      });
  }
}
