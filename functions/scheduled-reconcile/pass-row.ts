import { commit } from '../../shared/converge/commit.ts';
import type { ConvergeDeps } from '../../shared/converge/deps.ts';
import type { Json, JsonObject } from '../../shared/core/json.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import { newTally, type Tally } from './tally.ts';

/** A pass that may take several invocations: what it has seen, and where the next one goes on. */
export interface PassState {
  readonly id: string;
  readonly startedAt: number;
  /** Key of the last owner that was looked at, and whose message, if it needed one, was sent. */
  readonly after: string;
  readonly finished?: boolean;
  /** When a person asked for it (epoch ms): what vendors refused before that is tried again. */
  readonly askedAt?: number;
  /** Names or targets changed meanwhile, or a person asked: when it ends, another one begins. */
  readonly again?: boolean;
  /** When a person asked for that other one. */
  readonly againAskedAt?: number;
  readonly lease?: { readonly token: string; readonly until: number };
  readonly tally: Tally;
  /** What reading Flink brought, before owners were looked at. */
  readonly flink?: JsonObject;
}

/** A pass in our hands, as last written. */
export interface HeldPass {
  readonly state: PassState;
  readonly rev: string;
  /** When it came into our hands (epoch ms). */
  readonly takenAt: number;
}

const KEY = 'pass/spread';

/** Which pass is wanted: the one of a continuation, or whatever is to be done; `again`: all owners have to be looked at from now on. */
export interface Wanted {
  readonly id?: string;
  readonly again?: boolean;
  /** A person asks for it, now (epoch ms). */
  readonly askedAt?: number;
  readonly deadlineMs: number;
}

/** Takes the unfinished pass, or begins one. Undefined: another invocation is at it, or the continuation is an old one. */
export async function takePass(wanted: Wanted, deps: ConvergeDeps): Promise<HeldPass | undefined> {
  const { clockSkewMs, ledgerTimeoutMs } = deps.settings;
  for (;;) {
    const row = await deps.ledger.get(KEY);
    const before = row && decode(row);
    const open = before !== undefined && before.finished !== true;
    if (wanted.id !== undefined && !(open && before.id === wanted.id)) return undefined;
    if (open && before.lease !== undefined && deps.alive(before.lease)) {
      if (wanted.again !== true || (before.again === true && wanted.askedAt === undefined)) return undefined;
      const next = { ...before, ...afterIt(wanted) };
      if (await commit(deps.ledger, encode(next, deps.id()), row?.rev ?? null)) return undefined;
      continue;
    }
    const takenAt = deps.now();
    const lease = { token: deps.id(), until: wanted.deadlineMs + 2 * clockSkewMs + ledgerTimeoutMs };
    const state: PassState = open
      ? { ...before, lease, ...afterIt(wanted) }
      : { ...newPass(deps, wanted.askedAt), lease };
    const rev = deps.id();
    if (await commit(deps.ledger, encode(state, rev), row?.rev ?? null)) return { state, rev, takenAt };
  }
}

/**
 * Writes how far it has come, or that it is over. Undefined: it is in other hands, and nothing was written. Somebody may only have asked
 * for another one after it; that is kept.
 */
export async function savePass(
  held: HeldPass,
  change: Partial<Omit<PassState, 'id'>>,
  deps: ConvergeDeps,
): Promise<HeldPass | undefined> {
  let expected = held.rev;
  let { state } = held;
  for (;;) {
    const rev = deps.id();
    const next = { ...state, ...change };
    if (await commit(deps.ledger, encode(next, rev), expected)) return { ...held, state: next, rev };
    const row = await deps.ledger.get(KEY);
    const now = row && decode(row);
    if (!row || now?.lease?.token !== held.state.lease?.token || now?.id !== held.state.id) return undefined;
    state = { ...state, ...afterIt({ again: now.again, askedAt: now.againAskedAt }) };
    expected = row.rev;
  }
}

/** Puts another pass, not begun yet, in the place of one that is over. */
export async function replacePass(held: HeldPass, next: PassState, deps: ConvergeDeps): Promise<void> {
  await commit(deps.ledger, encode(next, deps.id()), held.rev);
}

export function newPass(deps: ConvergeDeps, askedAt?: number): PassState {
  const asked = askedAt === undefined ? {} : { askedAt };
  return { id: deps.id(), startedAt: deps.now(), after: '', tally: newTally(), ...asked };
}

/** What a pass that is under way keeps of a wish for another one after it. */
function afterIt({ again, askedAt }: { readonly again?: boolean | undefined; readonly askedAt?: number | undefined }) {
  if (again !== true) return {};
  return { again, ...(askedAt === undefined ? {} : { againAskedAt: askedAt }) };
}

function encode(state: PassState, rev: string): Row {
  return { key: KEY, rev, body: { kind: 'pass', version: 1, pass: state as unknown as Json } };
}

function decode(row: Row): PassState {
  return row.body['pass'] as unknown as PassState;
}
