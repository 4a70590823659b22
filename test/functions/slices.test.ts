import { expect, it } from 'vitest';
import { converge } from '../../shared/converge/converge.ts';
import type { ConvergeDeps, Target } from '../../shared/converge/deps.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { DEFAULT_LIMITS } from '../../shared/core/policy.ts';
import { ledgerBudget } from '../../shared/ledger/budget.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { silentLog } from '../../shared/log.ts';
import type { IntakeMessage, Message } from '../../shared/queue/queue.ts';
import { vendors } from '../../shared/vendors/index.ts';
import { bucket } from './bucket.ts';
import { manifest, pairs } from './local.ts';

const EDGES = 10_000;
const PER_SECOND = 5;
const TIMEOUT_MS = 115_000;
const OWNER = 'manifests/large.json';

/** Time that passes only when everybody sleeps. */
function virtualTime() {
  let now = Date.UTC(2026, 10, 21);
  const sleepers: { at: number; wake: () => void }[] = [];
  return {
    now: () => now,
    sleep: (ms: number) => new Promise<void>((wake) => sleepers.push({ at: now + ms, wake })),
    /** Runs until the work is done, moving time on whenever it waits. */
    async run<T>(work: Promise<T>): Promise<T> {
      let done = false;
      const end = work.finally(() => {
        done = true;
      });
      while (!done) {
        await new Promise((next) => setImmediate(next));
        if (done || sleepers.length === 0) continue;
        sleepers.sort((a, b) => a.at - b.at);
        now = Math.max(now, sleepers[0]?.at ?? now);
        while ((sleepers[0]?.at ?? Number.POSITIVE_INFINITY) <= now) sleepers.shift()?.wake();
      }
      return end;
    },
    skip: (to: number) => {
      now = Math.max(now, to);
    },
  };
}

it('converges an owner of ten thousand edges in slices, at five calls a second', { timeout: 240_000 }, async () => {
  const time = virtualTime();
  const ledger = memoryLedger();
  const manifests = bucket();
  const waiting: { at: number; message: Message | IntakeMessage }[] = [];
  let ids = 0;
  const id = () => `id-${ids++}`;
  const called: number[] = [];
  const shown = new Set<string>();
  const budget = { callsPerSecond: PER_SECOND };
  const { permit } = ledgerBudget({ ledger, account: 'a', budget, now: time.now, sleep: time.sleep, id });
  const vendor = vendors.find((each) => each.name === 'dataphin');
  if (!vendor) throw new Error('no dataphin');
  let latest = 0;
  const target: Target = {
    name: 'dataphin',
    vendor,
    account: 'a',
    secret: {},
    client: {
      async register(call, { deadlineMs }) {
        await permit(deadlineMs);
        called.push(time.now());
        latest = Math.max(latest, time.now() - deadlineMs);
        shown.add(`${call.from[0]?.name}>${call.to[0]?.name}`);
        return { receipt: 'r', ambiguous: false };
      },
      withdraw: () => Promise.reject(new Error('nothing is withdrawn here')),
    },
  };
  const deps: ConvergeDeps = {
    ledger,
    manifests,
    log: silentLog,
    queue: {
      send: async (message, options) => void waiting.push({ at: time.now() + (options?.delayMs ?? 0), message }),
    },
    targets: async () => ({ list: [target], problems: [] }),
    naming: async () => ({ etag: 'none', naming: NO_NAMING }),
    now: time.now,
    id,
    alive: (lease) => lease.until > time.now(),
    settings: {
      deployment: 'test',
      policy: DEFAULT_LIMITS,
      graceMs: 60_000,
      lateBoundMs: 120_000,
      clockSkewMs: 5_000,
      ledgerTimeoutMs: 5_000,
      callBudgetMs: 30_000,
      concurrency: 8,
    },
  };
  await manifests.put(OWNER, Buffer.from(manifest(pairs('t', EDGES), { columns: [] })), 'application/json');

  const started = time.now();
  waiting.push({ at: started, message: { kind: 'converge', owner: OWNER } });
  let slices = 0;
  let status: StatusDocument | undefined;
  while (waiting.length > 0 && slices < 60) {
    waiting.sort((a, b) => a.at - b.at);
    const { at, message } = waiting.shift() as (typeof waiting)[number];
    time.skip(at);
    if (message.kind !== 'converge') continue;
    const began = time.now();
    const outcome = await time.run(converge({ ...message, deadlineMs: began + TIMEOUT_MS }, deps));
    expect(time.now() - began).toBeLessThanOrEqual(TIMEOUT_MS);
    if ('status' in outcome) status = outcome.status;
    slices += 1;
  }

  expect(status?.state).toBe('converged');
  expect(status?.counts).toEqual({ registered: EDGES });
  expect(shown.size).toBe(EDGES);
  // Each once: nothing that one slice did is done again by the next.
  expect(called).toHaveLength(EDGES);
  expect(latest).toBeLessThanOrEqual(0);
  for (let index = PER_SECOND + 1; index < called.length; index += 1) {
    expect((called[index] ?? 0) - (called[index - PER_SECOND - 1] ?? 0)).toBeGreaterThanOrEqual(1_000);
  }
  const minutes = (time.now() - started) / 60_000;
  expect(minutes).toBeGreaterThan(33);
  expect(minutes).toBeLessThan(40);
  expect(slices).toBeGreaterThan(15);
});
