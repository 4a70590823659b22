import type { Ledger } from '../ledger/ledger.ts';
import type { Services } from '../wiring.ts';

/** A message waits among the dead letters for at most 14 days, the longest that SQS keeps one (AWS, SQS quotas, read 2026-11). */
const KEPT_S = 15 * 86_400;
const REASON_CHARACTERS = 2_000;

const letterKey = (messageId: string): string => `letter/${messageId}`;

/**
 * Notes why a message failed: a queue that sorts it out as a dead letter keeps its id, and nothing else of what happened. A note that
 * cannot be written changes nothing; the log has the reason, too.
 */
export async function noteReason(messageId: string, reason: string, { deps }: Services): Promise<void> {
  const { ledger } = deps;
  const key = letterKey(messageId);
  const expiresAt = Math.ceil(deps.now() / 1_000) + KEPT_S;
  const body = { kind: 'letter', version: 1, reason: reason.slice(0, REASON_CHARACTERS), at: deps.now() };
  try {
    const known = await ledger.get(key);
    await ledger.write({ key, rev: deps.id(), body, expiresAt }, known?.rev ?? null);
  } catch {
    // Said above.
  }
}

/** Why a message failed last, if that was noted. */
export async function notedReason(messageId: string, ledger: Ledger): Promise<string | undefined> {
  const reason = (await ledger.get(letterKey(messageId)))?.body['reason'];
  return typeof reason === 'string' ? reason : undefined;
}
