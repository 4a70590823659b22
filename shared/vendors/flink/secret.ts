import * as z from 'zod';
import { ENDPOINT_RULE, type Endpoint, parseEndpoint } from '../endpoint.ts';
import { headerText } from '../header-text.ts';
import { secretReader, unusable } from '../secret.ts';

const text = z.string().min(1);

/** Can stand as a segment of a path: URLs lose `.` and `..` on the way, which the signature holds (WHATWG URL, "path state", read 2026-11). */
export const PLAIN_NAMESPACE = /^(?!\.{1,2}$)./s;
export const namespaceRule = 'a namespace is a name, not "." or ".."';

/** JSON of the secret `lineage/flink`; unknown keys are refused, so that a slip is seen at once. */
export const secretSchema = z.lazy(() =>
  z
    .strictObject({
      access_key_id: headerText(),
      access_key_secret: text,
      security_token: headerText().exactOptional(),
      region: text.exactOptional(),
      endpoint: text.exactOptional(),
      workspace: headerText(),
      namespace: text.regex(PLAIN_NAMESPACE, namespaceRule),
      account: text.describe('Fixed name of the account, if its endpoint may change').exactOptional(),
      ca_pem: text.exactOptional(),
      allow_http: z.boolean().exactOptional(),
      calls_per_second: z.number().positive().exactOptional(),
      calls_per_day: z.int().positive().exactOptional(),
    })
    .superRefine((secret, context) => {
      const wrong = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
      if (secret.region === undefined && secret.endpoint === undefined) wrong('endpoint', 'give region or endpoint');
      if (secret.region !== undefined && !/^[a-z0-9-]+$/.test(secret.region)) wrong('region', 'is not a region name');
      if (secret.endpoint !== undefined && !parseEndpoint(secret.endpoint, secret.allow_http === true)) {
        wrong('endpoint', ENDPOINT_RULE);
      }
    }),
);

export type Secret = z.output<typeof secretSchema>;

/** The secret, checked. */
export const readSecret = secretReader('Flink', secretSchema);

/** `endpoint`, else the region's public host (Alibaba, Realtime Compute for Apache Flink, "API", read 2026-11). */
export function endpointOf(secret: Secret): Endpoint {
  const host = secret.endpoint ?? `ververica.${secret.region ?? ''}.aliyuncs.com`;
  const endpoint = parseEndpoint(host, secret.allow_http === true);
  if (endpoint === undefined) throw unusable('Flink', `endpoint: ${ENDPOINT_RULE}`);
  return endpoint;
}

/** `host/path#workspace/namespace`: what identifies the account. */
export function accountOf(secret: Secret): string {
  const { host, path } = endpointOf(secret);
  return `${secret.account ?? `${host}${path}`}#${secret.workspace}/${secret.namespace}`;
}
