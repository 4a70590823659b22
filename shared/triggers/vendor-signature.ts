import { createHash } from 'node:crypto';
import { commit } from '../converge/commit.ts';
import { acs3AccessKeyId, verifyAcs3 } from '../signing/acs3.ts';
import { type ReceivedRequest, sameText } from '../signing/canonical.ts';
import { sdkHmacAccessKey, verifySdkHmac } from '../signing/sdk-hmac.ts';
import type { Services } from '../wiring.ts';
import { type Caller, slowDown, TRUSTED } from './access.ts';
import { type Client, readClients, type Scope } from './clients.ts';
import type { Request } from './http.ts';

/** Why a caller is turned away, in the vendor's own code and status. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}
export type Admitted = { readonly caller: Caller } | { readonly refused: Refusal };

/** A request as it was signed: `path` is the route's, with its parameters filled in. */
export interface SignedRequest extends Pick<Request, 'method' | 'query' | 'headers' | 'body' | 'address'> {
  readonly path: string;
}

/**
 * Nonces stay known for the window of 15 minutes on both sides of a request's date (Alibaba, "Request syntax and signature method V3",
 * read 2026-11).
 */
const NONCE_KEPT_S = 30 * 60;

/** In its own words what Alibaba's gateway says to a key without the right: they differ by product. */
export interface Acs3Product {
  readonly missingScope: Refusal;
}

/** The caller of an ACS3-signed request. Locally an unsigned one is let in unless `AUTH=required`. */
export async function admitAcs3(
  request: SignedRequest,
  scope: Scope,
  product: Acs3Product,
  services: Services,
): Promise<Admitted> {
  const { authorization = '' } = request.headers;
  // Older clients sign in the query; what is signed is never taken for unsigned.
  const signed = authorization !== '' || request.query.has('Signature');
  if (!signed && keyless(services)) return { caller: TRUSTED };
  const id = acs3AccessKeyId(request.headers);
  const holders = id === undefined ? [] : await holdersOf(id, services);
  if (id !== undefined && holders.length === 0) {
    await slowDown(services, { address: request.address, tried: id });
    return refuse(404, 'InvalidAccessKeyId.NotFound', 'Specified access key is not found.');
  }
  const { found, verdict } = verifiedBy(
    holders,
    request,
    (received, secret) => verifyAcs3(received, secret, services.deps.now()),
    services.settings.publicHosts,
  );
  if (!verdict.ok || found === undefined) {
    const { code, message } = verdict.ok ? BROKEN : verdict;
    if (code === 'SignatureDoesNotMatch') await slowDown(services, { address: request.address, tried: id });
    return refuse(400, code, message);
  }
  const token = tokenRefusal(found, request.headers['x-acs-security-token']);
  if (token) return refuse(400, 'InvalidSecurityToken.MismatchWithAccessKey', token);
  if (!(await firstUse(`${verdict.accessKeyId} ${verdict.nonce}`, services))) {
    return refuse(400, 'SignatureNonceUsed', 'Specified signature nonce was used already.');
  }
  return admitted(found, scope, product.missingScope, services);
}

/** The caller of a request that is SDK-HMAC-signed, or carries a token. Locally one with neither is let in unless `AUTH=required`. */
export async function admitHuawei(request: SignedRequest, scope: Scope, services: Services): Promise<Admitted> {
  const { authorization = '', 'x-auth-token': token = '' } = request.headers;
  if (authorization === '' && token === '' && keyless(services)) return { caller: TRUSTED };
  const missingScope = {
    status: 403,
    code: 'APIGW.0306',
    message: 'API access denied: the client has no scope for this; add it in the secret lineage/clients',
  };
  if (authorization === '') {
    if (token === '') return unsigned('x-auth-token not found');
    const given = sha256(token);
    const holder = await lookedUp(services, (each) => each.filter(({ token_sha256 }) => isHash(given, token_sha256)));
    if (holder[0]) return admitted(holder[0], scope, missingScope, services);
    await slowDown(services, { address: request.address, tried: token });
    return refuse(401, 'APIGW.0307', 'The token must be updated: it is not one of a client here');
  }
  const ak = sdkHmacAccessKey(request.headers);
  const holders = ak === undefined ? [] : await holdersOf(ak, services);
  if (ak !== undefined && holders.length === 0) {
    await slowDown(services, { address: request.address, tried: ak });
    return unsigned('ak not exist');
  }
  const { found, verdict } = verifiedBy(
    holders,
    request,
    (received, secret) => verifySdkHmac(received, secret, services.deps.now()),
    services.settings.publicHosts,
  );
  if (!verdict.ok || found === undefined) {
    const { code, message } = verdict.ok ? BROKEN : verdict;
    await slowDown(services, { address: request.address, tried: ak });
    return refuse(401, code, message);
  }
  const wrong = tokenRefusal(found, request.headers['x-security-token']);
  return wrong ? unsigned(wrong) : admitted(found, scope, missingScope, services);
}

