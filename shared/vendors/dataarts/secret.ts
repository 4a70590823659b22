import * as z from 'zod';
import { ENDPOINT_RULE, type Endpoint, parseEndpoint } from '../endpoint.ts';
import { headerText } from '../header-text.ts';
import { secretReader, unusable } from '../secret.ts';

const text = z.string().min(1);

/** JSON of the secret `lineage/dataarts`; unknown keys are refused, so that a slip is seen at once. */
export const secretSchema = z.lazy(() =>
  z
    .strictObject({
      region: text.exactOptional(),
      endpoint: text.exactOptional(),
      project_id: headerText(),
      workspace_id: headerText(),
      instance_id: headerText().describe('Data Map calls only').exactOptional(),
      ak: headerText().exactOptional(),
      sk: text.exactOptional(),
      security_token: headerText().exactOptional(),
      iam_user: text.exactOptional(),
      iam_password: text.exactOptional(),
      domain_name: text.exactOptional(),
      iam_endpoint: text.exactOptional(),
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
      for (const key of ['endpoint', 'iam_endpoint'] as const) {
        const given = secret[key];
        if (given !== undefined && !parseEndpoint(given, secret.allow_http === true)) wrong(key, ENDPOINT_RULE);
      }
      const keys = (['ak', 'sk'] as const).filter((key) => secret[key] !== undefined);
      const user = (['iam_user', 'iam_password', 'domain_name'] as const).filter((key) => secret[key] !== undefined);
      if (keys.length === 0 && user.length === 0)
        wrong('ak', 'give ak and sk, or iam_user, iam_password and domain_name');
      if (keys.length > 0 && user.length > 0) wrong('ak', 'give ak and sk or an IAM user, not both');
      if (keys.length === 1) wrong(secret.ak === undefined ? 'ak' : 'sk', 'ak and sk go together');
      if (user.length > 0 && user.length < 3) wrong('iam_user', 'iam_user, iam_password and domain_name go together');
      if (keys.length === 0 && secret.security_token !== undefined) wrong('security_token', 'goes only with ak and sk');
    }),
);

export type Secret = z.output<typeof secretSchema>;

/** The secret, checked. */
export const readSecret = secretReader('DataArts', secretSchema);

/** `endpoint`, else the region's DataArts Catalog host (Huawei, "Endpoints" of DataArts Studio, read 2026-11). */
export function endpointOf(secret: Secret): Endpoint {
  const region = secret.region ?? '';
  const domain = region.startsWith('eu-west-101') ? 'myhuaweicloud.eu' : 'myhuaweicloud.com';
  const endpoint = parseEndpoint(secret.endpoint ?? `dayu.${region}.${domain}`, secret.allow_http === true);
  if (endpoint === undefined) throw unusable('DataArts', `endpoint: ${ENDPOINT_RULE}`);
  return endpoint;
}

/**
 * `iam_endpoint`, else IAM's host of the region, which the DataArts host names too; else the global one (Huawei IAM, "Obtaining
 * a User Token Through Password Authentication", read 2026-11).
 */
export function iamEndpointOf(secret: Secret): Endpoint {
  const [, hostRegion] = /^dayu\.([a-z0-9-]+)\.myhuaweicloud\./.exec(endpointOf(secret).host) ?? [];
  const region = secret.region ?? hostRegion;
  const domain = region?.startsWith('eu-west-101') ? 'myhuaweicloud.eu' : 'myhuaweicloud.com';
  const standard = region === undefined ? 'iam.myhuaweicloud.com' : `iam.${region}.${domain}`;
  const endpoint = parseEndpoint(secret.iam_endpoint ?? standard, secret.allow_http === true);
  if (endpoint === undefined) throw unusable('DataArts', `iam_endpoint: ${ENDPOINT_RULE}`);
  return endpoint;
}

/** `host/path#project/workspace`: what identifies the account in the ledger. */
export function accountOf(secret: Secret): string {
  const { host, path } = endpointOf(secret);
  return `${secret.account ?? `${host}${path}`}#${secret.project_id}/${secret.workspace_id}`;
}
