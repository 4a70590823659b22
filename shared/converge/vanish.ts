import type { JsonObject } from '../core/json.ts';
import { isOwnerKey, OWNER_PREFIXES } from '../core/owner-key.ts';
import { judgeVanished } from '../core/policy.ts';
import type { Row } from '../ledger/ledger.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
import { decodeOwner, type OwnerState, ownerKey } from './owner.ts';

/** What became of an owner whose object vanished, at one account. */
export interface VanishVerdict {
  readonly id: string;
  readonly verdict: 'apply' | 'hold';
  readonly reason: string;
  /** What a person quotes to release all that vanished together. */
  readonly holdId: string;
  readonly at: number;
  /** Of the judge message that led to it. */
  readonly ticket: string;
}

/** Owners that vanished from one account's sight and wait to be judged together. */
export interface Vanished {
  readonly owners: Readonly<Record<string, { readonly id: string; readonly edges: number }>>;
  /** Edges the target knew when the first of them vanished. */
  readonly targetEdges: number;
  readonly lastAt: number;
  readonly ticket: string;
  readonly postponed: number;
  readonly verdicts: Readonly<Record<string, VanishVerdict>>;
}

const NOBODY: Vanished = { owners: {}, targetEdges: 0, lastAt: 0, ticket: '', postponed: 0, verdicts: {} };
const POSTPONE_AT_MOST = 10;
const VERDICTS_KEPT_MS = 86_400_000;
/** A judge message that is this late was lost with the process that should have sent it. */
const JUDGE_LOST_MS = 5_000;

const vanishKey = (account: string): string => `vanish/${account}`;

/**
 * Announces that an owner's object is gone, and collects the verdicts. `edges` says how many edges each account would lose.
 * Undefined while the grace time runs: other manifests may vanish too, or the object come back under another name.
 */
export async function vanishVerdicts(
  owner: string,
  vanish: { readonly id: string },
  edges: ReadonlyMap<string, number>,
  deps: ConvergeDeps,
): Promise<ReadonlyMap<string, VanishVerdict> | undefined> {
  const verdicts = new Map<string, VanishVerdict>();
  for (const [account, count] of edges) {
    const verdict = await announce(owner, vanish.id, account, count, deps);
    if (verdict) verdicts.set(account, verdict);
  }
  return verdicts.size === edges.size ? verdicts : undefined;
}

async function announce(
  owner: string,
  id: string,
  account: string,
  edges: number,
  deps: ConvergeDeps,
): Promise<VanishVerdict | undefined> {
  const { ledger, settings, queue } = deps;
  const delayMs = judgeDelay(settings);
  let sent: { readonly ticket: string; readonly at: number } | undefined;
  for (;;) {
    const row = await ledger.get(vanishKey(account));
    const vanished = read(row);
    const verdict = vanished.verdicts[owner];
    if (verdict?.id === id) return verdict;
    if (vanished.owners[owner]?.id === id) {
      const lost = deps.now() > vanished.lastAt + settings.graceMs + JUDGE_LOST_MS;
      if (lost) await queue.send({ kind: 'judge', target: account, ticket: vanished.ticket });
      return undefined;
    }
    const first = Object.keys(vanished.owners).length === 0;
    const targetEdges = first ? await countEdges(account, deps) : vanished.targetEdges;
    // First the message, then what makes it count: a judge nobody needs is dropped, one that is missing makes all wait. When many vanish
    // at once, most writes are refused: the message of a refused one still counts for the next, unless it may come before that is written.
    if (sent === undefined || deps.now() - sent.at > Math.max(delayMs - settings.ledgerTimeoutMs, delayMs / 2)) {
      sent = { ticket: deps.id(), at: deps.now() };
      await queue.send({ kind: 'judge', target: account, ticket: sent.ticket }, { delayMs });
    }
    const next: Vanished = {
      ...vanished,
      owners: { ...vanished.owners, [owner]: { id, edges } },
      targetEdges,
      lastAt: deps.now(),
      ticket: sent.ticket,
      postponed: first ? 0 : vanished.postponed,
    };
    if (await commit(ledger, write(account, next, deps), row?.rev ?? null)) return undefined;
  }
}

