import { createHash } from 'node:crypto';
import type { Services } from '../wiring.ts';

/** Who failed to sign in: from where, and with what. Neither has to be known. */
export interface Attempt {
  /** Address of the client, as the platform gives it. */
  readonly address?: string | undefined;
  /** The key, key id or signature that was tried; only a few bits of its hash are kept. */
  readonly tried?: string | undefined;
}

interface Count {
  failures: number;
  lastAt: number;
}

interface Memory {
  /** By source, the one that failed last at the end. */
  readonly counts: Map<string, Count>;
  total: Count;
  waiting: number;
}

const FORGET_MS = 60_000;
/** Sources that are remembered; whoever comes from ever new ones meets `total`. */
const MOST_SOURCES = 1_000;
const FIRST_PAUSE_MS = 25;
const MAX_PAUSE_MS = 1_000;
/** A function that waits can serve nobody else, so that long pauses would be what an attacker wants. */
const MAX_PAUSE_AWS_MS = 200;
const MAX_WAITING = 50;
/** Failures of all sources together, from where on everybody who fails waits the longest. */
const MANY = 100;

const memories = new WeakMap<Services, Memory>();

/**
 * Counts a failed attempt and waits, longer each time, per address and per what was tried. Only failures are slowed, after they were
 * found to be some: a good key never waits, whatever others do. Memory, pauses and the number of those who wait are bounded.
 */
export async function slowDown(services: Services, attempt: Attempt = {}): Promise<void> {
  const now = services.deps.now();
  const memory = memories.get(services) ?? { counts: new Map(), total: { failures: 0, lastAt: now }, waiting: 0 };
  memories.set(services, memory);
  const total = count(memory.total, now);
  const failures = Math.max(...sourcesOf(attempt).map((source) => note(memory.counts, source, now)));
  services.log.warn('access refused: unknown key', {
    failures,
    all: total,
    ...(attempt.address === undefined ? {} : { address: attempt.address }),
  });
  if (memory.waiting >= MAX_WAITING) return;
  const most = services.settings.aws === undefined ? MAX_PAUSE_MS : MAX_PAUSE_AWS_MS;
  const pauseMs = total > MANY ? most : Math.min(most, FIRST_PAUSE_MS * 2 ** Math.min(10, failures));
  memory.waiting += 1;
  await new Promise((done) => setTimeout(done, pauseMs));
  memory.waiting -= 1;
}

/** How many sources are remembered now. */
export function rememberedSources(services: Services): number {
  return memories.get(services)?.counts.size ?? 0;
}

function sourcesOf({ address, tried }: Attempt): string[] {
  const sources = [
    ...(address === undefined || address === '' ? [] : [`at ${network(address)}`]),
    ...(tried === undefined ? [] : [`with ${createHash('sha256').update(tried).digest('hex').slice(0, 4)}`]),
  ];
  return sources.length === 0 ? ['nobody'] : sources;
}

/** An IPv6 client has a /64 to choose its addresses from. */
function network(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address.slice(0, 64);
  const [head = ''] = address.split('::', 1);
  return head.split(':').slice(0, 4).join(':');
}

function note(counts: Map<string, Count>, source: string, now: number): number {
  const known = counts.get(source) ?? { failures: 0, lastAt: now };
  counts.delete(source);
  counts.set(source, known);
  const [oldest] = counts.keys();
  if (counts.size > MOST_SOURCES && oldest !== undefined) counts.delete(oldest);
  return count(known, now);
}

function count(each: Count, now: number): number {
  each.failures = now - each.lastAt > FORGET_MS ? 1 : each.failures + 1;
  each.lastAt = now;
  return each.failures;
}
