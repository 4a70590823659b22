import { reconcile } from '../../functions/scheduled-reconcile/reconcile.ts';
import { converge } from '../../shared/converge/converge.ts';
import { judge } from '../../shared/converge/vanish.ts';
import type { VerifiedPass } from '../../shared/converge/verify-pass.ts';
import { REFUSED_AGAIN_MS } from '../../shared/core/refusal.ts';
import { checkDurable, checkLedger, checkPieces, checkRefused, checkVendors } from './checks.ts';
import { checkTold } from './checks-told.ts';
import type { Mutant } from './mutants.ts';
import { collectPieces, People, verified } from './people.ts';
import { type Handler, World } from './world.ts';

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly steps: number;
  /** With `trace`: what happened, one line each. */
  readonly lines: readonly string[];
}

interface Options {
  readonly mutant?: Mutant | undefined;
  readonly trace?: boolean;
}

const MAX_STEPS = 60_000;
const PASSES_AT_MOST = 15;

const work: Handler = async (message, { deps }, deadlineMs) => {
  if (message.kind === 'judge') return judge(message.target, message.ticket, deps);
  const { owner, ticket, look } = message;
  return converge({ owner, deadlineMs, ...(ticket === undefined ? {} : { ticket }), ...(look ? { look } : {}) }, deps);
};

/** A world's whole life: people and faults, then quiet until nothing moves, then what must be true. */
async function live(world: World): Promise<void> {
  const people = new People(world);
  await people.live();
  world.faults = world.faults && world.random.chance(0.5);
  await world.clock.sleep(world.random.between(0, 400_000));
  world.faults = false;
  world.trace(() => '--- quiet');
  await world.idle();
  if (world.profile.durable && world.manifests.size > 0) checkDurable(world);
  for (const target of world.profile.targets) world.configured.add(target);
  world.naming = 'all';
  await untilQuiet(world);
  await untilLooked(world);
  await untilTakenBack(world, people);
  await untilVerified(world);
  checkLedger(world);
  checkVendors(world, false);
  checkHeld(world, people);

  world.trace(() => '--- release and repair');
  world.watch.guards = [];
  if (people.repair()) await untilQuiet(world);
  for (let round = 0; round < 5 && heldOwners(world).length > 0; round += 1) {
    people.release(true);
    await untilQuiet(world);
  }
  if (heldOwners(world).length > 0) world.violate(`still held after a release: ${heldOwners(world).join()}`);
  checkLedger(world);
  checkVendors(world, true);
  checkTold(world);

  // Tombstones go at last, and nothing wakes.
  await world.clock.sleep(3_600_000);
  await world.ledger.sweep(world.clock.now / 1_000);
  if (world.profile.pieces) {
    world.start(({ deps }) => collectPieces(deps));
    await world.idle();
    checkPieces(world);
  }
  // What is refused to this day is tried once more.
  if (world.profile.badShare > 0) await untilQuiet(world);
  if (!(await quietPass(world))) world.violate('a pass after the sweep found work');
  checkVendors(world, true);
}

function heldOwners(world: World): string[] {
  return [...world.ledger.shadow.values()].filter((row) => row.index?.includes('held')).map((row) => row.key);
}

/** Nobody is held who vanished alone or whose removal a person asked for. */
function checkHeld(world: World, people: People): void {
  for (const [key, row] of world.ledger.shadow) {
    const owner = key.slice('owner/'.length);
    if (!row.index?.includes('held') || world.manifests.has(owner)) continue;
    if (people.explicit.has(owner)) world.violate(`${owner} is held although a person removed it`);
    if (people.vanished.get(owner) === 'alone') world.violate(`${owner} is held although it vanished alone`);
  }
}

/** What could not be looked at, so that nothing of it was sent, is looked at again a day later. */
async function untilLooked(world: World): Promise<void> {
  const refused = [...world.ledger.shadow.values()].some(({ body }) =>
    String((body['refusal'] as { readonly message?: string } | undefined)?.message).startsWith('presence'),
  );
  if (!refused) return;
  await world.clock.sleep(REFUSED_AGAIN_MS + 60_000);
  await untilQuiet(world);
}

