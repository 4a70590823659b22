import { erase } from '../../functions/delete/delete.ts';
import { reconcile } from '../../functions/scheduled-reconcile/reconcile.ts';
import { converge } from '../../shared/converge/converge.ts';
import type { ConvergeDeps } from '../../shared/converge/deps.ts';
import { releaseHold } from '../../shared/converge/hold.ts';
import { resolveUnknown } from '../../shared/converge/resolve.ts';
import { type VerifiedPass, type VerifyPassOptions, verifyPass } from '../../shared/converge/verify-pass.ts';
import { columnsOf } from '../../shared/core/claims.ts';
import { decodeUnit } from '../../shared/core/unit-state.ts';
import { edited, type Pair, randomPair, unparsable, type Version, version } from './history.ts';
import { NAMING_VERSIONS } from './naming.ts';
import { mustBeHeld } from './threshold.ts';
import type { World } from './world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `manifests/${name}.json`);

/** How often people and the platform do what. */
export const COMMON = { edit: 14, flap: 2, remove: 4, back: 3, rename: 2, unparsable: 2, group: 2, stale: 2, sweep: 1 };
/** Where no message brings the work about, or what changes sends none. */
const NOT_DURABLE = {
  explicit: 2,
  release: 3,
  pass: 3,
  configure: 3,
  request: 2,
  verify: 3,
  resolve: 2,
  naming: 3,
  ask: 1,
};
const NOT_DURABLE_NONE = {
  explicit: 0,
  release: 0,
  pass: 0,
  configure: 0,
  request: 0,
  verify: 0,
  resolve: 0,
  naming: 0,
  ask: 0,
};
const TAMPERING = { tamper: 5 };
const NO_TAMPERING = { tamper: 0 };
const REFUSING = { refuse: 4 };
const NOT_REFUSING = { refuse: 0 };
type Act = keyof typeof COMMON | keyof typeof NOT_DURABLE | keyof typeof TAMPERING | keyof typeof REFUSING;

/** A verification pass; where others change nothing, it must find nothing. */
export async function verified(world: World, deps: ConvergeDeps, options: VerifyPassOptions): Promise<VerifiedPass> {
  const found = await verifyPass(deps, options);
  const [first] = found.drifted;
  if (first && !world.profile.tampering) world.violate(`drift that nobody made: ${first.id} ${first.reason}`);
  return found;
}

/** Longer than any invocation may be at work, by any clock. */
const AT_WORK_MS = 120_000;

