import { Failure } from '../../shared/core/failure.ts';
import type { Json } from '../../shared/core/json.ts';
import type { Ledger, Row } from '../../shared/ledger/ledger.ts';
import { type MemoryLedger, memoryLedger } from '../../shared/ledger/memory.ts';
import { spilling } from '../../shared/ledger/spill.ts';
import { pieceKey, type SpilledFields } from '../../shared/ledger/spill-pieces.ts';
import type { Manifests } from '../../shared/manifests/manifests.ts';
import { type Invocation, throttled, unknown } from './invocation.ts';
import type { World } from './world.ts';

/** The ledger of a world, seen through invocations whose calls take time, fail, or lose their answers. */
export class SimLedger {
  readonly memory: MemoryLedger;
  /** Every row as stored now: what monitors look at without waiting. */
  readonly shadow = new Map<string, Row>();
  writes = 0;
  private readonly world: World;
  private gate: Promise<void> = Promise.resolve();

  constructor(world: World) {
    this.world = world;
    this.memory = memoryLedger({ pause: () => this.gate });
  }

  private async through<T>(gate: Promise<void>, call: () => Promise<T>): Promise<T> {
    this.gate = gate;
    const answer = call();
    this.gate = Promise.resolve();
    return answer;
  }

  async sweep(nowSeconds: number): Promise<void> {
    const swept = await this.through(Promise.resolve(), () => this.memory.sweep(nowSeconds));
    if (swept === 0) return;
    const left = new Set(this.memory.rows().map((row) => row.key));
    for (const key of this.shadow.keys()) if (!left.has(key)) this.shadow.delete(key);
  }

  async put(row: Row, expected: string | null, gate: Promise<void>): Promise<boolean> {
    const { mutant } = this.world;
    const changed = mutant?.store?.(row, expected, this.world) ?? { row, expected };
    if (changed === 'pretend') return gate.then(() => true);
    let stored = await this.through(gate, () => this.memory.write(changed.row, changed.expected));
    if (!stored && changed.force) {
      const current = this.shadow.get(row.key)?.rev ?? null;
      stored = await this.through(Promise.resolve(), () => this.memory.write(changed.row, current));
    }
    if (!stored) return false;
    if (changed.forget) {
      await this.through(Promise.resolve(), () => this.memory.remove(row.key, row.rev));
      this.shadow.delete(row.key);
      return true;
    }
    const whole = this.whole(changed.row);
    this.world.watch.stored(this.shadow.get(row.key), whole);
    this.shadow.set(row.key, whole);
    return true;
  }

  /** A row with the pieces it refers to, all of which are there before it. */
  private whole(row: Row): Row {
    const { spilled, ...rest } = row.body;
    if (spilled === undefined) return row;
    const body: Record<string, Json> = { ...rest };
    for (const [name, { id, pieces }] of Object.entries(spilled as unknown as SpilledFields)) {
      const texts = Array.from({ length: pieces }, (_, piece) => this.shadow.get(pieceKey(id, piece))?.body['text']);
      if (texts.includes(undefined)) this.world.violate(`${row.key} refers to a piece of ${name} that is not there`);
      else body[name] = JSON.parse(texts.join('')) as Json;
    }
    return { ...row, body };
  }

  port(inv: Invocation): Ledger {
    const raw = this.raw(inv);
    return this.world.profile.pieces ? spilling(raw, { row: 300, field: 60, piece: 100 }, () => inv.now()) : raw;
  }

