import * as z from 'zod';
import { asFailure, Failure, type FailureKind } from '../../core/failure.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import type { CallOptions, VendorIo } from '../vendor.ts';
import { parseAnswer, vendorText } from '../vendor-text.ts';
import { iamEndpointOf, type Secret } from './secret.ts';

/** Tokens of an IAM user for one project, kept as long as the client lives. */
export interface Tokens {
  /** A token that is valid for a while yet. */
  current(options: CallOptions): Promise<string>;
  /** Another token than this one, which DataArts refused; undefined when that has just been tried in vain. */
  instead(refused: string, options: CallOptions): Promise<string | undefined>;
  /** DataArts took this token. */
  worked(token: string): void;
}

export interface IamUser {
  readonly name: string;
  readonly password: string;
  /** The account's name. */
  readonly domain: string;
}

interface Kept {
  readonly token: string;
  /** From here on a new one is fetched, although this one still works. */
  readonly renewAtMs: number;
  readonly expiresAtMs: number;
  /** When it took the place of a refused one; undefined once DataArts took it. */
  onTrialSinceMs?: number | undefined;
}

const LIFETIME_MS = 86_400_000;
const EARLY_MS = 600_000;
const LOGIN_TIMEOUT_MS = 10_000;
/** Huawei locks a user after a few wrong passwords; hundreds of waiting calls must not be that. */
const REFUSAL_KEPT_MS = 60_000;
/** For how long a new token that was refused like the one before is not replaced again: signing in does not help then. */
const TRIAL_MS = 60_000;

/** `expires_at` is on IAM's clock, so only its distance from `issued_at` counts. */
const bodySchema = z.lazy(() =>
  z.looseObject({ token: z.looseObject({ issued_at: z.string(), expires_at: z.string() }) }),
);
const errorSchema = z.lazy(() =>
  z.looseObject({
    error: z.looseObject({ message: z.string().nullish() }).nullish(),
    error_msg: z.string().nullish(),
  }),
);

/**
 * Signs in with a password (Huawei IAM, "Obtaining a User Token Through Password Authentication", read 2026-11): the token comes
 * in the header X-Subject-Token and is good for 24 hours. Renewed ten minutes early; callers at the same time share one
 * sign-in. Throws `Failure`, never with `maybeApplied`: no node was created.
 */
export function iamTokens(secret: Secret, user: IamUser, io: VendorIo): Tokens {
  const { protocol, host, path } = iamEndpointOf(secret);
  const url = `${protocol}//${host}${path}/v3/auth/tokens?nocatalog=true`;
  let kept: Kept | undefined;
  let pending: Promise<Kept> | undefined;
  let refusal: { readonly failure: Failure; readonly untilMs: number } | undefined;

  return {
    async current(options) {
      const nowMs = io.now();
      if (kept === undefined || nowMs >= kept.expiresAtMs) return (await renewed(options)).token;
      if (nowMs < kept.renewAtMs) return kept.token;
      const { token } = kept;
      return renewed(options).then(
        (fresh) => fresh.token,
        () => token,
      );
    },
    async instead(refused, options) {
      if (kept !== undefined && kept.token !== refused) return kept.token;
      if (kept?.onTrialSinceMs !== undefined && io.now() - kept.onTrialSinceMs < TRIAL_MS) return undefined;
      const fresh = await renewed(options);
      fresh.onTrialSinceMs = io.now();
      return fresh.token;
    },
    worked(token) {
      if (kept?.token === token) kept.onTrialSinceMs = undefined;
    },
  };

  function renewed(options: CallOptions): Promise<Kept> {
    if (refusal !== undefined && io.now() < refusal.untilMs) return Promise.reject(refusal.failure);
    pending ??= signIn(options)
      .then((fresh) => {
        kept = fresh;
        refusal = undefined;
        return fresh;
      })
      .catch((thrown: unknown) => {
        const failure = asFailure(thrown);
        if (!failure.retryable) refusal = { failure, untilMs: io.now() + REFUSAL_KEPT_MS };
        throw failure;
      })
      .finally(() => {
        pending = undefined;
      });
    return pending;
  }

  async function signIn(options: CallOptions): Promise<Kept> {
    const { name, password, domain } = user;
    const auth = {
      identity: { methods: ['password'], password: { user: { name, password, domain: { name: domain } } } },
      scope: { project: { id: secret.project_id } },
    };
    const answer = await io.transport
      .send({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json;charset=utf8', accept: 'application/json' },
        body: new TextEncoder().encode(JSON.stringify({ auth })),
        // Without the caller's signal: others may wait for this token too.
        deadlineMs: Math.min(options.deadlineMs, io.now() + LOGIN_TIMEOUT_MS),
      })
      .catch(unreachable);
    const token = answer.headers['x-subject-token'];
    if (answer.status === 201 && token !== undefined && token !== '') return keptFrom(token, answer);
    throw refused(answer, [password]);
  }

  function keptFrom(token: string, answer: HttpAnswer): Kept {
    const parsed = bodySchema.safeParse(parseAnswer(answer.body));
    const said = parsed.success
      ? Date.parse(parsed.data.token.expires_at) - Date.parse(parsed.data.token.issued_at)
      : Number.NaN;
    const lifetimeMs = Number.isFinite(said) && said > 0 ? said : LIFETIME_MS;
    const nowMs = io.now();
    return {
      token,
      renewAtMs: nowMs + lifetimeMs - Math.min(EARLY_MS, lifetimeMs / 5),
      expiresAtMs: nowMs + lifetimeMs,
    };
  }
}

const REGION = 'Check "iam_endpoint" or "region" in the target\'s secret';
const USER =
  'Check "iam_user", "iam_password" and "domain_name" (the name of the account, not of the user) in the target\'s secret; it must be an IAM user with programmatic access, and "project_id" one of its projects';

function refused(answer: HttpAnswer, secrets: readonly string[]): Failure {
  const { status } = answer;
  const parsed = errorSchema.safeParse(parseAnswer(answer.body));
  const words = vendorText(
    (parsed.success ? (parsed.data.error?.message ?? parsed.data.error_msg) : '') ?? '',
    secrets,
  );
  const [kind, advice] = verdict(status);
  return new Failure(
    kind,
    `Huawei IAM gave no token (HTTP ${status})${words === '' ? '' : `: "${words}"`}. ${advice}. Nothing was registered.`,
    { status, maybeApplied: false },
  );
}

function verdict(status: number): readonly [FailureKind, string] {
  if (status === 429) return ['throttled', 'Too many sign-ins; they go on by themselves'];
  if (status >= 500 || status === 408) return ['unavailable', 'IAM could not work now; it is tried again'];
  if (status < 300) return ['unavailable', `The answer holds no token. ${REGION}`];
  if (status < 400 || status === 404 || status === 405) return ['missing', REGION];
  return ['denied', USER];
}

function unreachable(thrown: unknown): never {
  const failure = asFailure(thrown);
  throw new Failure('unavailable', `Huawei IAM gave no token: ${failure.message} ${REGION}. Nothing was registered.`, {
    maybeApplied: false,
    cause: failure,
  });
}
