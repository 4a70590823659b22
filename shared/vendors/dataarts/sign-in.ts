import type { HttpAnswer } from '../../http/transport.ts';
import type { SignableRequest } from '../../signing/canonical.ts';
import { signSdkHmac } from '../../signing/sdk-hmac.ts';
import type { CallOptions, VendorIo } from '../vendor.ts';
import { parseAnswer } from '../vendor-text.ts';
import type { Secret } from './secret.ts';
import { iamTokens } from './token.ts';
import { errorSchema } from './wire.ts';

/** Sends with the headers it is given. */
type Send = (headers: Readonly<Record<string, string>>) => Promise<HttpAnswer>;

/** One of the two ways to say who calls. */
export interface SignIn {
  readonly kind: 'keys' | 'token';
  /** Sends once, and with a token that turned out too old once more; `secrets` are what no message may quote. */
  send(
    request: SignableRequest,
    send: Send,
    options: CallOptions,
  ): Promise<{ readonly answer: HttpAnswer; readonly secrets: readonly (string | undefined)[] }>;
}

/** AK/SK where the secret has them, else the tokens of its IAM user. */
export function signInOf(secret: Secret, io: VendorIo): SignIn {
  const { ak, sk, security_token: securityToken } = secret;
  if (ak === undefined || sk === undefined) return byToken(secret, io);
  const credentials = { ak, sk, ...(securityToken === undefined ? {} : { securityToken }) };
  return {
    kind: 'keys',
    send: async (request, send) => ({
      answer: await send(signSdkHmac(request, credentials, { date: new Date(io.now()) })),
      secrets: [sk, securityToken, ak],
    }),
  };
}

/**
 * The gateway refuses a token before the service sees the call, so it is safe to send it again: 0307 asks for a new token, 0301
 * says that this one means nothing (Huawei, "API Request Signing Guide", error codes, read 2026-11).
 */
const ASKS_FOR_NEW_TOKEN = /^APIGW\.030[17]/;

function byToken(secret: Secret, io: VendorIo): SignIn {
  const { iam_user: name = '', iam_password: password = '', domain_name: domain = '' } = secret;
  const tokens = iamTokens(secret, { name, password, domain }, io);
  return {
    kind: 'token',
    async send({ headers }, send, options) {
      const token = await tokens.current(options);
      const first = await sendWith(token);
      if (!asksForNewToken(first)) return { answer: first, secrets: [token, password] };
      const other = await tokens.instead(token, options);
      const answer = other === undefined ? first : await sendWith(other);
      return { answer, secrets: [other, token, password] };

      async function sendWith(each: string): Promise<HttpAnswer> {
        const received = await send({ ...headers, 'x-auth-token': each });
        if (received.status !== 401) tokens.worked(each);
        return received;
      }
    },
  };
}

function asksForNewToken({ status, body }: HttpAnswer): boolean {
  if (status !== 401) return false;
  const parsed = errorSchema.safeParse(parseAnswer(body));
  return parsed.success && ASKS_FOR_NEW_TOKEN.test(parsed.data.error_code ?? String(parsed.data.error?.code ?? ''));
}
