import { Failure } from '../../core/failure.ts';
import type { JsonObject } from '../../core/json.ts';
import { attempts } from '../../http/retry.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import { signSdkHmac } from '../../signing/sdk-hmac.ts';
import type { Receipt, VendorClient, VendorIo } from '../vendor.ts';
import { parseAnswer, vendorText } from '../vendor-text.ts';
import { failureOf } from './failures.ts';
import { endpointOf, readSecret, type Secret } from './secret.ts';
import { createdSchema, lineageInfo, nodeOf } from './wire.ts';

const MAX_ATTEMPTS = 3;
const OPERATION = 'CreateLineageInfo';

/**
 * DataArts's one verb for the account of a secret. Throws `Failure`: `invalid` when the secret cannot be used, `unsupported`
 * when it holds an IAM user instead of keys.
 */
export function connect(given: JsonObject, io: VendorIo): VendorClient {
  const secret = readSecret(given);
  const credentials = credentialsOf(secret);
  const { protocol, host, path } = endpointOf(secret);
  const target = `${path}/v1/${encodeURIComponent(secret.project_id)}/lineage/lineage-info`;
  const secrets = [secret.sk, secret.security_token, secret.ak];
  return {
    register: async (call, options) => {
      const body = new TextEncoder().encode(JSON.stringify(lineageInfo(call)));
      const request = {
        method: 'POST' as const,
        host,
        path: target,
        query: [],
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          workspace: nodeOf(call).workspaceId,
          'x-project-id': secret.project_id,
        },
        body,
      };
      const { value, ambiguous } = await attempts(
        async () => {
          await io.permit(options.deadlineMs);
          const answer = await io.transport.send({
            method: 'POST',
            url: `${protocol}//${host}${target}`,
            headers: signSdkHmac(request, credentials, { date: new Date(io.now()) }),
            body,
            deadlineMs: options.deadlineMs,
            freshConnection: true,
            ...(options.signal === undefined ? {} : { signal: options.signal }),
          });
          return receiptOf(answer, secrets, io.now());
        },
        {
          max: MAX_ATTEMPTS,
          deadlineMs: options.deadlineMs,
          now: io.now,
          sleep: io.sleep,
          random: io.random,
          repeatable: false,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        },
      );
      return { ...value, ambiguous };
    },
  };
}

function credentialsOf(secret: Secret): { readonly ak: string; readonly sk: string; readonly securityToken?: string } {
  const { ak, sk, security_token: securityToken } = secret;
  if (ak === undefined || sk === undefined) {
    throw new Failure(
      'unsupported',
      'Signing in to DataArts with iam_user, iam_password and domain_name is not supported yet. Put "ak" and "sk" of that user into the target\'s secret instead (Huawei recommends it).',
    );
  }
  return { ak, sk, ...(securityToken === undefined ? {} : { securityToken }) };
}

/** Status 200 and an array with at least one element; whatever else a 2xx brings may have been done. */
function receiptOf(
  answer: HttpAnswer,
  secrets: readonly (string | undefined)[],
  nowMs: number,
): Omit<Receipt, 'ambiguous'> {
  if (answer.status !== 200) throw failureOf(OPERATION, answer, secrets, nowMs);
  const created = createdSchema.safeParse(parseAnswer(answer.body));
  if (!created.success) throw failureOf(OPERATION, answer, secrets, nowMs);
  const [node] = created.data;
  return { receipt: vendorText(node?.qualified_name ?? node?.name ?? answer.headers['x-request-id'], secrets) };
}
