import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { decodePairs, sameSecret } from '../percent.ts';
import type { Answer, Arrived, Json } from '../product.ts';
import { type Refusal, refusal } from './apigw.ts';

export const CREATE_TOKEN = 'KeystoneCreateUserTokenByPassword';

export interface IamUser {
  readonly name: string;
  readonly password: string;
  /** The account's name. */
  readonly domain: string;
  readonly projectId: string;
  /** The project's name, which is its region's. */
  readonly region: string;
}

/** A token that was handed out; without a project DataArts does not take it. */
export interface Token {
  readonly token: string;
  readonly at: number;
  readonly projectId?: string | undefined;
}

export interface TokenMemory {
  remember(token: Token): void;
  /** Undefined: this token opens the project. */
  check(token: string, projectId: string, now: number): Refusal | undefined;
  /** Tokens that are not yet expired. */
  kept(now: number): Iterable<Token>;
}

const requestSchema = z.strictObject({
  auth: z.strictObject({
    identity: z.strictObject({
      methods: z.tuple([z.literal('password')]),
      password: z.strictObject({
        user: z.strictObject({
          name: z.string().min(1),
          password: z.string().min(1),
          domain: z.strictObject({ name: z.string().min(1) }),
        }),
      }),
    }),
    scope: z
      .strictObject({
        project: z.union([z.strictObject({ id: z.string().min(1) }), z.strictObject({ name: z.string().min(1) })]),
      })
      .optional(),
  }),
});

/** The lifetime is asked at every check, so that a mode can make tokens expire early, as a changed password does. */
export function tokenMemory(lifetimeMs: () => number): TokenMemory {
  const tokens = new Map<string, Token>();
  const expired = (token: Token, now: number) => now - token.at >= lifetimeMs();
  return {
    remember(token) {
      for (const old of tokens.values()) if (tokens.size >= 1000 || expired(old, token.at)) tokens.delete(old.token);
      tokens.set(token.token, token);
    },
    check(text, projectId, now) {
      const token = tokens.get(text);
      if (token === undefined) {
        return refusal(401, 'APIGW.0301', 'Incorrect IAM authentication information: decrypt token fail');
      }
      if (expired(token, now)) return refusal(401, 'APIGW.0307', 'The token must be updated');
      return token.projectId === projectId
        ? undefined
        : refusal(403, 'APIGW.0306', 'API access denied: the token has another scope');
    },
    kept: (now) => [...tokens.values()].filter((token) => !expired(token, now)),
  };
}

/**
 * `POST /v3/auth/tokens` (Huawei IAM, "Obtaining a User Token Through Password Authentication", read 2026-11).
 * The token comes in the header X-Subject-Token. The failure body is Keystone's.
 */
export function createToken(
  arrived: Arrived,
  user: IamUser,
  lifetimeMs: number,
  remember: (token: Token) => void,
): { readonly request: Json; readonly refused?: Answer; readonly perform: () => Answer } {
  const no = (status: number, message: string, title: string) => {
    const answer: Answer = { status, body: { error: { code: status, message, title } }, outcome: `IAM.${status}` };
    return { request: null, refused: answer, perform: () => answer };
  };
  const query = decodePairs(arrived.query);
  if (query === undefined || query.some(([key, value]) => key !== 'nocatalog' || value === '')) {
    return no(400, 'The only query parameter is nocatalog, with any value.', 'Bad Request');
  }
  if (!/^application\/json\s*(?:;|$)/i.test(arrived.headers['content-type'] ?? '')) {
    return no(400, 'The content type must be application/json;charset=utf8.', 'Bad Request');
  }
  const parsed = requestSchema.safeParse(parseJson(arrived.body));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return no(400, `Expecting ${issue?.path.join('.')}: ${issue?.message}`, 'Bad Request');
  }
  const { identity, scope } = parsed.data.auth;
  const given = identity.password.user;
  const right = [
    sameSecret(given.name, user.name),
    sameSecret(given.password, user.password),
    sameSecret(given.domain.name, user.domain),
  ].every(Boolean);
  if (!right) return no(401, 'The username or password is wrong.', 'Unauthorized');
  const project = scope?.project;
  if (project !== undefined && ('id' in project ? project.id !== user.projectId : project.name !== user.region)) {
    return no(401, 'The request you have made requires authentication.', 'Unauthorized');
  }
  const projectId = project === undefined ? undefined : user.projectId;
  return {
    request: { user: given.name, domain: given.domain.name, project: projectId ?? null },
    perform() {
      const token = randomBytes(48).toString('base64url');
      remember({ token, at: arrived.at, projectId });
      const instant = (ms: number) => new Date(ms).toISOString().replace('Z', '000Z');
      return {
        status: 201,
        headers: { 'x-subject-token': token },
        body: {
          token: {
            methods: ['password'],
            issued_at: instant(arrived.at),
            expires_at: instant(arrived.at + lifetimeMs),
            user: { name: user.name, domain: { name: user.domain } },
            ...(projectId === undefined ? {} : { project: { id: projectId, name: user.region } }),
          },
        },
        outcome: 'ok',
      };
    },
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
