import { createHash } from 'node:crypto';
import { commit } from '../../shared/converge/commit.ts';
import { digest } from '../../shared/core/digest.ts';
import { asFailure, Failure } from '../../shared/core/failure.ts';
import { MAX_BYTES } from '../../shared/core/manifest.ts';
import { httpOwner, statusKey } from '../../shared/core/owner-key.ts';
import { foreignKeys } from '../../shared/core/written-keys.ts';
import { withRoom } from '../../shared/intake/room.ts';
import { parse, withLines } from '../../shared/parse.ts';
import { type Caller, checkOwner } from '../../shared/triggers/access.ts';
import { type Answer, json, type Request } from '../../shared/triggers/http.ts';
import { comeAgain, problem } from '../../shared/triggers/problem.ts';
import { admitSigned } from '../../shared/triggers/webhook-signature.ts';
import type { Services } from '../../shared/wiring.ts';
import { checkDeclared, checkStored } from './confined.ts';
import { inTurn } from './turn.ts';

/** Senders try again for three days (Standard Webhooks, recommended schedule, read 2026-11); a late copy must not bring back what was replaced since. */
const REMEMBERED_S = 7 * 86_400;

/**
 * `POST /webhooks/manifest`: a manifest in a signed webhook, for orchestrators that do not emit OpenLineage. It is stored like that of
 * `POST /lineage` and converged from the queue: 202 when both are durable. A message that was stored before changes nothing.
 */
export async function signedManifest(request: Request, services: Services): Promise<Answer> {
  const { body, headers } = request;
  const format = /\byaml\b/i.test(headers['content-type'] ?? '') ? 'yaml' : 'json';
  if (body.byteLength > MAX_BYTES[format])
    return problem(413, `a manifest may have ${MAX_BYTES[format]} bytes here; split it into several`);
  const signed = await admitSigned(request, 'register', services);
  if ('refused' in signed) return signed.refused;
  const parsed = await (services.deps.parse ?? parse)(body, format);
  if ('problems' in parsed) return problem(400, 'the manifest has problems; nothing was stored', parsed.problems);
  const { manifest } = parsed;
  const bytes = format === 'json' ? body : Buffer.from(JSON.stringify(manifest));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const owner = httpOwner(manifest.job ?? sha256);
  const foreign = foreignKeys(owner, manifest);
  if (foreign.length > 0) {
    const problems = await withLines(foreign, body, format, services.deps.lines);
    return problem(400, 'the manifest has problems; nothing was stored', problems);
  }
  checkOwner(signed.caller, owner);
  await checkDeclared(owner, manifest, signed.caller, services, { ledger: false });
  const { id } = signed;
  const key = id === undefined ? undefined : `webhook/${digest(JSON.stringify([signed.caller.name, id, sha256]))}`;
  try {
    const done = await withRoom(body.byteLength, services, () =>
      store({ owner, bytes, key, caller: signed.caller }, services),
    );
    return done ? accepted(owner) : comeAgain('too many requests at once');
  } catch (thrown) {
    if (thrown instanceof Failure && !thrown.retryable) throw thrown;
    services.log.error('a manifest could not be stored', { owner, reason: asFailure(thrown).message });
    return comeAgain('the manifest cannot be stored now');
  }
}

/** Others that change the same object are at it for a moment only; the sender comes again. */
const TURN_MS = 1_000;

interface Storing {
  readonly owner: string;
  readonly bytes: Uint8Array;
  readonly key: string | undefined;
  readonly caller: Caller;
}

/** Noted last: whoever dies before it is sent the message again. */
async function store({ owner, bytes, key, caller }: Storing, services: Services): Promise<void> {
  const { deps, log } = services;
  await inTurn(owner, services, deps.now() + TURN_MS, async () => {
    await checkStored(owner, caller, services);
    const known = key === undefined ? undefined : await deps.ledger.get(key);
    if (known !== undefined) {
      log.info('a webhook came again and changed nothing', { owner });
      return;
    }
    await deps.manifests.put(owner, bytes, 'application/json');
    await deps.queue.send({ kind: 'converge', owner });
    if (key === undefined) return;
    const expiresAt = Math.ceil(deps.now() / 1_000) + REMEMBERED_S;
    await commit(deps.ledger, { key, rev: deps.id(), body: { owner }, expiresAt }, null);
  });
}

function accepted(owner: string): Answer {
  const location = `/${statusKey(owner).split('/').map(encodeURIComponent).join('/')}`.replace(/\.json$/, '');
  return json(202, { owner, state: 'pending' }, { location });
}
