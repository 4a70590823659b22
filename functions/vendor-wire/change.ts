import { asFailure, Failure } from '../../shared/core/failure.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Manifest } from '../../shared/core/manifest.ts';
import { parse } from '../../shared/parse.ts';
import type { WireMode } from '../../shared/settings.ts';
import { type Caller, checkOwner } from '../../shared/triggers/access.ts';
import type { Services } from '../../shared/wiring.ts';
import { erase } from '../delete/delete.ts';
import { checkDeclared } from '../register/confined.ts';
import { settle } from '../register/register.ts';
import { inTurn, type Remembered } from '../register/turn.ts';
import { forgetKept, rememberKept } from './kept.ts';
import { type Concern, type Verdict, verdictOf } from './outcome.ts';

/** What a call makes of its owner's document. `gone`: the object goes; `document`, if given, is what it says last. */
export type Next =
  | { readonly kind: 'stored'; readonly document: JsonObject }
  | { readonly kind: 'gone'; readonly document?: JsonObject };

export interface Change {
  readonly owner: string;
  readonly caller: Caller;
  readonly mode: WireMode;
  /** What the answer is about. */
  readonly concern: Concern;
  readonly remember?: Remembered;
  /** Throws `Failure` when the call cannot be carried out; then nothing has changed. */
  next(known: JsonObject | undefined): Next;
}

export type Changed = Verdict | { readonly kind: 'accepted'; readonly message: string };

/** Of the time that is left, what the vendor is not given: it is for taking a refused change back. */
const FOR_UNDOING_MS = 6_000;
/** Nobody waits for targets whose answer does not count. */
const ALL_TARGETS_MS = 10_000;

/**
 * Changes what one owner declares and has it converged. With `relay` the verdict is the vendor's. An answer that is an error leaves the
 * document as it was: what the vendor refuses is taken back, and so is what could not be seen through. Every change to one owner waits
 * for its turn.
 */
export async function change(wanted: Change, services: Services, deadlineMs: number): Promise<Changed> {
  const { owner, mode, concern } = wanted;
  checkOwner(wanted.caller, owner);
  const { deps, settings, log } = services;
  const vendorUntil = Math.max(deps.now() + 1_000, deadlineMs - FOR_UNDOING_MS);
  return inTurn(owner, services, vendorUntil, async (remember) => {
    const before = await deps.manifests.get(owner);
    const known = before && documentOf(owner, before.bytes);
    const next = wanted.next(known);
    const declared = next.document ?? known;
    if (declared !== undefined) await checkDeclared(owner, declared as unknown as Manifest, wanted.caller, services);
    if (next.document !== undefined) await checked(next.document, services);
    const askedAt = deps.now();
    const converge = (until: number) => settle(owner, services, until, { askedAt });
    const carryOut = async (): Promise<Changed> => {
      if (next.document !== undefined) {
        await put(owner, bytesOf(next.document), services);
        if (next.kind === 'gone') await converge(vendorUntil);
      }
      if (next.kind === 'gone') await erase(owner, services);
      remember(next.kind === 'gone' ? {} : (wanted.remember ?? {}));
      if (next.kind === 'gone' || mode !== 'keep') await forgetKept(owner, services);
      else await rememberKept(owner, next.document, services);
      const settled = await converge(
        mode === 'relay' ? vendorUntil : Math.min(vendorUntil, deps.now() + ALL_TARGETS_MS),
      );
      if (mode !== 'relay') return { kind: 'accepted', message: said(mode) };
      const verdict = verdictOf(settled, concern);
      if (verdict.kind !== 'retry' || settings.wire.down !== 'forward') return verdict;
      return { kind: 'accepted', message: `stored, and goes on by itself: ${verdict.message}` };
    };
    const takeBack = async (reason: string): Promise<void> => {
      log.warn('a call was taken back, because it was not carried out', { owner, reason });
      if (before !== undefined) await put(owner, before.bytes, services);
      // Without the word that it was meant, which is for the ledger, it is gone all the same.
      else await erase(owner, services).catch(() => deps.manifests.delete(owner));
      if (before === undefined) remember({});
      if (mode !== 'keep') return;
      if (known === undefined) await forgetKept(owner, services);
      else await rememberKept(owner, known, services);
    };
    let outcome: Changed;
    try {
      outcome = await carryOut();
    } catch (thrown) {
      await takeBack(asFailure(thrown).message).catch((again: unknown) =>
        log.error('a call that failed was not taken back', { owner, reason: asFailure(again).message }),
      );
      throw thrown;
    }
    if (outcome.kind === 'rejected' || outcome.kind === 'retry') {
      await takeBack(outcome.message);
      await settle(owner, services, deadlineMs);
    }
    return outcome;
  });
}

function said(mode: WireMode): string {
  return mode === 'keep' ? 'kept here' : 'stored; it goes to every target';
}

function documentOf(owner: string, bytes: Uint8Array): JsonObject {
  try {
    const document = JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonObject;
    if (typeof document['wire'] === 'object' && document['wire'] !== null) return document;
  } catch {
    // Said below.
  }
  throw new Failure('conflict', `${owner} was changed by hand and holds no call any more; remove that object.`);
}

/** What would be no valid manifest is refused before anything is stored. */
async function checked(document: JsonObject, { deps }: Services): Promise<void> {
  const parsed = await (deps.parse ?? parse)(bytesOf(document), 'json');
  if (!('problems' in parsed)) return;
  const [first] = parsed.problems;
  throw new Failure('invalid', `${first?.path ?? ''}: ${first?.message ?? 'not valid'}`);
}

async function put(owner: string, bytes: Uint8Array, { deps }: Services): Promise<void> {
  await deps.manifests.put(owner, bytes, 'application/json');
}

function bytesOf(document: JsonObject): Uint8Array {
  return Buffer.from(`${JSON.stringify(document, null, 1)}\n`);
}
