import { converge } from '../../shared/converge/converge.ts';
import { NAMING_KEY } from '../../shared/converge/naming-file.ts';
import { nudge } from '../../shared/converge/nudge.ts';
import { reportUnreadable } from '../../shared/converge/report.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { readJson } from '../../shared/converge/stored-json.ts';
import { judge } from '../../shared/converge/vanish.ts';
import type { Problem } from '../../shared/core/edge.ts';
import { asFailure, Failure } from '../../shared/core/failure.ts';
import type { Manifest } from '../../shared/core/manifest.ts';
import { formatOf, isOwnerKey, statusKey } from '../../shared/core/owner-key.ts';
import { foreignKeys } from '../../shared/core/written-keys.ts';
import { putTogether } from '../../shared/intake/archive-batch.ts';
import { publish } from '../../shared/intake/publish.ts';
import { takeIn } from '../../shared/intake/take-in.ts';
import { tidy } from '../../shared/intake/tidy.ts';
import { parse, withLines } from '../../shared/parse.ts';
import type { IntakeMessage, Message, PassMessage } from '../../shared/queue/queue.ts';
import type { Services } from '../../shared/wiring.ts';
import { continuePass } from '../scheduled-reconcile/pass.ts';
import { reconcile } from '../scheduled-reconcile/reconcile.ts';
import { forgetGone } from '../vendor-wire/kept.ts';

/** How a request to store or remove a manifest ended: with its status, or unfinished and going on from the queue. */
export interface Settled {
  readonly finished: boolean;
  readonly status?: StatusDocument;
}

/** Stores a manifest and converges its owner. With `problems` nothing was stored and nothing changed. */
export async function register(
  owner: string,
  bytes: Uint8Array,
  services: Services,
  deadlineMs: number,
  check: (manifest: Manifest) => Promise<void> = async () => {},
): Promise<Settled | { readonly problems: readonly Problem[] }> {
  const format = formatOf(owner);
  const parsed = await (services.deps.parse ?? parse)(bytes, format);
  if ('problems' in parsed) return { problems: parsed.problems };
  const foreign = foreignKeys(owner, parsed.manifest);
  if (foreign.length > 0) return { problems: await withLines(foreign, bytes, format, services.deps.lines) };
  await check(parsed.manifest);
  return store(owner, bytes, services, deadlineMs);
}

/** Stores a manifest that has been checked, and converges its owner. */
export async function store(
  owner: string,
  bytes: Uint8Array,
  services: Services,
  deadlineMs: number,
): Promise<Settled> {
  await services.deps.manifests.put(owner, bytes, formatOf(owner) === 'json' ? 'application/json' : 'application/yaml');
  return settle(owner, services, deadlineMs);
}

const LOOK_AGAIN_MS = 50;

/** Converges an owner until it is settled or time is up; what is left then goes on from the queue. */
export async function settle(
  owner: string,
  services: Services,
  deadlineMs: number,
  /** As `ConvergeRequest`'s. */
  asked: { readonly askedAt?: number } = {},
): Promise<Settled> {
  const { deps } = services;
  for (;;) {
    const outcome = await converge({ owner, deadlineMs, ...asked }, deps);
    if (outcome.kind === 'done') return { finished: true, status: outcome.status };
    if (outcome.kind === 'unchanged' || outcome.kind === 'absent' || outcome.kind === 'lost') {
      const status = await readStatus(owner, services);
      return { finished: true, ...(status ? { status } : {}) };
    }
    if (outcome.kind === 'unfinished') return { finished: false, status: outcome.status };
    if (deps.now() + LOOK_AGAIN_MS >= deadlineMs) {
      await deps.queue.send({ kind: 'converge', owner, ...asked });
      return { finished: false };
    }
    await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
  }
}

export async function readStatus(owner: string, services: Services): Promise<StatusDocument | undefined> {
  return readJson<StatusDocument>(services.deps.manifests, statusKey(owner));
}

/** An object came or went. The names file concerns every owner, anything else its own. */
export async function objectChange(
  change: { readonly key: string },
  services: Services,
  deadlineMs: number,
): Promise<void> {
  if (change.key === NAMING_KEY) {
    await reconcile(services, deadlineMs, {});
    return;
  }
  if (!isOwnerKey(change.key)) {
    services.log.warn('ignored: manifests end in .yaml, .yml or .json, without control characters in their names', {
      object: change.key,
    });
    return;
  }
  try {
    await converge({ owner: change.key, deadlineMs }, services.deps);
  } catch (thrown) {
    if (thrown instanceof Failure && !thrown.retryable) await tellUnreadable(change.key, services);
    throw thrown;
  }
  await forgetGone(change.key, services, deadlineMs);
}

/**
 * Says so in the status when it is the manifest that cannot be read; what is wrong with us is no fault of its author. First the next
 * convergence is made to look again, so that it says what is true when the object can be read.
 */
async function tellUnreadable(owner: string, { deps }: Services): Promise<void> {
  const failure = await deps.manifests.get(owner, { maxBytes: 1 }).then(() => undefined, asFailure);
  if (failure === undefined || failure.retryable || failure.code === 'too-large') return;
  await nudge(owner, deps);
  await reportUnreadable(owner, failure, deps);
}

/** Work from our own queue. */
export async function work(
  message: Message | IntakeMessage | PassMessage,
  services: Services,
  deadlineMs: number,
): Promise<void> {
  if (message.kind === 'pass') return continuePass(message.id, services, deadlineMs);
  if (message.kind === 'events') return takeIn(message, services);
  if (message.kind === 'publish') return publish(message.subject, services);
  if (message.kind === 'archive') return putTogether(message.window, services, deadlineMs);
  if (message.kind === 'tidy') return tidy(services, deadlineMs);
  if (message.kind === 'judge') return judge(message.target, message.ticket, services.deps);
  const { owner, ticket, askedAt, look } = message;
  const asked = { ...(askedAt === undefined ? {} : { askedAt }), ...(look ? { look } : {}) };
  await converge({ owner, deadlineMs, ...asked, ...(ticket === undefined ? {} : { ticket }) }, services.deps);
}

/** The owner key of a path under `manifests/`, or the reason why it is none. */
export function manifestOwner(path: string): string {
  const owner = `manifests/${path}`;
  if (isOwnerKey(owner)) return owner;
  throw new Failure(
    'invalid',
    'not a manifest path: use segments without "..", control characters or backslashes, ending in .yaml, .yml or .json',
  );
}
