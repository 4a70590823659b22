import pMap from 'p-map';
import type { ConvergeDeps } from '../../shared/converge/deps.ts';
import { markQueued, unsent } from '../../shared/converge/due.ts';
import type { Queue } from '../../shared/queue/queue.ts';
import { type Finding, findings } from './findings.ts';
import { SHORTEST_SLICE_MS } from './here.ts';
import { type HeldPass, newPass, replacePass, savePass, takePass, type Wanted } from './pass-row.ts';
import { countRow } from './tally.ts';

const MARKS_AT_ONCE = 16;
/** A place is written down after so many owners, or so much time: what an interrupted pass looks at twice. */
const SAVE_EVERY_OWNERS = 4_000;
const SAVE_EVERY_MS = 5_000;
const CONTINUE_AFTER_MS = 1_000;

export interface Spread {
  readonly pass: HeldPass;
  /** Owners that went to the queue now. */
  readonly queued: number;
  /** False: the pass is in other hands by now. */
  readonly mine: boolean;
}

/**
 * Finds the owners that need work and sends them to the queue, where workers take them side by side. Mark first, then the message, then the
 * place: whoever goes on behind the place sends again what was only marked. Out of time, a message goes on with it; a pass that
 * is left in the middle is taken up by the next one. `prepare` runs at the beginning of a new pass, and what it gives is kept with it.
 */
export async function spreadPass(
  wanted: Wanted,
  deps: ConvergeDeps,
  queue: Queue,
  prepare: () => Promise<HeldPass['state']['flink']>,
): Promise<Spread | undefined> {
  const taken = await takePass(wanted, deps);
  if (taken === undefined) return undefined;
  let pass: HeldPass = taken;
  let queued = 0;
  if (pass.state.after === '' && pass.state.flink === undefined) {
    const flink = await prepare();
    if (flink !== undefined) {
      const saved = await savePass(pass, { flink }, deps);
      if (saved === undefined) return { pass, queued, mine: false };
      pass = saved;
    }
  }
  const { tally } = pass.state;
  let after = pass.state.after;
  let unsaved = 0;
  let savedAt = deps.now();
  try {
    for await (const page of findings(deps, after, pass.state.askedAt)) {
      queued += await send(page, pass, deps, queue);
      after = page.at(-1)?.found.owner ?? after;
      unsaved += page.length;
      if (deps.now() + SHORTEST_SLICE_MS > wanted.deadlineMs) {
        // First the message, then the place that makes it count: a lost one is made up for by the next pass.
        await queue.sendMany([{ kind: 'pass', id: pass.state.id }], { delayMs: CONTINUE_AFTER_MS });
        return await leave({ after, tally });
      }
      if (unsaved < SAVE_EVERY_OWNERS && deps.now() - savedAt <= SAVE_EVERY_MS) continue;
      const saved = await savePass(pass, { after, tally }, deps);
      if (saved === undefined) return { pass, queued, mine: false };
      pass = saved;
      unsaved = 0;
      savedAt = deps.now();
    }
  } catch (thrown) {
    // Whoever comes next need not wait for the end of the lease; if this fails, too, it does.
    await leave({ after, tally }).catch(() => {});
    throw thrown;
  }
  const left = await leave({ after, tally, finished: true });
  if (left.mine && left.pass.state.again === true) await beginAgain(left.pass, deps, queue);
  return left;

  /** Writes how far it came and gives it out of our hands. */
  async function leave(change: Partial<HeldPass['state']>): Promise<Spread> {
    const { lease } = pass.state;
    const over = lease === undefined ? {} : { lease: { ...lease, until: 0 } };
    const left = await savePass(pass, { ...change, ...over }, deps);
    return { pass: left ?? pass, queued, mine: left !== undefined };
  }
}

/** Somebody asked for a look at everything while it was going on: another pass goes on from the queue. */
async function beginAgain(left: HeldPass, deps: ConvergeDeps, queue: Queue): Promise<void> {
  const next = newPass(deps, left.state.againAskedAt);
  await queue.sendMany([{ kind: 'pass', id: next.id }], { delayMs: CONTINUE_AFTER_MS });
  await replacePass(left, next, deps);
}

/** Marks what needs work, and sends what it marked. Counts the whole page. */
async function send(page: readonly Finding[], pass: HeldPass, deps: ConvergeDeps, queue: Queue): Promise<number> {
  const { tally, startedAt, id, askedAt } = pass.state;
  const mark = { id, resend: pass.takenAt, askedAt };
  const asked = askedAt === undefined ? {} : { askedAt };
  const seen = page.filter((each) => each.due !== 'none');
  const outcomes = await pMap(
    seen,
    async ({ found, state, hash, due }) => {
      if (due !== 'due' && !(due === 'queued' && unsent(state, mark))) return due;
      return (await markQueued(found, hash, mark, deps)) ? 'sent' : 'queued';
    },
    { concurrency: MARKS_AT_ONCE },
  );
  const sent = seen.filter((_each, at) => outcomes[at] === 'sent');
  await queue.sendMany(sent.map(({ found }) => ({ kind: 'converge', owner: found.owner, ...asked })));
  for (const [at, { state }] of seen.entries()) countRow(tally, outcomes[at] ?? 'due', state, startedAt);
  return sent.length;
}
