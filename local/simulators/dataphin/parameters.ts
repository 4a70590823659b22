import { type Refusal, refusal } from '../alibaba-gateway.ts';
import { decodePairs, sameSecret } from '../percent.ts';
import type { Arrived, Json } from '../product.ts';

export type Parameters = ReadonlyMap<string, Json>;

/** Query and form as maps, every form field parsed as JSON; the refusal when something cannot be decoded. */
export function decodeParameters(
  arrived: Arrived,
): Refusal | { readonly query: Parameters; readonly form: Parameters } {
  const broken = (why: string) => refusal(400, 'InvalidParameter.Format', why);
  const query = decodePairs(arrived.query);
  if (query === undefined) return broken('The query holds a broken percent escape.');
  const parameters = new Map<string, Json>(query);
  if (parameters.size !== query.length) return broken('The query repeats a parameter.');

  const isForm = /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(arrived.headers['content-type'] ?? '');
  if (arrived.body.length > 0 && !isForm) return broken('The content type must be application/x-www-form-urlencoded.');
  const fields = decodePairs(arrived.body.toString('utf8'));
  if (fields === undefined) return broken('The form holds a broken percent escape.');
  const form = new Map<string, Json>();
  for (const [name, text] of fields) {
    if (form.has(name)) return broken(`The form repeats ${name}.`);
    try {
      form.set(name, JSON.parse(text) as Json);
    } catch {
      return refusal(400, `Invalid${name}`, `Specified parameter ${name} is not valid: its value must be JSON.`);
    }
  }
  return { query: parameters, form };
}

/** Permission first, then the tenant (Alibaba Dataphin, "Register data lineage using OpenAPI", error codes). */
export function callerRefusal(tenant: unknown, ownTenant: string, permission: boolean): Refusal | undefined {
  if (!permission) {
    return refusal(401, 'DataphinOpenAPIRamUnAuthorized', 'The caller is not authorized by RAM to call this OpenAPI.');
  }
  if (tenant === undefined || tenant === '') {
    return refusal(400, 'MissingOpTenantId', 'OpTenantId is mandatory for this action.');
  }
  if (typeof tenant !== 'string' || !/^\d{1,19}$/.test(tenant) || BigInt(tenant) >= 2n ** 63n) {
    return refusal(400, 'InvalidOpTenantId', 'Specified parameter OpTenantId is not valid: a decimal long is.');
  }
  return sameSecret(tenant, ownTenant)
    ? undefined
    : refusal(403, 'DataphinOpenApiForbidden', 'You have no permission to call this OpenAPI, maytenantId is wrong.');
}
