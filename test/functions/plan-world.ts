import { converge } from '../../shared/converge/converge.ts';
import type { ConvergeDeps, ConvergeSettings, Target, TargetMode } from '../../shared/converge/deps.ts';
import { releaseHold } from '../../shared/converge/hold.ts';
import { makePlan } from '../../shared/converge/plan-all.ts';
import { type Applied, applyPlan } from '../../shared/converge/plan-apply.ts';
import { readPlan, storePlan } from '../../shared/converge/plan-store.ts';
import { judge } from '../../shared/converge/vanish.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import type { PlanDocument } from '../../shared/core/plan-document.ts';
import { DEFAULT_LIMITS } from '../../shared/core/policy.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { silentLog } from '../../shared/log.ts';
import type { Message } from '../../shared/queue/queue.ts';
import { vendors } from '../../shared/vendors/index.ts';
import type { Call } from '../../shared/vendors/vendor.ts';
import { bucket } from './bucket.ts';

export interface WorldOptions {
  readonly modes?: Record<string, TargetMode>;
  /** Targets by name; `dataphin` alone by default. */
  readonly targets?: readonly string[];
  readonly settings?: Partial<ConvergeSettings>;
}

/**
 * Owners, ledger and vendors in memory, with nobody who converges by himself: what is pending stays so until a test says otherwise. The
 * clock moves only when told.
 */
export function planWorld({ modes = {}, targets = ['dataphin'], settings = {} }: WorldOptions = {}) {
  const ledger = memoryLedger();
  const manifests = bucket();
  const messages: Message[] = [];
  /** `target operation from -> to`, one per call. */
  const calls: string[] = [];
  /** What each target shows: `from -> to` to its columns. */
  const shown = new Map<string, Map<string, Set<string>>>();
  let ids = 0;
  let now = 1_000_000;
  const modeOf = { ...modes };
  const names = [...targets];

  function target(name: string): Target {
    const vendor = vendors.find((each) => name.split('/')[0] === each.name);
    if (!vendor) throw new Error(name);
    const holds = shown.get(name) ?? new Map<string, Set<string>>();
    shown.set(name, holds);
    const say = (operation: string, { from, to }: Call) => {
      const pair = `${from.map((each) => each.name).join()} -> ${to.map((each) => each.name).join()}`;
      calls.push(`${name} ${operation} ${pair}`);
      return pair;
    };
    const columnsOf = ({ columns }: Call) => columns.map((each) => `${each.from.column}>${each.to.column}`);
    const receipt = () => ({ receipt: `r${calls.length}`, ambiguous: false });
    return {
      name,
      vendor,
      account: `account of ${name}`,
      secret: {},
      mode: modeOf[name] ?? 'sync',
      budget: { callsPerSecond: 5 },
      client: {
        async register(call) {
          const pair = say('register', call);
          holds.set(pair, new Set([...(holds.get(pair) ?? []), ...columnsOf(call)]));
          return receipt();
        },
        ...(vendor.abilities.withdraw
          ? {
              async withdraw(call) {
                const pair = say('withdraw', call);
                for (const column of columnsOf(call)) holds.get(pair)?.delete(column);
                if (call.cascade && !holds.get(pair)?.size) holds.delete(pair);
                return receipt();
              },
            }
          : {}),
      },
    };
  }

  const deps: ConvergeDeps = {
    ledger,
    manifests,
    log: silentLog,
    queue: {
      send: async (message) => {
        messages.push(message as Message);
      },
    },
    targets: async () => ({ list: names.map(target), problems: [] }),
    naming: async () => ({ etag: 'none', naming: NO_NAMING }),
    now: () => now,
    id: () => `id-${ids++}`,
    alive: () => false,
    settings: {
      deployment: 'test',
      policy: DEFAULT_LIMITS,
      graceMs: 1_000,
      lateBoundMs: 0,
      clockSkewMs: 0,
      ledgerTimeoutMs: 100,
      callBudgetMs: 1_000,
      concurrency: 8,
      ...settings,
    },
  };
  const deadline = () => now + 1_000_000;
  const bytes = (text: string) => new TextEncoder().encode(text);

  return {
    deps,
    ledger,
    manifests,
    calls,
    messages,
    modes: modeOf,
    addTarget: (name: string) => void names.push(name),
    pass: (ms: number) => {
      now += ms;
    },
    put: (key: string, text: string) => manifests.put(key, bytes(text), 'application/json'),
    remove: (key: string) => manifests.delete(key),
    /** `from -> to` at a target, sorted. */
    at: (name = 'dataphin') => [...(shown.get(name)?.keys() ?? [])].sort(),
    columnsAt: (pair: string, name = 'dataphin') => [...(shown.get(name)?.get(pair) ?? [])].sort(),
    converge: (owner: string) => converge({ owner, deadlineMs: deadline() }, deps),
    /** Every owner by itself, then whatever was queued, until nothing is left to do. */
    async settle(owners: readonly string[]) {
      for (const owner of owners) await converge({ owner, deadlineMs: deadline() }, deps);
      for (let turns = 0; messages.length > 0; turns += 1) {
        if (turns > 1_000) throw new Error('it does not come to rest');
        now += 2_000;
        const message = messages.shift() as Message;
        if (message.kind === 'judge') await judge(message.target, message.ticket, deps);
        if (message.kind === 'converge') {
          const ticket = message.ticket === undefined ? {} : { ticket: message.ticket };
          await converge({ owner: message.owner, deadlineMs: deadline(), ...ticket }, deps);
        }
      }
    },
    release: (id: string) => releaseHold(id, deps),
    async plan(owners?: readonly string[]): Promise<PlanDocument> {
      const made = await makePlan({ deadlineMs: deadline(), ...(owners ? { owners } : {}) }, deps);
      await storePlan(made, manifests, 1_000_000);
      return made;
    },
    async apply(checksum: string, deadlineMs = deadline()): Promise<Applied> {
      const stored = await readPlan(checksum, manifests);
      if (!stored) throw new Error(`no plan ${checksum}`);
      return applyPlan(stored, deps, deadlineMs);
    },
  };
}
