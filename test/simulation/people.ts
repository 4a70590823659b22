import { erase } from '../../functions/delete/delete.ts';
import { reconcile } from '../../functions/scheduled-reconcile/reconcile.ts';
import { converge } from '../../shared/converge/converge.ts';
import { releaseHold } from '../../shared/converge/hold.ts';
import { edited, type Pair, randomPair, unparsable, type Version, version } from './history.ts';
import type { World } from './world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `manifests/${name}.json`);

/** What people and the platform do to a world while it runs. */
export class People {
  /** Owners that vanished without a person's word since they were last there, by how. */
  readonly vanished = new Map<string, 'alone' | 'together'>();
  /** Owners whose removal a person asked for and got confirmed. */
  readonly explicit = new Set<string>();
  private readonly world: World;
  private vanishings = 0;
  /** Removals on a person's word that may still be under way. */
  private erasing = 0;

  constructor(world: World) {
    this.world = world;
  }

  async live(): Promise<void> {
    const { world } = this;
    const { random, profile } = world;
    this.seedForeign();
    for (const owner of NAMES.slice(0, profile.owners)) {
      this.put(owner, this.fresh());
      await this.pause();
    }
    for (let event = 0; event < profile.events; event += 1) {
      this.event();
      await this.pause();
    }
    if (random.chance(0.8)) this.repair();
  }

  /** Manifests that cannot be read are mended, so that what is wanted is known again. */
  repair(): void {
    for (const [owner, { pairs }] of this.world.manifests) if (!pairs) this.put(owner, this.fresh());
  }

  private async pause(): Promise<void> {
    const { random, clock } = this.world;
    const kind = random.weighted({ none: 4, short: 3, medium: 3, long: 2 });
    if (kind === 'none') return;
    await clock.sleep({ short: random.between(1, 500), medium: random.between(500, 20_000), long: random.between(20_000, 300_000) }[kind]);
  }

  private event(): void {
    const { world } = this;
    const { random, profile } = world;
    const present = [...world.manifests.keys()].sort();
    const owner = random.pick(NAMES.slice(0, profile.owners));
    const old = world.manifests.get(owner);
    const direct = profile.durable ? 0 : 1;
    const what = random.weighted({
      edit: 14, flap: 2, remove: 4, back: 3, rename: 2, unparsable: 2, group: 2,
      explicit: 2 * direct, release: 3 * direct, pass: 3 * direct, configure: 3 * direct, stale: 2, sweep: 1, request: 2 * direct,
    });
    world.trace(() => `--- ${what} ${owner}`);
    switch (what) {
      case 'edit':
        return this.put(owner, this.next(old));
      case 'flap': {
        // There and back again, faster than anybody looks.
        const between = this.next(old);
        this.put(owner, between);
        return world.late(world.clock.now + random.between(1, 400), () => {
          if (old && world.manifests.get(owner) === between) this.put(owner, old);
        });
      }
      case 'unparsable':
        return old ? this.put(owner, unparsable(random)) : undefined;
      case 'remove':
        return this.vanish([owner], 'alone');
      case 'back':
        return this.put(owner, this.last.get(owner) ?? this.fresh());
      case 'rename': {
        const free = NAMES.filter((name) => !world.manifests.has(name));
        if (!old || free.length === 0) return;
        this.put(random.pick(free), old);
        return this.vanish([owner], 'alone');
      }
      case 'group': {
        const group = random.some(present, random.between(2, present.length));
        if (group.length > 1) this.vanish(group, 'together');
        return;
      }
      case 'explicit':
        return old ? this.remove(owner) : undefined;
      case 'release':
        return this.release();
      case 'pass':
        return world.start((services, deadlineMs) => reconcile(services, deadlineMs, {}));
      case 'configure': {
        const target = random.chance(0.7) ? 'dataphin' : 'dataarts';
        if (!world.configured.delete(target)) world.configured.add(target);
        world.watch.guards = [];
        world.trace(() => `configured: ${[...world.configured]}`);
        return;
      }
      case 'stale':
        return world.send({ kind: 'converge', owner, ...(random.chance(0.5) ? { ticket: 'i1.5' } : {}) }, random.between(0, 100_000));
      case 'sweep':
        return world.detached(world.ledger.sweep((world.clock.now - random.between(0, 10_000)) / 1_000));
      default: {
        // A request that stores and converges at once.
        this.store(owner, this.next(old));
        return world.start((services, deadlineMs) => converge({ owner, deadlineMs }, services.deps));
      }
    }
  }

  private readonly last = new Map<string, Version>();

  private fresh(): Version {
    const { random, profile } = this.world;
    const count = profile.big && random.chance(0.5) ? random.between(40, 70) : random.between(1, 6);
    const pairs = new Map<string, Pair>();
    for (const pair of random.some(profile.pool, count)) pairs.set(pair, randomPair(random, profile.badShare));
    return version(pairs, random.chance(0.06) ? [random.pick(['dataphin', 'dataarts'])] : undefined);
  }

