import { asFailure, Failure } from '../../core/failure.ts';
import type { JsonObject } from '../../core/json.ts';
import { attempts } from '../../http/retry.ts';
import { type Acs3Request, signAcs3 } from '../../signing/acs3.ts';
import { canonicalPath, encodeForm } from '../../signing/canonical.ts';
import type { VendorClient, VendorIo } from '../vendor.ts';
import { parseAnswer } from '../vendor-text.ts';
import { type Ask, currentJobs, pathOf, pipelines } from './discovery.ts';
import { failureOf } from './failures.ts';
import { lineage } from './lineage.ts';
import { endpointOf, readSecret, type Secret } from './secret.ts';
import { API_VERSION, readEnvelope } from './wire.ts';

const MAX_ATTEMPTS = 3;
const NOTHING = new Uint8Array();

/** Flink's verbs, all of which only read. Throws `Failure` `invalid` when the secret cannot be used. */
export function connect(given: JsonObject, io: VendorIo): VendorClient {
  const secret = readSecret(given);
  const ask = asker(secret, io);
  return {
    lineage: (query, options) =>
      lineage(ask, query, { workspace: secret.workspace, namespace: query.namespace ?? secret.namespace }, options),
    probe: async (options) => {
      const query: [string, string][] = [
        ['pageIndex', '1'],
        ['pageSize', '1'],
      ];
      await ask('ListDeployments', { path: `${pathOf(secret.namespace)}/deployments`, query }, options);
    },
    pipelines: (filter, options) => pipelines(ask, filter.namespace ?? secret.namespace, filter, options),
    jobsOf: ({ id, namespace }, options) => currentJobs(ask, namespace, id, options),
  };
}

/** Signs anew and takes a new permit for every attempt: a nonce is good for one. Reads are always safe to send again. */
function asker(secret: Secret, io: VendorIo): Ask {
  const { protocol, host, path: prefix } = endpointOf(secret);
  const credentials = {
    accessKeyId: secret.access_key_id,
    accessKeySecret: secret.access_key_secret,
    ...(secret.security_token === undefined ? {} : { securityToken: secret.security_token }),
  };
  const secrets = [secret.access_key_secret, secret.security_token, secret.access_key_id];
  return async (operation, { path, query = [], body: json }, options) => {
    const body = json === undefined ? NOTHING : new TextEncoder().encode(JSON.stringify(json));
    const request: Acs3Request = {
      method: json === undefined ? 'GET' : 'POST',
      host,
      path,
      query,
      headers: {
        ...(json === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
        accept: 'application/json',
        // In the header and in the body, and not signed: so the vendor's own SDK does it.
        workspace: secret.workspace,
      },
      body,
      action: operation,
      version: API_VERSION,
    };
    const url = `${protocol}//${host}${prefix}${canonicalPath(path)}${query.length === 0 ? '' : `?${encodeForm(query)}`}`;
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    const { value } = await attempts(
      async () => {
        await io.permit(options.deadlineMs);
        const headers = signAcs3(request, credentials, { date: new Date(io.now()), nonce: io.nonce() });
        const answer = await io.transport
          .send({
            method: json === undefined ? 'GET' : 'POST',
            url,
            headers,
            ...(json === undefined ? {} : { body }),
            deadlineMs: options.deadlineMs,
            ...signal,
          })
          .catch(unanswered);
        const envelope = readEnvelope(parseAnswer(answer.body));
        const inTwoHundreds = answer.status >= 200 && answer.status < 300;
        if (inTwoHundreds && envelope?.success === true) return envelope;
        throw failureOf(operation, answer, envelope, secrets, io.now());
      },
      {
        max: MAX_ATTEMPTS,
        deadlineMs: options.deadlineMs,
        now: io.now,
        sleep: io.sleep,
        random: io.random,
        failed: io.failed,
        repeatable: true,
        ...signal,
      },
    );
    return value;
  };
}

/** A read without an answer changed nothing, so there is no doubt to carry on. */
function unanswered(thrown: unknown): never {
  const failure = asFailure(thrown);
  if (!failure.maybeApplied) throw failure;
  throw new Failure('unavailable', `${failure.message} Try again later.`, { cause: failure });
}