/** What is refused is kept, and costs nothing, until somebody asks or a day has gone by; then it goes. */
async function untilTakenBack(world: World, people: People): Promise<void> {
  if (!world.profile.refusing) return;
  checkRefused(world);
  world.refuses = false;
  if (world.random.chance(0.5)) {
    // Not within the skew of two clocks: who asks then may be taken to have asked before.
    await world.clock.sleep(30_000);
    people.ask();
  } else await world.clock.sleep(REFUSED_AGAIN_MS + 60_000);
  await untilQuiet(world);
}

async function untilQuiet(world: World): Promise<void> {
  await world.idle();
  for (let pass = 0; pass < PASSES_AT_MOST; pass += 1) {
    if (await quietPass(world)) return;
    await world.clock.sleep(200_000);
  }
  world.violate('passes never come to rest');
}

/** One reconcile pass; true when it wrote nothing and called nobody. */
async function quietPass(world: World): Promise<boolean> {
  const { ledger, vendors } = world;
  const before = ledger.writes + vendors.calls;
  world.start((services, deadlineMs) => reconcile(services, deadlineMs, {}));
  await world.idle();
  return ledger.writes + vendors.calls === before;
}

/** What others changed is found and mended, until nothing more is found. Where nobody changed anything, nothing is. */
async function untilVerified(world: World): Promise<void> {
  for (let pass = 0; pass < PASSES_AT_MOST; pass += 1) {
    let found: VerifiedPass | undefined;
    // What is outstanding cannot arrive any more; what was given up in vain is tried again a day later.
    await world.clock.sleep(pass === 3 ? REFUSED_AGAIN_MS : 400_000);
    world.start(async ({ deps }, deadlineMs) => {
      found = await verified(world, deps, { deadlineMs, deep: true, heal: world.profile.tampering, prune: true });
    });
    await world.idle();
    await untilQuiet(world);
    if (found && found.drifted.length === 0 && found.next === undefined) return;
    if (!world.profile.tampering) return;
  }
  world.violate('verification never comes to rest');
}

interface Running {
  readonly world: World;
  state: 'running' | 'ended';
}

function begin(seed: number, options: Options): Running {
  const world = new World(seed, work, options);
  const running: Running = { world, state: 'running' };
  live(world).then(
    () => {
      running.state = 'ended';
    },
    (thrown: unknown) => {
      world.violate(`the simulation itself failed: ${(thrown as Error).stack}`);
      running.state = 'ended';
    },
  );
  return running;
}

function step({ world }: Running): boolean {
  world.steps += 1;
  if (world.steps > MAX_STEPS || world.violations.length > 20) {
    if (world.violations.length === 0) world.violate(`it never settles: ${world.backlog()}`);
    return false;
  }
  if (world.clock.step()) return true;
  world.violate(`everybody waits for ever: ${world.backlog()}`);
  return false;
}

const AT_ONCE = 24;

/**
 * Runs schedules, some side by side only so that they share the turns of the event loop; a seed always gives the same schedule.
 * Ends early when `until` says so.
 */
export async function runSchedules(
  seeds: Iterable<number>,
  options: Options,
  each: (outcome: Outcome) => unknown,
): Promise<void> {
  const next = seeds[Symbol.iterator]();
  let running: Running[] = [];
  let open = true;
  for (;;) {
    while (open && running.length < AT_ONCE) {
      const { value, done } = next.next();
      if (done) open = false;
      else running.push(begin(value, options));
    }
    if (running.length === 0) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    const still: Running[] = [];
    for (const run of running) {
      if (run.state === 'running' && step(run)) {
        still.push(run);
        continue;
      }
      const { world } = run;
      const stop = each({
        seed: world.seed,
        violations: world.violations,
        steps: world.steps,
        lines: world.lines ?? [],
      });
      if (stop === true) return;
    }
    running = still;
  }
}
