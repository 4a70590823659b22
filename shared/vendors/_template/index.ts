import * as z from 'zod';
import type { JsonObject } from '../../core/json.ts';
import { attempts } from '../../http/retry.ts';
import { ENDPOINT_RULE, parseEndpoint } from '../endpoint.ts';
import { secretReader, unusable } from '../secret.ts';
import type { Vendor, VendorClient, VendorIo } from '../vendor.ts';
import { datasetBlock, units } from './mapping.ts';
import { edgeCommand, receiptOf } from './wire.ts';

const secretSchema = z
  .strictObject({
    endpoint: z.string().min(1),
    token: z.string().min(1),
    allow_http: z.boolean().exactOptional(),
    ca_pem: z.string().exactOptional(),
    calls_per_second: z.number().positive().exactOptional(),
    calls_per_day: z.int().positive().exactOptional(),
  })
  .refine((secret) => parseEndpoint(secret.endpoint, secret.allow_http === true) !== undefined, {
    path: ['endpoint'],
    message: ENDPOINT_RULE,
  });

const readSecret = secretReader('template', secretSchema);

/** A vendor to copy. README.md says what to change, in which order. */
export const template: Vendor = {
  name: 'template',
  title: 'Template Catalog',
  mappingVersion: 1,
  limits: { columnsPerCall: 100, callsPerSecond: 5 },
  // `repeatable` only with evidence that a repeated call adds nothing twice.
  abilities: { repeatable: true, withdraw: true },
  blocks: { dataset: datasetBlock, entry: z.strictObject({}) },
  secret: secretSchema,
  account: (secret) => open(secret).host,
  units,
  connect,
};

function connect(given: JsonObject, io: VendorIo): VendorClient {
  const { base, token } = open(given);
  const verb =
    (method: 'PUT' | 'DELETE'): NonNullable<VendorClient['register']> =>
    async (call, options) => {
      const body = new TextEncoder().encode(JSON.stringify(edgeCommand(call)));
      const { value, ambiguous } = await attempts(
        async () => {
          await io.permit(options.deadlineMs);
          const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
          const answer = await io.transport.send({ method, url: `${base}/edges`, headers, body, ...options });
          return receiptOf(answer, [token]);
        },
        { max: 3, now: io.now, sleep: io.sleep, random: io.random, failed: io.failed, repeatable: true, ...options },
      );
      return { receipt: value, ambiguous };
    };
  return { register: verb('PUT'), withdraw: verb('DELETE') };
}

function open(given: JsonObject): { readonly base: string; readonly host: string; readonly token: string } {
  const secret = readSecret(given);
  const endpoint = parseEndpoint(secret.endpoint, secret.allow_http === true);
  if (endpoint === undefined) throw unusable('template', `endpoint: ${ENDPOINT_RULE}`);
  const { protocol, host, path } = endpoint;
  return { base: `${protocol}//${host}${path}`, host: `${host}${path}`, token: secret.token };
}
