import pMap from 'p-map';
import { judgeVanished } from '../core/policy.ts';
import type { ConvergeDeps } from './deps.ts';
import type { Vanish } from './owner.ts';
import { look, pages } from './vanish-look.ts';
import {
  keepJudged,
  membersOf,
  type ReadVanished,
  readVanished,
  saveMembers,
  type VanishVerdict,
  writeVanished,
} from './vanish-row.ts';

export { type ReadVanished, readVanished, type VanishVerdict } from './vanish-row.ts';

const POSTPONE_AT_MOST = 10;
/** A judge message that is this late was lost with the process that should have sent it. */
const JUDGE_LOST_MS = 5_000;
const HEADS_AT_ONCE = 16;

/** How it stands with an owner whose object is gone. */
export interface Standing {
  /** By account; undefined while one is missing: other manifests may vanish too, or the object come back under another name. */
  readonly verdicts: ReadonlyMap<string, VanishVerdict> | undefined;
  /** What it waits for, by account. Counts from when its row says so; until then a judge has it converge first. */
  readonly waits: Readonly<Record<string, string>>;
  /** Whether its row says so already. */
  readonly noted: boolean;
}

/**
 * Collects the verdicts on an owner whose object is gone, at the accounts that would lose something by it. Where it waits for none yet, its
 * vanishing is announced: one small write for each account, however many owners vanish.
 */
export async function standingOf(
  owner: string,
  vanish: Vanish,
  accounts: Iterable<string>,
  deps: ConvergeDeps,
): Promise<Standing> {
  const { settings, queue } = deps;
  const verdicts = new Map<string, VanishVerdict>();
  const waits: Record<string, string> = {};
  let [missing, noted] = [false, true];
  for (const account of accounts) {
    const vanished = await readVanished(account, deps);
    const verdict = await vanished.verdictOf(owner, vanish);
    if (verdict) {
      verdicts.set(account, verdict);
      continue;
    }
    missing = true;
    const { wave } = vanished;
    if (wave && vanish.waits?.[account] === wave.id) {
      const lost = deps.now() > wave.lastAt + settings.graceMs + JUDGE_LOST_MS;
      if (lost) await queue.send({ kind: 'judge', target: account, ticket: wave.ticket });
      continue;
    }
    waits[account] = await announce(account, vanished, deps);
    noted = false;
  }
  return { verdicts: missing ? undefined : verdicts, waits: { ...vanish.waits, ...waits }, noted };
}

/** Joins those that vanish from an account now; gives their wave. */
async function announce(account: string, seen: ReadVanished, deps: ConvergeDeps): Promise<string> {
  const { settings, queue } = deps;
  const delayMs = judgeDelay(settings);
  let sent: { readonly ticket: string; readonly at: number } | undefined;
  for (let vanished = seen; ; vanished = await readVanished(account, deps)) {
    const open = vanished.wave;
    const targetEdges = open ? open.targetEdges : await countEdges(account, deps);
    // First the message, then what makes it count: a judge nobody needs is dropped, one that is missing makes all wait. When many vanish
    // at once, most writes are refused: the message of a refused one still counts for the next, unless it may come before that is written.
    if (sent === undefined || deps.now() - sent.at > Math.max(delayMs - settings.ledgerTimeoutMs, delayMs / 2)) {
      sent = { ticket: deps.id(), at: deps.now() };
      await queue.send({ kind: 'judge', target: account, ticket: sent.ticket }, { delayMs });
    }
    const { id, postponed } = open ?? { id: deps.id(), postponed: 0 };
    const wave = { id, targetEdges, lastAt: deps.now(), ticket: sent.ticket, postponed };
    const next = { wave, ...(vanished.last ? { last: vanished.last } : {}) };
    if (await writeVanished(account, vanished, next, deps)) return id;
  }
}

/** One verdict for all owners that vanished from an account; then each of them converges. */
export async function judge(account: string, ticket: string, deps: ConvergeDeps): Promise<void> {
  const { queue, settings } = deps;
  const vanished = await readVanished(account, deps);
  const { wave, last } = vanished;
  if (wave?.ticket !== ticket) {
    // The worker that judged may have died before it told anybody.
    if (last?.ticket === ticket) await tell(await membersOf(last, deps), deps);
    return;
  }
  const wait = wave.lastAt + settings.graceMs - deps.now();
  if (wait > 0) return queue.send({ kind: 'judge', target: account, ticket }, { delayMs: wait });

  const { flux, gone, waiting, told } = await look(account, vanished, wave.id, deps);
  if (flux.length > 0 && wave.postponed < POSTPONE_AT_MOST) {
    // Claims of new and changed owners come first, and what vanished unnoticed is judged with the rest.
    for (const owner of flux) await queue.send({ kind: 'converge', owner });
    const next = { ...wave, lastAt: deps.now(), ticket: deps.id(), postponed: wave.postponed + 1 };
    await queue.send({ kind: 'judge', target: account, ticket: next.ticket }, { delayMs: judgeDelay(settings) });
    const written = await writeVanished(account, vanished, { wave: next, ...(last ? { last } : {}) }, deps);
    return written ? undefined : judge(account, ticket, deps);
  }

  // Who was not noticed in time, came back meanwhile, or has a verdict already, is told with the others, but not judged with them.
  const members: Record<string, string> = Object.fromEntries([...gone, ...told].map((owner) => [owner, '']));
  const stillGone = await pMap(
    waiting,
    async (each) => ((await deps.manifests.head(each.owner)) === undefined ? [each] : []),
    { concurrency: HEADS_AT_ONCE },
  );
  for (const { owner } of waiting) members[owner] = '';
  const judged = stillGone.flat();
  for (const { owner, id } of judged) members[owner] = id;
  const judgement = judgeVanished(
    {
      owners: judged.filter((each) => each.edges > 0).length,
      edges: judged.reduce((sum, each) => sum + each.edges, 0),
      targetEdges: wave.targetEdges,
    },
    settings.policy,
  );
  const verdict = { ...judgement, holdId: deps.id(), at: deps.now(), ticket };
  await keepJudged(account, vanished, deps);
  const next = { last: { wave: wave.id, ...verdict, members: await saveMembers(account, members, deps) } };
  if (!(await writeVanished(account, vanished, next, deps))) return judge(account, ticket, deps);
  if (judgement.verdict === 'hold')
    deps.log.warn('withdrawals held', {
      account,
      owners: judged.length,
      reason: judgement.reason,
      release: verdict.holdId,
    });
  await tell(Object.keys(members), deps);
}

async function tell(owners: readonly string[], deps: ConvergeDeps): Promise<void> {
  for (const owner of owners) await deps.queue.send({ kind: 'converge', owner });
}

/** Long enough for the row that the message speaks of to be written. */
function judgeDelay(settings: ConvergeDeps['settings']): number {
  return Math.max(settings.graceMs, settings.ledgerTimeoutMs);
}

/** How many edges the ledger knows at an account. */
export async function countEdges(
  account: string,
  deps: ConvergeDeps,
  atMost = Number.POSITIVE_INFINITY,
): Promise<number> {
  let count = 0;
  const limit = Math.min(1_000, atMost);
  for await (const keys of pages((after) =>
    deps.ledger.find(`account:${account}`, { limit, ...(after === undefined ? {} : { after }) }),
  )) {
    count += keys.length;
    if (count >= atMost) break;
  }
  return count;
}