/** All that unfinished writes of large rows have left, as far as nobody can be at it any more. */
export async function collectPieces({ ledger, now }: ConvergeDeps): Promise<void> {
  let after: string | undefined;
  do {
    const done = await ledger.collect?.({ before: now() - AT_WORK_MS, ...(after === undefined ? {} : { after }) });
    after = done?.next;
  } while (after !== undefined);
}

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
  repair(): boolean {
    const broken = [...this.world.manifests].filter(([, { pairs }]) => !pairs).map(([owner]) => owner);
    for (const owner of broken) this.put(owner, this.fresh());
    return broken.length > 0;
  }

  private async pause(): Promise<void> {
    const { random, clock } = this.world;
    const kind = random.weighted({ none: 4, short: 3, medium: 3, long: 2 });
    if (kind === 'none') return;
    await clock.sleep(
      { short: random.between(1, 500), medium: random.between(500, 20_000), long: random.between(20_000, 300_000) }[
        kind
      ],
    );
  }

  private event(): void {
    const { world } = this;
    const { random, profile } = world;
    const owner = random.pick(NAMES.slice(0, profile.owners));
    const act = random.weighted({
      ...COMMON,
      ...(profile.durable ? NOT_DURABLE_NONE : NOT_DURABLE),
      ...(profile.tampering ? TAMPERING : NO_TAMPERING),
      ...(profile.refusing ? REFUSING : NOT_REFUSING),
      ...profile.often,
    });
    world.trace(() => `--- ${act} ${owner}`);
    this.acts[act](owner, world.manifests.get(owner));
  }

  private readonly acts: Readonly<Record<Act, (owner: string, old: Version | undefined) => void>> = {
    edit: (owner, old) => this.put(owner, this.next(old)),
    flap: (owner, old) => {
      // There and back again, faster than anybody looks.
      const between = this.next(old);
      this.put(owner, between);
      this.world.late(this.world.clock.now + this.world.random.between(1, 400), () => {
        if (old && this.world.manifests.get(owner) === between) this.put(owner, old);
      });
    },
    unparsable: (owner, old) => {
      if (old) this.put(owner, unparsable(this.world.random));
    },
    remove: (owner) => this.vanish([owner], 'alone'),
    back: (owner) => this.put(owner, this.last.get(owner) ?? this.fresh()),
    rename: (owner, old) => {
      const free = NAMES.filter((name) => !this.world.manifests.has(name));
      if (!old || free.length === 0) return;
      this.put(this.world.random.pick(free), old);
      this.vanish([owner], 'alone');
    },
    group: () => {
      const present = [...this.world.manifests.keys()].sort();
      const group = this.world.random.some(present, this.world.random.between(2, 4));
      if (group.length > 1) this.vanish(group, 'together');
    },
    stale: (owner) => {
      const ticket = this.world.random.chance(0.5) ? { ticket: 'i1.5' } : {};
      this.world.send({ kind: 'converge', owner, ...ticket }, this.world.random.between(0, 100_000));
    },
    sweep: () => {
      const { world } = this;
      world.detached(world.ledger.sweep((world.clock.now - world.random.between(0, 10_000)) / 1_000));
      if (world.profile.pieces) world.start(({ deps }) => collectPieces(deps));
    },
    explicit: (owner, old) => {
      if (old) this.remove(owner);
    },
    release: () => this.release(),
    pass: () => this.world.start((services, deadlineMs) => reconcile(services, deadlineMs, {})),
    verify: () => {
      const { random } = this.world;
      const options = { deep: random.chance(0.7), share: 50, heal: random.chance(0.9), prune: random.chance(0.5) };
      this.world.start((services, deadlineMs) => verified(this.world, services.deps, { ...options, deadlineMs }));
    },
    tamper: () => this.tamper(),
    refuse: () => {
      const { world } = this;
      world.refuses = !world.refuses;
      world.trace(() => (world.refuses ? 'nothing is taken back from now on' : 'it is taken back again'));
    },
    ask: () => this.ask(),
    naming: () => {
      const { world } = this;
      const { random, profile, watch } = world;
      if (!profile.named) return;
      watch.guards = [];
      world.naming = random.pick(NAMING_VERSIONS);
      world.trace(() => `naming.yaml: ${world.naming}`);
      if (random.chance(0.7)) world.start((services, deadlineMs) => reconcile(services, deadlineMs, {}));
    },
    resolve: () => this.resolve(),
    configure: () => {
      const { configured, random, watch, profile } = this.world;
      const target = random.pick(profile.targets);
      if (!configured.delete(target)) configured.add(target);
      watch.guards = [];
      this.world.trace(() => `configured: ${[...configured]}`);
    },
    request: (owner, old) => {
      // Stores and converges at once.
      this.store(owner, this.next(old));
      this.world.start((services, deadlineMs) => converge({ owner, deadlineMs }, services.deps));
    },
  };

  private readonly last = new Map<string, Version>();

  private fresh(): Version {
    const { random, profile } = this.world;
    const count = profile.big && random.chance(0.5) ? random.between(40, 70) : random.between(1, 4);
    const pairs = new Map<string, Pair>();
    for (const pair of random.some(profile.pool, count)) pairs.set(pair, randomPair(random, profile.badShare));
    const targets = random.chance(0.06) ? [random.pick(['dataphin', 'dataarts'])] : undefined;
    return version(pairs, targets, { named: profile.named });
  }

  private next(old: Version | undefined): Version {
    const { random, profile } = this.world;
    if (!old?.pairs || random.chance(0.1)) return this.fresh();
    return version(edited(old.pairs, profile.pool, random, profile.badShare), old.targets, { named: profile.named });
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
    if (how === 'together' && this.erasing === 0 && mustBeHeld(world, there)) world.watch.guard(there);
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
      if (content === world.manifests.get(owner) || this.explicit.has(owner)) return;
      // It died before the word was kept: for whoever looks, the object vanished, and others that are not judged yet with it.
      this.vanished.set(owner, 'together');
      for (const each of this.vanished.keys()) this.vanished.set(each, 'together');
    });
  }

  /** Lets go of something that is held, as POST /reconcile does. */
  release(all = false): void {
    const { world } = this;
    const ids = new Set<string>();
    for (const row of world.ledger.shadow.values())
      for (const entry of row.index ?? []) if (entry.startsWith('held:')) ids.add(entry.slice(5));
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

  /** Has everything that is refused tried again, as POST /reconcile with its owners does. */
  ask(): void {
    const { world } = this;
    const rows = [...world.ledger.shadow].filter(([key, { body }]) => key.startsWith('owner/') && 'again' in body);
    const owners = rows.map(([key]) => key.slice('owner/'.length));
    world.start(({ deps, ...services }, deadlineMs) =>
      reconcile({ deps, ...services }, deadlineMs, { owners, askedAt: deps.now() }),
    );
  }

  /** Looks at the vendor for a create in doubt, once it cannot be carried out any more, and says what is there. */
  private resolve(): void {
    const { ledger, clock, random, vendors, profile, settings } = this.world;
    const doubtful = [...ledger.shadow.values()].flatMap((row) => {
      if (!row.key.startsWith('unit/')) return [];
      const state = decodeUnit(row.body);
      const [doubt, ...more] = state.uncertain;
      const over = doubt !== undefined && clock.now > doubt.until + settings.clockSkewMs;
      return doubt && over && more.length === 0 ? [{ state, doubt }] : [];
    });
    if (doubtful.length === 0 || profile.bulk) return;
    const { state, doubt } = random.pick(doubtful);
    const columns = columnsOf(state, doubt.mask).map((each) => `${each.from.column}>${each.to.column}`);
    const known = new Set(state.nodes.map((node) => node.receipt));
    const found = vendors.nodes.find(
      (node) =>
        node.pair === state.spec['pair'] &&
        !known.has(node.receipt) &&
        node.columns.size === columns.length &&
        columns.every((each) => node.columns.has(each)),
    );
    const word = found ? ({ as: 'registered', receipt: found.receipt } as const) : ({ as: 'absent' } as const);
    this.world.trace(() => `resolve ${state.id} ${word.as}`);
    this.world.start(async (services, deadlineMs) => {
      const owners = await resolveUnknown(state.id, word, services.deps);
      for (const owner of owners) await converge({ owner, deadlineMs }, services.deps);
    });
  }

  /** Others take away what we put there, at the vendor itself. What they put there before us stays theirs, and stays. */
  private tamper(): void {
    const { random, vendors, foreign, profile } = this.world;
    const pairs = [...vendors.edges.keys()].filter((pair) => !foreign.has(pair)).sort();
    if (profile.look && pairs.length > 0 && random.chance(0.7)) {
      const pair = random.pick(pairs);
      const columns = vendors.edges.get(pair)?.columns;
      const gone = random.some([...(columns?.keys() ?? [])], random.between(1, 2));
      const whole = gone.length === 0 || random.chance(0.4);
      this.world.trace(() => `others remove ${pair} ${whole ? '' : gone.join()}`);
      if (whole) vendors.edges.delete(pair);
      else for (const column of gone) columns?.delete(column);
    } else if (profile.bulk && vendors.nodes.length > 0) {
      const node = random.pick(vendors.nodes);
      this.world.trace(() => `others remove node ${node.receipt} of ${node.pair}`);
      vendors.nodes = vendors.nodes.filter((each) => each !== node);
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
