import { circuitKey } from '../core/account-rows.ts';
import { asFailure, Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { BUDGET_SPENT, BUDGET_UNREAD } from '../http/budget.ts';
import { CIRCUIT_OPEN, type Circuit } from '../http/circuit.ts';
import type { Log } from '../log.ts';
import type { Ledger, Row } from './ledger.ts';

/** What all processes on one ledger know about an account that refuses us. No row: it does not. */
interface Opened {
  /** Of the secret that was refused; another secret is another matter. */
  readonly secret: string;
  readonly reason: string;
  /** When it refused last (epoch ms). */
  readonly deniedAt: number;
  /** When one call is tried. */
  readonly retryAt: number;
  /** Refusals in a row. */
  readonly times: number;
  /** Who tries, and until when nobody else does. */
  readonly probe?: { readonly token: string; readonly until: number };
}

const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 900_000;
/** Longer than a call with its attempts may take. */
const PROBE_MS = 40_000;
/** After a call that was not refused, this long others need not wait for one another. */
const TRUST_MS = 10_000;
/** A refusal comes at once. A call that goes on for longer, page after page of it perhaps, has been let in. */
const PATIENCE_MS = 5_000;
/** Nothing was sent, so it says nothing about the account. */
const NEVER_SENT: ReadonlySet<string | undefined> = new Set([BUDGET_SPENT, BUDGET_UNREAD]);

/**
 * The circuit of one account, shared by all processes on one ledger through the row `circuit/<account>`. A store that does not
 * answer stops nothing: then each process goes by what it has seen itself.
 */
export function ledgerCircuit(options: {
  readonly ledger: Ledger;
  readonly account: string;
  /** The target's name, for messages. */
  readonly target: string;
  readonly secret: string;
  readonly now: () => number;
  /** Ends early when the signal does; without it calls wait for the first one however long it takes. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
  readonly id: () => string;
  readonly log?: Log | undefined;
  /** Told when it has been written that the account refuses us, or takes our calls again. Does not throw. */
  readonly changed?: (() => Promise<void>) | undefined;
}): Circuit {
  const { ledger, target, secret, now, sleep, id, log, changed = async () => {} } = options;
  const key = circuitKey(options.account);
  let opened: Opened | undefined;
  /** Our turn to try: the next call goes alone, and says how it is. */
  let probing: string | undefined;
  let trustedAt = Number.NEGATIVE_INFINITY;
  let alone: Promise<void> | undefined;
  let looking = Promise.resolve();

  const trusted = () => opened === undefined && probing === undefined && now() - trustedAt < TRUST_MS;
  const rowOf = (state: Opened): Row => ({
    key,
    rev: id(),
    body: { kind: 'circuit', version: 1, opened: state as unknown as JsonObject },
  });

  /** One at a time, so that two here never take the turn from each other. */
  function look(askedAt = Number.NEGATIVE_INFINITY): Promise<void> {
    looking = looking.then(() => lookNow(askedAt));
    return looking;
  }

  async function lookNow(askedAt: number): Promise<void> {
    if (trusted() || (alone !== undefined && opened === undefined)) return;
    try {
      const row = await ledger.get(key);
      const stored = read(row);
      if (!row || stored?.secret !== secret) {
        opened = undefined;
        probing = undefined;
        return;
      }
      if (stored.probe && stored.probe.token === probing && stored.probe.until > now()) return;
      probing = undefined;
      const due = now() >= stored.retryAt || stored.deniedAt < askedAt;
      if (!due || (stored.probe && stored.probe.until > now())) {
        opened = stored;
        return;
      }
      const probe = { token: id(), until: now() + PROBE_MS };
      const taken = await ledger.write(rowOf({ ...stored, probe }), row.rev);
      opened = taken ? undefined : { ...stored, probe };
      if (taken) probing = probe.token;
    } catch (thrown) {
      log?.warn('the circuit could not be read', { target, reason: asFailure(thrown).message });
    }
  }

  function refusal(): Failure | undefined {
    if (!opened) return undefined;
    const until = Math.max(opened.retryAt, opened.probe?.until ?? 0);
    const when = new Date(until).toISOString();
    return new Failure(
      'denied',
      `${target} refuses us, so nothing more is sent there: ${opened.reason} One call is tried at ${when}, and when it is taken all go on by themselves. Sooner: correct the secret lineage/${target}, or, when the right was granted there, POST /reconcile.`,
      { code: CIRCUIT_OPEN, maybeApplied: false, retryAfterMs: Math.max(1_000, until - now()) },
    );
  }

  async function run<T>(deadlineMs: number, call: () => Promise<T>): Promise<T> {
    for (;;) {
      const refused = refusal();
      if (refused) throw refused;
      if (trusted()) return outcomeOf(call);
      if (alone === undefined) break;
      const ended = await within(alone, Math.min(PATIENCE_MS, deadlineMs - now()));
      if (now() >= deadlineMs)
        throw new Failure('unavailable', `No time was left for a call to ${target}.`, { maybeApplied: false });
      if (!ended && probing === undefined) return outcomeOf(call);
    }
    let end = () => {};
    alone = new Promise((resolve) => {
      end = resolve;
    });
    try {
      return await outcomeOf(call);
    } finally {
      alone = undefined;
      end();
    }
  }

  /** Whether it ended in that time. */
  async function within(first: Promise<void>, ms: number): Promise<boolean> {
    if (!sleep) return first.then(() => true);
    const over = new AbortController();
    const late = sleep(Math.max(0, ms), over.signal).then(
      () => false,
      () => false,
    );
    const ended = await Promise.race([first.then(() => true), late]);
    over.abort();
    return ended;
  }

  async function outcomeOf<T>(call: () => Promise<T>): Promise<T> {
    try {
      const value = await call();
      await taken();
      return value;
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.kind === 'denied') await denied(failure);
      // It said something else, or nothing: no reason to make others wait. A probe goes on with the next call.
      else if (probing === undefined && !NEVER_SENT.has(failure.code)) trustedAt = now();
      throw thrown;
    }
  }

  async function taken(): Promise<void> {
    trustedAt = now();
    const token = probing;
    if (token === undefined) return;
    probing = undefined;
    try {
      const row = await ledger.get(key);
      if (row && read(row)?.probe?.token === token && (await ledger.remove(key, row.rev))) await changed();
      log?.info('a target takes our calls again', { target });
    } catch (thrown) {
      log?.warn('the circuit stays open for others until they try', { target, reason: asFailure(thrown).message });
    }
  }

  async function denied(failure: Failure): Promise<void> {
    const at = now();
    const token = probing;
    probing = undefined;
    trustedAt = Number.NEGATIVE_INFINITY;
    const next = (times: number): Opened => ({
      secret,
      reason: failure.message,
      deniedAt: at,
      times,
      retryAt: at + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1)),
    });
    // Before anything is awaited: nobody here starts another call.
    const before = opened?.times ?? 0;
    opened ??= next(1);
    try {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const row = await ledger.get(key);
        const stored = row && read(row);
        const same = stored?.secret === secret ? stored : undefined;
        const ours = token !== undefined && same?.probe?.token === token;
        // Refused while it was open already: a call that was under way.
        if (same && !ours && same.retryAt > at) {
          opened = same;
          return;
        }
        const state = next((same?.times ?? before) + 1);
        if (!(await ledger.write(rowOf(state), row?.rev ?? null))) continue;
        opened = state;
        const retryAt = new Date(state.retryAt).toISOString();
        log?.warn('a target refuses us; nothing more is sent there', { target, reason: failure.message, retryAt });
        await changed();
        return;
      }
    } catch (thrown) {
      log?.warn('other processes do not know that a target refuses us', {
        target,
        reason: asFailure(thrown).message,
      });
    }
  }

  return { secret, look, refusal, run };
}

function read(row: Row | undefined): Opened | undefined {
  return row?.body['opened'] as unknown as Opened | undefined;
}
