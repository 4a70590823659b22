import * as z from 'zod';
import { ENDPOINT_RULE, type Endpoint, parseEndpoint } from '../endpoint.ts';
import { headerText } from '../header-text.ts';
import { secretReader, unusable } from '../secret.ts';
import { long, longAsText } from './blocks.ts';

const text = z.string().min(1);

/** JSON of the secret `lineage/dataphin`; unknown keys are refused, so that a slip is seen at once. */
export const secretSchema = z.lazy(() =>
  z
    .strictObject({
      access_key_id: headerText(),
      access_key_secret: text,
      security_token: headerText().exactOptional(),
      endpoint: text,
      op_tenant_id: longAsText,
      tenant_id: long.exactOptional(),
      user_id: text.exactOptional(),
      account: text.describe('Fixed name of the account, if its endpoint may change').exactOptional(),
      ca_pem: text.exactOptional(),
      allow_http: z.boolean().exactOptional(),
      read_back: z.boolean().describe('false: the key may register lineage but not read it').exactOptional(),
      calls_per_second: z.number().positive().exactOptional(),
      calls_per_day: z.int().positive().exactOptional(),
    })
    .refine((secret) => parseEndpoint(secret.endpoint, secret.allow_http === true) !== undefined, {
      path: ['endpoint'],
      message: ENDPOINT_RULE,
    }),
);

export type Secret = z.output<typeof secretSchema>;

/** The secret, checked. */
export const readSecret = secretReader('Dataphin', secretSchema);

/** Where the secret's account is reached. */
export function endpointOf(secret: Secret): Endpoint {
  const endpoint = parseEndpoint(secret.endpoint, secret.allow_http === true);
  if (endpoint === undefined) throw unusable('Dataphin', `endpoint: ${ENDPOINT_RULE}`);
  return endpoint;
}

/** `host/path#tenant`: what identifies the account in the ledger. */
export function accountOf(secret: Secret): string {
  const { host, path } = endpointOf(secret);
  return `${secret.account ?? `${host}${path}`}#${secret.op_tenant_id}`;
}
