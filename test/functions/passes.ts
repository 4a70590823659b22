import { work } from '../../functions/register/register.ts';
import { pass } from '../../functions/scheduled-reconcile/pass.ts';
import type { PassReport } from '../../functions/scheduled-reconcile/report.ts';
import type { ConvergeDeps, Target } from '../../shared/converge/deps.ts';
import { Failure } from '../../shared/core/failure.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { silentLog } from '../../shared/log.ts';
import type { Manifests } from '../../shared/manifests/manifests.ts';
import type { IntakeMessage, Message, PassMessage, Queue } from '../../shared/queue/queue.ts';
import { readSettings } from '../../shared/settings.ts';
import type { Services } from '../../shared/wiring.ts';
import { bucket } from './bucket.ts';
import { manifest } from './local.ts';
import { SETTINGS, vendorOf } from './steady.ts';

type Any = Message | IntakeMessage | PassMessage;

/** What stands around a pass: stores, a queue, a vendor that does everything at once, and a time that only the test moves on. */
export class Place {
  now = Date.UTC(2026, 10, 21, 12);
  ids = 0;
  readonly queue: { readonly message: Any; readonly at: number }[] = [];
  /** Targets of calls, in order. */
  readonly called: string[] = [];
  readonly shown = new Set<string>();
  /** What the vendor refuses to register. */
  readonly refused = new Set<string>();
  readonly ledger: Ledger;
  readonly manifests: Manifests;
  /** Milliseconds that each ledger call takes. */
  ledgerMs = 0;

  constructor(stores: { readonly ledger?: Ledger; readonly manifests?: Manifests } = {}) {
    this.ledger = stores.ledger ?? memoryLedger();
    this.manifests = stores.manifests ?? bucket();
  }

  /** The services of one invocation. `touch` runs before each call of a store or the queue, and may throw. */
  services(options: { readonly spread?: boolean; readonly touch?: (what: string) => void } = {}): Services {
    const { spread = true, touch = () => {} } = options;
    const around = <T extends object>(name: string, port: T): T =>
      new Proxy(port, {
        get: (target, method) => {
          const value = Reflect.get(target, method) as unknown;
          if (typeof value !== 'function') return value;
          return async (...given: unknown[]) => {
            touch(`${name}.${String(method)}`);
            if (name === 'ledger') this.now += this.ledgerMs;
            const answer: unknown = await value.apply(target, given);
            touch(`${name}.${String(method)} answered`);
            return answer;
          };
        },
      });
    const send = (message: Any, delayMs = 0) => void this.queue.push({ message, at: this.now + delayMs });
    const queue = around<Queue>('queue', {
      send: async (message, { delayMs } = {}) => send(message, delayMs),
      sendMany: async (messages, { delayMs } = {}) => {
        for (const message of messages) send(message, delayMs);
      },
    });
    const deps: ConvergeDeps = {
      ledger: around('ledger', this.ledger),
      manifests: around('manifests', this.manifests),
      queue,
      log: silentLog,
      targets: async () => ({ list: [this.target(touch)], problems: [] }),
      naming: async () => ({ etag: 'none', naming: NO_NAMING }),
      now: () => this.now,
      id: () => `id-${this.ids++}`,
      alive: (lease) => lease.until > this.now,
      settings: { ...SETTINGS, graceMs: 1_000, lateBoundMs: 1_000 },
    };
    const secrets = { get: async () => undefined, list: async () => [] };
    const settings = readSettings({ DRIFT_DETECT: '0', FLINK_SOURCE: 'off' });
    return { deps, log: silentLog, settings, secrets, ...(spread ? { spread: queue } : {}) };
  }

  private target(touch: (what: string) => void): Target {
    const vendor = vendorOf('dataphin');
    const call =
      (apply: (table: string) => void) => async (unit: { readonly to: readonly { readonly name: string }[] }) => {
        touch('vendor');
        const table = unit.to[0]?.name ?? '';
        this.called.push(table);
        if (this.refused.has(table)) throw new Failure('rejected', 'not this one', { status: 400, code: 'No' });
        apply(table);
        touch('vendor answered');
        return { receipt: 'r', ambiguous: false };
      };
    const client = {
      register: call((table) => this.shown.add(table)),
      withdraw: call((table) => this.shown.delete(table)),
    };
    return { name: 'dataphin', vendor, account: 'a', secret: {}, client };
  }

  put(owner: string, edges: readonly (readonly [string, string])[]): Promise<unknown> {
    return this.manifests.put(owner, Buffer.from(manifest(edges)), 'application/json');
  }

  /** One edge each: `manifests/<n>.json` feeds table `t<n>`. */
  async fill(count: number, from = 0): Promise<string[]> {
    const owners = Array.from({ length: count }, (_, at) => `manifests/${String(from + at).padStart(5, '0')}.json`);
    for (const [at, owner] of owners.entries()) await this.put(owner, [[`s${from + at}`, `t${from + at}`]]);
    return owners;
  }

  pass(services = this.services(), timeoutMs = 60_000): Promise<void> {
    return pass(services, this.now + timeoutMs);
  }

  /** What workers would do until the queue is empty; time goes on to the next message. Gives the owners of messages, in order. */
  async drain(services = this.services()): Promise<string[]> {
    const owners: string[] = [];
    for (let turns = 0; this.queue.length > 0; turns += 1) {
      if (turns > 10_000) throw new Error('the queue never gets empty');
      this.queue.sort((a, b) => a.at - b.at);
      const next = this.queue.shift();
      if (!next) break;
      this.now = Math.max(this.now, next.at);
      if (next.message.kind === 'converge') owners.push(next.message.owner);
      await work(next.message, services, this.now + 60_000);
    }
    return owners;
  }

  /** Owners with a message in the queue. */
  waiting(): string[] {
    return this.queue.flatMap(({ message }) => (message.kind === 'converge' ? [message.owner] : [])).sort();
  }

  async report(name = 'latest'): Promise<PassReport> {
    const object = await this.manifests.get(`status/reconcile/${name}.json`);
    return JSON.parse(Buffer.from(object?.bytes ?? []).toString('utf8')) as PassReport;
  }
}
