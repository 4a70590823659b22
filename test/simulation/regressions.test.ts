import { describe, expect, it } from 'vitest';
import { erase } from '../../functions/delete/delete.ts';
import { converge } from '../../shared/converge/converge.ts';
import type { ConvergeDeps, Target } from '../../shared/converge/deps.ts';
import { releaseHold } from '../../shared/converge/hold.ts';
import { makePlan } from '../../shared/converge/plan-all.ts';
import { judge } from '../../shared/converge/vanish.ts';
import { Failure } from '../../shared/core/failure.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { silentLog } from '../../shared/log.ts';
import type { Message } from '../../shared/queue/queue.ts';
import type { Call } from '../../shared/vendors/vendor.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Version, version } from './history.ts';
import { simVendor, type VendorName } from './vendors.ts';

const A = 'manifests/a.json';
const B = 'manifests/b.json';

const pairs = (...names: string[]): Version => version(new Map(names.map((name) => [name, { columns: new Map() }])));

const holdOf = (body: Record<string, unknown> | undefined): string | undefined =>
  (body?.['held'] as { id: string } | undefined)?.id;

/** A small world without faults, to replay by hand what a simulation found. */
function world() {
  const memory = memoryLedger();
  const objects = new Map<string, Version>();
  const shown: string[] = [];
  const messages: Message[] = [];
  const state = { now: 1_000_000, targets: ['dataphin', 'dataarts'] as VendorName[], ids: 0 };
  const hooks: {
    register?: (name: string) => Promise<void>;
    read?: (key: string) => void | Promise<void>;
    head?: () => void;
    got?: () => void;
  } = {};

  const head = (key: string) => {
    const found = objects.get(key);
    return found && { key, etag: found.etag, size: found.bytes.length, bytes: found.bytes };
  };
  const target = (name: VendorName): Target => ({
    name,
    vendor: simVendor(name, 100),
    account: name,
    secret: {},
    client: {
      async register(call: Call) {
        await hooks.register?.(name);
        shown.push(`${name} ${String(call.spec['pair'])}`);
        return { receipt: 'r', ambiguous: false };
      },
      async withdraw(call: Call) {
        const at = shown.indexOf(`${name} ${String(call.spec['pair'])}`);
        if (at >= 0) shown.splice(at, 1);
        return { receipt: 'r', ambiguous: false };
      },
    },
  });
  const ledger: Ledger = {
    ...memory,
    async getMany(keys) {
      for (const key of keys) await hooks.read?.(key);
      return memory.getMany(keys);
    },
  };
  const deps: ConvergeDeps = {
    ledger,
    manifests: {
      async head(key) {
        const found = head(key);
        hooks.head?.();
        return found;
      },
      async get(key) {
        const found = head(key);
        hooks.got?.();
        return found;
      },
      put: async (key) => ({ key, etag: 'status', size: 0 }),
      async delete(key) {
        objects.delete(key);
      },
      list: async (prefix) => ({
        items: [...objects.keys()].filter((key) => key.startsWith(prefix)).flatMap((key) => head(key) ?? []),
      }),
    },
    queue: {
      async send(message) {
        messages.push(message as Message);
      },
    },
    log: silentLog,
    settings: {
      deployment: 'test',
      policy: { ratio: 0.3, singleRemoval: 100, smallTarget: 3 },
      graceMs: 1_000,
      lateBoundMs: 1_000,
      clockSkewMs: 0,
      ledgerTimeoutMs: 1_000,
      callBudgetMs: 5_000,
      concurrency: 2,
    },
    targets: async () => ({ list: state.targets.map(target), problems: [] }),
    naming: async () => ({ etag: 'none', naming: NO_NAMING }),
    now: () => state.now,
    id: () => {
      state.ids += 1;
      return `id-${state.ids}`;
    },
    alive: (lease) => lease.until > state.now,
  };
  const run = (owner: string) => converge({ owner, deadlineMs: state.now + 60_000 }, deps);
  const row = async (owner: string) =>
    (await memory.get(`owner/${owner}`))?.body as Record<string, unknown> | undefined;
  /** Owners whose objects are gone, until they are judged and converged. */
  const vanish = async (...owners: string[]) => {
    for (const owner of owners) objects.delete(owner);
    for (const owner of owners) expect(await run(owner)).toEqual({ kind: 'waiting' });
    state.now += 2_000;
    const message = messages.findLast((each) => each.kind === 'judge');
    if (message?.kind === 'judge') await judge(message.target, message.ticket, deps);
    for (const owner of owners) await run(owner);
  };
  const services = { deps, log: silentLog } as Partial<Services> as Services;
  return { deps, memory, objects, shown, messages, state, hooks, run, row, vanish, services };
}

