import { Failure } from '../../shared/core/failure.ts';
import type { World } from './world.ts';

const NEVER = new Promise<never>(() => {});

export interface Life {
  /** By how much its clock is ahead of true time (ms). */
  readonly offset: number;
  /** Its deadline on its own clock. */
  readonly deadlineMs: number;
  /** True time at which the platform ends it, whatever it does. */
  readonly hardStop: number;
  /** It is killed at its nth wait; Infinity: never. */
  readonly killAt: number;
}

/** One run of a function on one worker. Once dead, nothing of it ever runs again; what it had sent may still take effect. */
export class Invocation {
  readonly id: string;
  readonly deadlineMs: number;
  dead = false;
  /** It came to its end alive. */
  ended = false;
  private readonly world: World;
  private readonly life: Life;
  private waits = 0;
  private ids = 0;

  constructor(world: World, id: string, life: Life) {
    this.world = world;
    this.id = id;
    this.life = life;
    this.deadlineMs = life.deadlineMs;
  }

  get offset(): number {
    return this.life.offset;
  }

  /** Its own clock. */
  now(): number {
    return Math.floor(this.world.clock.now + this.life.offset);
  }

  /** Unique in its world; tells who made it. */
  newId(): string {
    this.ids += 1;
    return `${this.id}.${this.ids}`;
  }

  /** Waits; resolves when the effect shall happen, even for a dead invocation now and then. */
  enter(ms: number): Promise<void> {
    const { clock, random } = this.world;
    this.waits += 1;
    if (this.waits >= this.life.killAt) this.die('killed');
    return new Promise((resolve) => {
      clock.at(clock.now + ms, () => {
        if (clock.now > this.life.hardStop) this.die('timed out');
        if (this.dead && random.chance(0.5)) return false;
        resolve();
        return true;
      });
    });
  }

  /** Gives the answer to the living only. */
  leave<T>(answer: T): Promise<T> | T {
    return this.dead ? NEVER : answer;
  }

  fail(failure: Failure): Promise<never> {
    return this.dead ? NEVER : Promise.reject(failure);
  }

  private die(how: string): void {
    if (this.dead || this.ended) return;
    this.dead = true;
    this.world.trace(() => `${this.id} ${how}`);
    this.world.died(this);
  }
}

export function throttled(what: string): Failure {
  return new Failure('throttled', `${what} throttled`);
}

export function unknown(what: string): Failure {
  return new Failure('unknown-outcome', `${what} gave no answer`);
}