  private next(old: Version | undefined): Version {
    const { random, profile } = this.world;
    if (!old?.pairs || random.chance(0.1)) return this.fresh();
    return version(edited(old.pairs, profile.pool, random, profile.badShare), old.targets);
  }

  private store(owner: string, content: Version): void {
    const { world } = this;
    world.trace(() => `object ${owner} = ${content.text}`);
    world.watch.touched(owner);
    this.vanished.delete(owner);
    this.explicit.delete(owner);
    world.manifests.set(owner, content);
    if (content.pairs) this.last.set(owner, content);
  }

  private put(owner: string, content: Version): void {
    this.store(owner, content);
    this.notify(owner);
  }

  private notify(owner: string): void {
    const { random, profile } = this.world;
    if (random.chance(profile.lostTriggers)) return;
    this.world.send({ kind: 'converge', owner }, random.chance(0.1) ? random.between(1_000, 60_000) : 0);
    if (random.chance(0.2)) this.world.send({ kind: 'converge', owner }, random.between(0, 2_000));
  }

  /** Objects go within a few seconds, as a folder that somebody removes. */
  private vanish(owners: readonly string[], how: 'alone' | 'together'): void {
    const { world } = this;
    const there = owners.filter((owner) => world.manifests.has(owner));
    if (there.length === 0) return;
    this.vanishings += there.length;
    // Whoever vanishes while others are still judged is judged with them.
    const held = how === 'together' || this.vanishings > 1 ? 'together' : 'alone';
    if (how === 'together' && this.mustBeHeld(there)) world.watch.guard(there);
    for (const [at, owner] of there.entries()) {
      const go = (): void => {
        if (!world.manifests.delete(owner)) return;
        world.trace(() => `object ${owner} is gone`);
        this.vanished.set(owner, held);
        if (this.vanishings > 1) for (const each of this.vanished.keys()) this.vanished.set(each, 'together');
        this.notify(owner);
      };
      if (at === 0) go();
      else world.late(world.clock.now + at * world.random.between(1, 3_000), go);
    }
  }

  /** Whether the ledger is calm enough to say that this group is above the threshold, whatever happens meanwhile. */
  private mustBeHeld(owners: readonly string[]): boolean {
    const { world } = this;
    if (!world.configured.has('dataphin') || world.profile.big || this.erasing > 0) return false;
    const pending = world.ledger.shadow.get('vanish/dataphin')?.body as { vanished?: { owners: object } } | undefined;
    if (Object.keys(pending?.vanished?.owners ?? {}).length > 0) return false;
    let edges = 0;
    for (const owner of owners) {
      const row = world.ledger.shadow.get(`owner/${owner}`)?.body as
        | { settled: boolean; claimed?: string; held?: unknown; explicit?: unknown; counts: Record<string, number> }
        | undefined;
      const version = world.manifests.get(owner);
      if (!row?.settled || row.held || !version?.pairs || row.claimed !== version.etag || row.explicit) return false;
      const count = row.counts['dataphin'] ?? 0;
      if (count === 0) return false;
      edges += count;
    }
    let units = 0;
    for (const row of world.ledger.shadow.values()) if (row.index?.includes('account:dataphin')) units += 1;
    return units >= world.settings.policy.smallTarget && edges > 0.6 * units;
  }

  /** DELETE of a manifest, by a function that may die like any other. */
  private remove(owner: string): void {
    const { world } = this;
    world.watch.touched(owner);
    const content = world.manifests.get(owner);
    this.vanishings += 1;
    this.erasing += 1;
    world.start(async (services, deadlineMs) => {
      if ((await erase(owner, services)) && !world.manifests.has(owner)) this.explicit.add(owner);
      return converge({ owner, deadlineMs }, services.deps);
    });
    world.late(world.clock.now + 200_000, () => {
      this.erasing -= 1;
      if (content !== world.manifests.get(owner) && !this.explicit.has(owner)) this.vanished.set(owner, 'together');
    });
  }

  /** Lets go of something that is held, as POST /reconcile does. */
  release(all = false): void {
    const { world } = this;
    const ids = new Set<string>();
    for (const row of world.ledger.shadow.values()) for (const entry of row.index ?? []) if (entry.startsWith('held:')) ids.add(entry.slice(5));
    const chosen = all ? [...ids] : world.random.some([...ids].sort(), 1);
    if (chosen.length > 0) world.watch.guards = [];
    for (const id of chosen) {
      world.trace(() => `release ${id}`);
      world.start(async (services, deadlineMs) => {
        const owners = await releaseHold(id, services.deps);
        for (const owner of owners) await converge({ owner, deadlineMs }, services.deps);
      });
    }
  }

  /** What others put at the vendor before us. */
  private seedForeign(): void {
    const { random, profile, vendors, foreign } = this.world;
    if (!profile.look || random.chance(0.5)) return;
    for (const pair of random.some(profile.pool, random.between(1, 3))) {
      const { columns } = randomPair(random, 0);
      vendors.edges.set(pair, { columns: new Map(columns), tag: undefined });
      foreign.set(pair, new Set(columns.keys()));
    }
  }
}