/** A verdict for no secret at all can only be a refusal. */
const BROKEN = { code: 'IncompleteSignature', message: 'The Authorization header is malformed.' };

function unsigned(why: string): Admitted {
  return refuse(401, 'APIGW.0301', `Incorrect IAM authentication information: ${why}`);
}

function refuse(status: number, code: string, message: string): Admitted {
  return { refused: { status, code, message } };
}

/** Where nobody has to say who calls: on this machine, unless keys are asked for. */
function keyless({ settings }: Services): boolean {
  return settings.aws === undefined && settings.auth !== 'required';
}

type Holder = Client & { readonly access_key_secret: string };

/** Clients of an access key: several while its secret is changed. */
function holdersOf(id: string, services: Services): Promise<Holder[]> {
  return lookedUp(services, (list) =>
    list.flatMap((each) =>
      each.access_key_id !== undefined && each.access_key_secret !== undefined && sameText(each.access_key_id, id)
        ? [{ ...each, access_key_secret: each.access_key_secret }]
        : [],
    ),
  );
}

/** A key that nobody has may be newer than what is remembered of the secret. */
async function lookedUp<T>(services: Services, pick: (list: readonly Client[]) => T[]): Promise<T[]> {
  const found = pick(await readClients(services));
  if (found.length > 0 || services.secrets.refresh === undefined) return found;
  return pick(await readClients(services, { again: true }));
}

/**
 * The verdict of the holder whose secret fits, else of the first. With `PUBLIC_HOSTS` the request must have been signed for one of them:
 * a proxy may have put another name into the Host header since.
 */
function verifiedBy<Verdict extends { readonly ok: boolean }>(
  holders: readonly Holder[],
  request: SignedRequest,
  verify: (received: ReceivedRequest, secret: string) => Verdict,
  publicHosts: readonly string[],
): { readonly found?: Holder; readonly verdict: Verdict } {
  const query = request.query.toString();
  const target = query === '' ? request.path : `${request.path}?${query}`;
  const { method, headers, body } = request;
  const host = headers['host'] ?? '';
  const hosts = publicHosts.length === 0 || publicHosts.includes(host.toLowerCase()) ? [host] : publicHosts;
  let first: Verdict | undefined;
  for (const each of hosts) {
    const received = { method, target, headers: { ...headers, host: each }, body };
    for (const holder of holders) {
      const verdict = verify(received, holder.access_key_secret);
      if (verdict.ok) return { found: holder, verdict };
      first ??= verdict;
    }
  }
  return { verdict: first ?? verify({ method, target, headers, body }, '') };
}

/** Why a security token is not accepted; undefined when it is, or none is needed. */
function tokenRefusal(client: Client, token: string | undefined): string | undefined {
  const { security_token_sha256: temporary, token_sha256: fixed } = client;
  if (token === undefined) return temporary && 'this access key is temporary: send its security token';
  const known = temporary ?? fixed;
  return known === undefined || isHash(sha256(token), known)
    ? undefined
    : 'the security token is not the one of this access key';
}

/** Across all instances, because the ledger remembers. Only asked once the signature is right, so nobody can use up another's. */
async function firstUse(nonce: string, { deps }: Services): Promise<boolean> {
  const key = `nonce/${sha256(nonce)}`;
  const now = deps.now() / 1_000;
  const known = await deps.ledger.get(key);
  if (known && (known.expiresAt ?? 0) >= now) return false;
  const row = { key, rev: deps.id(), body: { kind: 'nonce' }, expiresAt: Math.ceil(now) + NONCE_KEPT_S };
  return commit(deps.ledger, row, known?.rev ?? null);
}

function admitted(client: Client, scope: Scope, missing: Refusal, services: Services): Admitted {
  const { name, scopes, owners, namespaces } = client;
  if (scopes.includes(scope)) {
    return { caller: { name, ...(owners ? { owners } : {}), ...(namespaces ? { namespaces } : {}) } };
  }
  services.log.warn('a signature was refused for want of a scope', { client: name, scope });
  return { refused: missing };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function isHash(given: string, known: string | undefined): boolean {
  return sameText(given, (known ?? '').toLowerCase());
}
