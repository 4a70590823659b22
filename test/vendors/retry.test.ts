import { describe, expect, it } from 'vitest';
import { Failure, type FailureDetails, type FailureKind } from '../../shared/core/failure.ts';
import { BUDGET_SPENT } from '../../shared/http/budget.ts';
import { attempts, keepingDoubt, retryAfterMs } from '../../shared/http/retry.ts';
import { virtualClock } from './virtual-clock.ts';

const failure = (kind: FailureKind, details: FailureDetails = {}) => new Failure(kind, `${kind} happened.`, details);

async function run(
  outcomes: readonly (Failure | Error | string)[],
  options: { repeatable?: boolean; deadlineMs?: number; takesMs?: number; random?: number; signal?: AbortSignal } = {},
) {
  const clock = virtualClock(0);
  let calls = 0;
  const result = attempts(
    async () => {
      const outcome = outcomes[calls];
      calls += 1;
      clock.advance(options.takesMs ?? 10);
      if (typeof outcome === 'string') return outcome;
      throw outcome;
    },
    {
      max: 3,
      deadlineMs: options.deadlineMs ?? 60_000,
      now: clock.now,
      sleep: clock.sleep,
      random: () => options.random ?? 0.5,
      repeatable: options.repeatable ?? true,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  ).catch((thrown: unknown) => thrown);
  return { result: await result, calls, slept: clock.slept };
}

describe('attempts', () => {
  it('answers at once when the first attempt succeeds', async () => {
    expect(await run(['done'])).toEqual({ result: { value: 'done', ambiguous: false }, calls: 1, slept: [] });
  });

  it.each<[FailureKind, boolean | undefined, boolean, number]>([
    ['throttled', undefined, true, 3],
    ['throttled', undefined, false, 3],
    ['unavailable', false, false, 3],
    ['unavailable', true, true, 3],
    ['unavailable', true, false, 1],
    ['unknown-outcome', undefined, true, 3],
    ['unknown-outcome', undefined, false, 1],
    ['invalid', undefined, true, 1],
    ['denied', undefined, true, 1],
    ['missing', undefined, true, 1],
    ['conflict', undefined, true, 1],
    ['unsupported', undefined, true, 1],
    ['rejected', undefined, true, 1],
  ])('tries %s (maybeApplied %s) with repeatable %s: %i attempts', async (kind, maybeApplied, repeatable, calls) => {
    const same = failure(kind, maybeApplied === undefined ? {} : { maybeApplied });
    const ran = await run([same, same, same, 'too late'], { repeatable });
    expect(ran.calls).toBe(calls);
    expect(ran.result).toBe(same);
  });

  it('says ambiguous when an earlier attempt may have been carried out', async () => {
    expect((await run([failure('unknown-outcome'), 'done'])).result).toEqual({ value: 'done', ambiguous: true });
    expect((await run([failure('throttled'), 'done'])).result).toEqual({ value: 'done', ambiguous: false });
  });

  it('keeps the doubt in the failure it throws', async () => {
    const told = { code: 'c', status: 403, requestId: 'r', words: 'w', retryAfterMs: 5 };
    const ran = await run([failure('unknown-outcome'), failure('denied', told)]);
    expect(ran.calls).toBe(2);
    expect(ran.result).toMatchObject({ kind: 'denied', maybeApplied: true, ...told });
  });

  it('keeps the doubt of an earlier call in what a later one throws, and adds none', async () => {
    const plain = failure('throttled', { code: BUDGET_SPENT, retryAfterMs: 7 });
    const thrown = (ambiguous: boolean, error: unknown) =>
      keepingDoubt(ambiguous, () => Promise.reject(error)).catch((caught: unknown) => caught);
    expect(await thrown(true, plain)).toMatchObject({
      kind: 'throttled',
      code: BUDGET_SPENT,
      retryAfterMs: 7,
      maybeApplied: true,
    });
    expect(await thrown(false, plain)).toBe(plain);
    expect(await thrown(true, new Error('bug'))).toMatchObject({ kind: 'unknown-outcome', maybeApplied: true });
    expect(await keepingDoubt(true, async () => 'done')).toBe('done');
  });

  it('takes what is not a Failure for an unknown outcome', async () => {
    expect((await run([new Error('bug')], { repeatable: false })).result).toMatchObject({ kind: 'unknown-outcome' });
  });

  it('waits with full jitter', async () => {
    const two = [failure('throttled'), failure('throttled'), 'done'];
    expect((await run(two, { random: 0.5 })).slept).toEqual([200, 400]);
    expect((await run(two, { random: 0 })).slept).toEqual([0, 0]);
  });

  it('obeys Retry-After, and does not call again in the same call when it is above 30 s', async () => {
    expect((await run([failure('throttled', { retryAfterMs: 7_000 }), 'done'])).slept).toEqual([7_000]);
    expect((await run([failure('throttled', { retryAfterMs: 30_000 }), 'done'])).slept).toEqual([30_000]);
    const later = failure('throttled', { retryAfterMs: 30_001 });
    expect(await run([later, 'done'])).toEqual({ result: later, calls: 1, slept: [] });
  });

  it('stops when the next attempt cannot finish before the deadline', async () => {
    const slow = [failure('unknown-outcome'), 'done'];
    expect((await run(slow, { takesMs: 4_000, deadlineMs: 8_199 })).calls).toBe(1);
    expect((await run(slow, { takesMs: 4_000, deadlineMs: 8_200 })).calls).toBe(2);
    expect((await run([failure('throttled', { retryAfterMs: 9_000 }), 'done'], { deadlineMs: 5_000 })).slept).toEqual(
      [],
    );
  });

  it('does not wait in vain for our own budget', async () => {
    const spent = failure('throttled', { code: BUDGET_SPENT, retryAfterMs: 1 });
    expect((await run([spent, 'done'])).calls).toBe(1);
  });

  it('stops when cancelled', async () => {
    expect((await run([failure('throttled'), 'done'], { signal: AbortSignal.abort() })).calls).toBe(1);
  });

  it('reads Retry-After', () => {
    expect(retryAfterMs('3', 0)).toBe(3_000);
    expect(retryAfterMs('Thu, 01 Jan 1970 00:00:09 GMT', 4_000)).toBe(5_000);
    expect(retryAfterMs('soon', 0)).toBeUndefined();
    expect(retryAfterMs(undefined, 0)).toBeUndefined();
  });
});
