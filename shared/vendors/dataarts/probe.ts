import { Failure } from '../../core/failure.ts';
import type { SignableRequest } from '../../signing/canonical.ts';
import type { CallOptions, VendorIo } from '../vendor.ts';
import { parseAnswer } from '../vendor-text.ts';
import { failureOf } from './failures.ts';
import { endpointOf, type Secret } from './secret.ts';
import type { SignIn } from './sign-in.ts';

/** An entity that nobody has. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

/**
 * Asks ShowLineage (Huawei, "ShowLineage", read 2026-11; generally available, unlike the bulk read) about an entity that does not exist:
 * whoever is told so has signed in, and may use this project.
 */
export async function probe(secret: Secret, signIn: SignIn, io: VendorIo, options: CallOptions): Promise<void> {
  const { protocol, host, path: prefix } = endpointOf(secret);
  const path = `${prefix}/v3/${encodeURIComponent(secret.project_id)}/entities/${NOBODY}/lineage`;
  const request: SignableRequest = {
    method: 'GET',
    host,
    path,
    query: [],
    headers: { accept: 'application/json', workspace: secret.workspace_id, 'x-project-id': secret.project_id },
    body: new Uint8Array(),
  };
  const send = (headers: Readonly<Record<string, string>>) =>
    io.transport.send({ method: 'GET', url: `${protocol}//${host}${path}`, headers, deadlineMs: options.deadlineMs });
  const { answer, secrets } = await signIn.send(request, send, options);
  if (answer.status === 200) {
    const parsed = parseAnswer(answer.body);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return;
    const message = `${host} answered ShowLineage with something else than lineage, so it is not DataArts. Check "endpoint" in the target's secret, and what stands before it.`;
    throw new Failure('unavailable', message, { maybeApplied: false, status: answer.status });
  }
  const failure = failureOf('ShowLineage', answer, secrets, io.now(), signIn.kind);
  // The gateway's own codes say that the address or the key is wrong; any other that there is no such entity.
  const known = failure.kind === 'missing' && failure.code !== undefined && !failure.code.startsWith('APIGW.');
  if (known) return;
  // It only reads, so that nothing can have been done by mistake.
  if (failure.kind === 'unknown-outcome') throw new Failure('unavailable', failure.message, { maybeApplied: false });
  throw failure;
}