describe('what simulations found', () => {
  it('settles on the content that was applied, not on the one first seen', async () => {
    const { objects, run, hooks, shown } = world();
    objects.set(A, pairs('x-y'));
    await run(A);
    // Between the first look and the read it is another one, and then the old one again.
    const between = pairs('x-z');
    objects.set(A, between);
    let looks = 0;
    hooks.head = () => {
      looks += 1;
      if (looks === 1) objects.set(A, pairs('x-y', 'x-w'));
      if (looks === 2) objects.set(A, between);
    };
    await run(A);
    delete hooks.head;
    await run(A);
    expect(shown.filter((each) => each.startsWith('dataphin'))).toEqual(['dataphin x-z']);
  });

  it('keeps the lease until every target has come to its end, when one of them fails', async () => {
    const { objects, run, hooks, row } = world();
    objects.set(A, pairs('x-y'));
    const leased: boolean[] = [];
    hooks.read = (key) => {
      if (key.startsWith('unit/A')) throw new Failure('throttled', 'the ledger is busy');
    };
    hooks.register = async () => {
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      leased.push((await row(A))?.['lease'] !== undefined);
    };
    await expect(run(A)).rejects.toThrow('busy');
    expect(leased).toEqual([true]);
  });

  it('looks again when another convergence replaces the ids of a large owner while it reads them', async () => {
    const { objects, run, hooks, deps } = world();
    const many = Array.from({ length: 60 }, (_, at) => `x${at}-y${at}`);
    objects.set(A, pairs(...many));
    await run(A);
    const whileReading = async (read: () => Promise<unknown>) => {
      many.push(`x${many.length}-y`);
      objects.set(A, pairs(...many));
      let other: Promise<unknown> | undefined;
      hooks.read = (key) => {
        if (!key.startsWith('ids/') || other) return;
        other = run(A);
        return other.then(() => {});
      };
      const outcome = await read();
      delete hooks.read;
      expect(await other).toMatchObject({ kind: 'done', status: { state: 'converged' } });
      return outcome;
    };
    expect(await whileReading(() => run(A))).toEqual({ kind: 'unchanged' });
    const planned = whileReading(() => makePlan({ deadlineMs: Number.POSITIVE_INFINITY }, deps));
    expect(await planned).toMatchObject({ summary: { create: 0 } });
  });

  it('holds no lease while it waits for a verdict', async () => {
    const { objects, run, row, hooks } = world();
    objects.set(A, pairs('x-y'));
    await run(A);
    objects.set(A, pairs('x-y', 'x-z'));
    // The object goes after it was read, so that the lease is taken in vain.
    hooks.got = () => {
      objects.delete(A);
    };
    expect(await run(A)).toEqual({ kind: 'waiting' });
    expect((await row(A))?.['lease']).toBeUndefined();
  });

  it('waits for no verdict on an object that was back before it said so', async () => {
    const { objects, run, row, hooks } = world();
    objects.set(A, pairs('x-y'));
    await run(A);
    const { hash } = (await row(A)) ?? {};
    objects.delete(A);
    // Whoever is told that it is back finds the row as it was, and has nothing to do.
    hooks.head = () => {
      delete hooks.head;
      objects.set(A, pairs('x-y'));
    };
    expect(await run(A)).toMatchObject({ kind: 'done' });
    expect(await row(A)).toMatchObject({ settled: true, hash });
    expect((await row(A))?.['vanish']).toBeUndefined();
  });

  it('applies what is released at once, without another verdict', async () => {
    const { objects, run, vanish, shown, deps } = world();
    objects.set(A, pairs('x-y', 'x-z'));
    objects.set(B, pairs('y-z', 'y-w'));
    await run(A);
    await run(B);
    await vanish(A, B);
    expect(shown.filter((each) => each.startsWith('dataphin'))).toHaveLength(4);
    const held = (await deps.ledger.find('held')).items;
    expect(held).toHaveLength(2);
    const [key = ''] = held;
    const id = holdOf((await deps.ledger.get(key))?.body) ?? '';
    for (const owner of await releaseHold(id, deps)) expect(await run(owner)).toMatchObject({ kind: 'done' });
    expect(shown.filter((each) => each.startsWith('dataphin'))).toEqual([]);
  });

  it('holds an edit on while its target is away for a time', async () => {
    const { objects, run, state, shown, row } = world();
    objects.set(A, pairs('x-y', 'x-z', 'x-w', 'y-z'));
    await run(A);
    objects.set(A, pairs('x-y', 'x-z'));
    await run(A);
    // Measured against what it has grown to, the same withdrawal would be a small one.
    objects.set(A, pairs('x-y', 'x-z', 'a-b', 'a-c', 'a-d', 'a-e'));
    await run(A);
    const before = holdOf(await row(A));
    expect(before).toBeDefined();
    state.targets = ['dataarts'];
    await run(A);
    state.targets = ['dataphin', 'dataarts'];
    await run(A);
    expect(holdOf(await row(A))).toBe(before);
    expect(shown.filter((each) => each.startsWith('dataphin'))).toHaveLength(8);
  });

  it('judges together what vanished while the target was away', async () => {
    const { objects, run, state, shown, messages } = world();
    objects.set(A, pairs('x-y', 'x-z'));
    objects.set(B, pairs('y-z', 'y-w'));
    await run(A);
    await run(B);
    state.targets = ['dataarts'];
    objects.clear();
    await run(A);
    await run(B);
    state.targets = ['dataphin', 'dataarts'];
    expect([await run(A), await run(B)]).toEqual([{ kind: 'waiting' }, { kind: 'waiting' }]);
    expect(messages.some((each) => each.kind === 'judge')).toBe(true);
    expect(shown.filter((each) => each.startsWith('dataphin'))).toHaveLength(4);
  });

  it('lets what an edit left held go with the manifest itself', async () => {
    const { objects, run, vanish, shown } = world();
    objects.set(A, pairs('x-y', 'x-z', 'x-w', 'y-z'));
    await run(A);
    objects.set(A, pairs('x-y'));
    await run(A);
    await vanish(A);
    expect(shown.filter((each) => each.startsWith('dataphin'))).toEqual([]);
  });

  it("does not forget a person's word when a convergence still saw the object", async () => {
    const { objects, run, deps, services, row } = world();
    objects.set(A, pairs('x-y'));
    await run(A);
    objects.set(A, pairs('x-y', 'x-z'));
    let converging: Promise<unknown> | undefined;
    const remove = deps.manifests.delete;
    Object.assign(deps.manifests, {
      delete: async (key: string) => {
        // It has seen the object, and takes its lease while the object goes.
        converging = run(A);
        for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
        await remove(key);
      },
    });
    await erase(A, services);
    await converging;
    expect(await run(A)).not.toEqual({ kind: 'waiting' });
    expect((await row(A))?.['vanish']).toBeUndefined();
  });

  it('holds with the rest what was registered just before the manifest could not be read any more', async () => {
    const { objects, run, vanish, shown, hooks } = world();
    objects.set(A, pairs('x-y'));
    objects.set(B, pairs('y-z', 'y-w'));
    await run(A);
    await run(B);
    objects.set(A, pairs('x-y', 'x-z', 'x-w'));
    let calls = 0;
    hooks.register = async () => {
      calls += 1;
      if (calls === 4) throw new Failure('throttled', 'later');
    };
    expect(await run(A)).toMatchObject({ kind: 'unfinished' });
    delete hooks.register;
    const before = shown.filter((each) => each.startsWith('dataphin')).length;
    expect(before).toBeGreaterThan(3);
    objects.set(A, { ...pairs(), text: '{', bytes: new TextEncoder().encode('{'), etag: 'broken' });
    expect(await run(A)).toMatchObject({ status: { state: 'invalid' } });
    await vanish(A, B);
    expect(shown.filter((each) => each.startsWith('dataphin'))).toHaveLength(before);
  });

  it('remembers what stays behind while the manifest cannot be read', async () => {
    const { objects, run, row } = world();
    objects.set(A, pairs('x-y', 'x-z'));
    await run(A);
    objects.set(A, pairs('x-y'));
    await run(A);
    const left = (await row(A))?.['left'];
    expect(left).toBeDefined();
    objects.set(A, { ...pairs(), text: '{', bytes: new TextEncoder().encode('{'), etag: 'broken' });
    await run(A);
    expect((await row(A))?.['left']).toEqual(left);
  });

  it('leaves a message for the end of a lease that it finds', async () => {
    const { objects, run, memory, messages, state } = world();
    objects.set(A, pairs('x-y'));
    await run(A);
    const key = `owner/${A}`;
    const found = await memory.get(key);
    if (!found) throw new Error('no row');
    const lease = { token: 'dead', until: state.now + 30_000 };
    await memory.write({ ...found, rev: 'leased', body: { ...found.body, settled: false, lease } }, found.rev);
    expect(await run(A)).toEqual({ kind: 'busy' });
    expect(await run(A)).toEqual({ kind: 'busy' });
    expect(messages.filter((each) => each.kind === 'converge')).toHaveLength(1);
  });
});