/** One verdict for all owners that vanished from an account; then each of them converges. */
export async function judge(account: string, ticket: string, deps: ConvergeDeps): Promise<void> {
  const { ledger, queue, settings } = deps;
  const row = await ledger.get(vanishKey(account));
  const vanished = read(row);
  if (!row) return;
  if (vanished.ticket !== ticket) {
    // The worker that judged may have died before it told anybody.
    const judged = Object.keys(vanished.verdicts).filter((owner) => vanished.verdicts[owner]?.ticket === ticket);
    return tell(judged, deps);
  }
  const wait = vanished.lastAt + settings.graceMs - deps.now();
  if (wait > 0) return queue.send({ kind: 'judge', target: account, ticket }, { delayMs: wait });

  const unsettled = await inFlux(account, vanished, deps);
  if (unsettled.length > 0 && vanished.postponed < POSTPONE_AT_MOST) {
    // Claims of new and changed owners come first, and what vanished unnoticed is judged with the rest.
    for (const owner of unsettled) await queue.send({ kind: 'converge', owner });
    const next = { ...vanished, lastAt: deps.now(), ticket: deps.id(), postponed: vanished.postponed + 1 };
    await queue.send({ kind: 'judge', target: account, ticket: next.ticket }, { delayMs: judgeDelay(settings) });
    return (await commit(ledger, write(account, next, deps), row.rev)) ? undefined : judge(account, ticket, deps);
  }

  const gone: string[] = [];
  let losing = 0;
  let edges = 0;
  for (const [owner, each] of Object.entries(vanished.owners)) {
    if ((await deps.manifests.head(owner)) !== undefined) continue;
    gone.push(owner);
    if (each.edges > 0) losing += 1;
    edges += each.edges;
  }
  const judgement = judgeVanished({ owners: losing, edges, targetEdges: vanished.targetEdges }, settings.policy);
  const holdId = deps.id();
  const verdicts = Object.fromEntries(
    Object.entries(vanished.verdicts).filter(([, verdict]) => verdict.at > deps.now() - VERDICTS_KEPT_MS),
  );
  for (const owner of gone) {
    const id = vanished.owners[owner]?.id as string;
    verdicts[owner] = { id, ...judgement, holdId, at: deps.now(), ticket };
  }
  const waiting = Object.keys(vanished.owners);
  if (!(await commit(ledger, write(account, { ...NOBODY, verdicts }, deps), row.rev)))
    return judge(account, ticket, deps);
  if (judgement.verdict === 'hold')
    deps.log.warn('withdrawals held', { account, owners: gone.length, reason: judgement.reason, release: holdId });
  await tell(waiting, deps);
}

async function tell(owners: readonly string[], deps: ConvergeDeps): Promise<void> {
  for (const owner of owners) await deps.queue.send({ kind: 'converge', owner });
}

/** Long enough for the row that the message speaks of to be written. */
function judgeDelay(settings: ConvergeDeps['settings']): number {
  return Math.max(settings.graceMs, settings.ledgerTimeoutMs);
}

/** Owners whose object or absence the ledger does not reflect yet, as far as it matters at this account. */
async function inFlux(account: string, vanished: Vanished, deps: ConvergeDeps): Promise<string[]> {
  const flux: string[] = [];
  const present = new Set<string>();
  for (const prefix of OWNER_PREFIXES) {
    for await (const objects of pages((after) => deps.manifests.list(prefix, after === undefined ? {} : { after }))) {
      const owners = objects.filter((object) => isOwnerKey(object.key));
      const rows = await deps.ledger.getMany(owners.map((object) => ownerKey(object.key)));
      for (const object of owners) {
        present.add(object.key);
        const row = rows.get(ownerKey(object.key));
        if (!row || decodeOwner(row).claimed !== object.etag) flux.push(object.key);
      }
    }
  }
  for await (const keys of pages((after) => deps.ledger.find('owners', after === undefined ? {} : { after }))) {
    const absent = keys.filter((key) => !present.has(key.slice('owner/'.length)));
    for (const row of (await deps.ledger.getMany(absent)).values()) {
      const state = decodeOwner(row);
      if (!known(state)) flux.push(state.owner);
    }
  }
  return flux;

  function known({ owner, explicit, judged, settled, claimed, counts, vanish }: OwnerState): boolean {
    if (explicit || judged?.includes(account) || (settled && claimed === undefined)) return true;
    if (Object.keys(counts).length > 0 && counts[account] === undefined) return true;
    const id = vanish?.id;
    return id !== undefined && (vanished.owners[owner]?.id === id || vanished.verdicts[owner]?.id === id);
  }
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

async function* pages<T>(
  read: (after: string | undefined) => Promise<{ readonly items: readonly T[]; readonly next?: string }>,
): AsyncGenerator<readonly T[]> {
  let after: string | undefined;
  do {
    const page = await read(after);
    yield page.items;
    after = page.next;
  } while (after !== undefined);
}

/** Who waits to be judged at an account, and what was judged lately. */
export async function readVanished(account: string, deps: ConvergeDeps): Promise<Vanished> {
  return read(await deps.ledger.get(vanishKey(account)));
}

function read(row: Row | undefined): Vanished {
  return row ? (row.body as unknown as { vanished: Vanished }).vanished : NOBODY;
}

function write(account: string, vanished: Vanished, deps: ConvergeDeps): Row {
  const body = { kind: 'vanish', version: 1, vanished: vanished as unknown as JsonObject };
  return { key: vanishKey(account), rev: deps.id(), body };
}