  private raw(inv: Invocation): Ledger {
    const { world } = this;
    const { random } = world;
    const latency = (): number => (random.chance(0.05) ? random.between(50, 900) : random.between(1, 25));
    const seen = (row: Row): Row => world.mutant?.read?.(row, inv, world) ?? row;
    const reading = async <T>(call: () => Promise<T>): Promise<T> => {
      if (world.strikes()) {
        await inv.enter(latency());
        return inv.fail(throttled('ledger read'));
      }
      const answer = await this.through(inv.enter(latency()), call);
      return inv.leave(answer);
    };
    const writing = async (act: (gate: Promise<void>) => Promise<boolean>, what: () => string): Promise<boolean> => {
      this.writes += 1;
      const fault = world.strikes()
        ? random.pick(['throttled', 'lost', 'never', world.profile.durable ? 'lost' : 'late', 'twice'] as const)
        : 'none';
      if (fault === 'throttled' || fault === 'never') {
        await inv.enter(latency());
        world.trace(() => `${inv.id} ${what()} ${fault}`);
        return inv.fail(fault === 'never' ? unknown('ledger write') : throttled('ledger write'));
      }
      if (fault === 'late') {
        const late = inv.enter(random.between(100, world.settings.ledgerTimeoutMs));
        const applied = act(late);
        world.detached(applied.then((stored) => world.trace(() => `${inv.id} ${what()} late ${stored}`)));
        await inv.enter(latency());
        return inv.fail(unknown('ledger write'));
      }
      const stored = await act(inv.enter(latency()));
      world.trace(() => `${inv.id} ${what()} ${stored ? 'stored' : 'REFUSED'}${fault === 'none' ? '' : ` (${fault})`}`);
      if (fault === 'lost') return inv.fail(unknown('ledger write'));
      return inv.leave(fault === 'twice' ? false : stored);
    };
    return {
      get: (key) =>
        reading(async () => {
          const row = await this.memory.get(key);
          return row && seen(row);
        }),
      getMany: (keys) =>
        reading(async () => {
          const rows = await this.memory.getMany(keys);
          for (const [key, row] of rows) rows.set(key, seen(row));
          return rows;
        }),
      find: (index, options) => reading(() => this.memory.find(index, options)),
      write: (row, expected) =>
        writing(
          (gate) => this.put(row, expected, gate),
          () => `write ${describe(row)}`,
        ),
      remove: (key, expected) =>
        writing(
          async (gate) => {
            const removed = await this.through(gate, () => this.memory.remove(key, expected));
            if (removed) this.shadow.delete(key);
            return removed;
          },
          () => `remove ${key}`,
        ),
    };
  }
}

const DULL = new Set([
  'kind',
  'version',
  'id',
  'owner',
  'vendor',
  'target',
  'account',
  'from',
  'to',
  'spec',
  'quiet',
  'parts',
  'receipt',
  'registeredAt',
  'changedAt',
  'goal',
  'hash',
]);

/** A row in a line: what is empty, and what never matters, left out. */
function describe(row: Row): string {
  const { parts } = row.body as { parts?: [number, string, number, string, number][] };
  const columns = parts?.map(([, a, , b, direct]) => `${a}>${b}${direct ? '' : '~'}`).join();
  const body = Object.entries(row.body).flatMap(([key, value]) => {
    const text = JSON.stringify(value).replaceAll('"', '').replaceAll('----', '').replaceAll('manifests/', '');
    return DULL.has(key) || ['0', '[]', '{}', ''].includes(text) ? [] : `${key}=${text}`;
  });
  return `${row.key}${columns === undefined ? '' : ` [${columns}]`}${row.expiresAt ? ' TOMB' : ''} ${body.join(' ')}`;
}

/** The bucket of a world. Status documents take time and are forgotten. */
export function manifestsPort(world: World, inv: Invocation): Manifests {
  const { random } = world;
  const turn = async (): Promise<void> => {
    await inv.enter(random.chance(0.05) ? random.between(50, 2_000) : random.between(1, 30));
    if (world.strikes()) return inv.fail(new Failure('unavailable', 'the bucket does not answer'));
  };
  return {
    async head(key) {
      await turn();
      const found = world.manifests.get(key);
      return inv.leave(found && { key, etag: found.etag, size: found.bytes.length });
    },
    async get(key) {
      await turn();
      const found = world.manifests.get(key);
      return inv.leave(found && { key, etag: found.etag, size: found.bytes.length, bytes: found.bytes });
    },
    async put(key, bytes) {
      await turn();
      return inv.leave({ key, etag: 'status', size: bytes.length });
    },
    async delete(key) {
      await turn();
      world.trace(() => `${inv.id} removes the object ${key}`);
      world.manifests.delete(key);
      return inv.leave(undefined);
    },
    async list(prefix) {
      if (prefix !== 'manifests/') return inv.leave({ items: [] });
      await turn();
      const items = [...world.manifests.keys()].sort().map((key) => {
        const { etag, bytes } = world.manifests.get(key) as { etag: string; bytes: Uint8Array };
        return { key, etag, size: bytes.length };
      });
      return inv.leave({ items });
    },
  };
}
