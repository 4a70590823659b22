import { randomUUID } from 'node:crypto';
import { acs3, acsDate, bodyHash, sdkDate, sdkHmac } from './signers.ts';

/** Parsed JSON of any shape: every step into it is allowed, what is there is for the test to say. */
export interface Tree {
  readonly [key: string]: Tree;
}

/** What came back; `body` is the parsed JSON, or the text when it is none. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Tree;
}

/** One member of every element of a JSON array. */
export function pluck(list: unknown, member: string): unknown[] {
  if (!Array.isArray(list)) throw new Error(`Expected a list, got ${JSON.stringify(list)}`);
  return list.map((one: Tree) => one[member]);
}

/** What stands at a path of keys and indexes; undefined when there is nothing. */
export function at(body: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    body,
  );
}

export async function http(url: string | URL, init: RequestInit): Promise<Reply> {
  const response = await fetch(url, init);
  const text = await response.text();
  try {
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  } catch {
    return { status: response.status, headers: response.headers, body: text as unknown as Tree };
  }
}

export function sandbox(base: string, method: string, path: string, value?: unknown): Promise<Reply> {
  return http(`${base}/_sandbox/${path}`, {
    method,
    ...(value === undefined ? {} : { body: JSON.stringify(value), headers: { 'content-type': 'application/json' } }),
  });
}

/** How one Dataphin call differs from a right one. Headers set to '' are left out. */
export interface DataphinCall {
  readonly query?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, unknown>>;
  readonly rawBody?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signed?: readonly string[];
  readonly id?: string;
  readonly key?: string;
  readonly method?: string;
  readonly path?: string;
  readonly now?: number;
  /** Changes the body after it was signed. */
  readonly tamper?: (body: string) => string;
  readonly authorization?: (header: string) => string;
}

export function callDataphin(base: string, action: string, call: DataphinCall = {}): Promise<Reply> {
  const url = new URL(call.path ?? '/', base);
  for (const [name, value] of Object.entries(call.query ?? { OpTenantId: '30001011' }))
    url.searchParams.set(name, value);
  const form = Object.entries(call.form ?? {}).map(
    ([key, value]) => `${key}=${encodeURIComponent(JSON.stringify(value))}`,
  );
  const body = call.rawBody ?? form.join('&');
  const all: Record<string, string> = {
    ...(body === '' ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    host: url.host,
    'x-acs-action': action,
    'x-acs-content-sha256': bodyHash(body),
    'x-acs-date': acsDate(call.now ?? Date.now()),
    'x-acs-signature-nonce': randomUUID(),
    'x-acs-version': '2023-06-30',
    ...call.headers,
  };
  const headers = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
  const method = call.method ?? 'POST';
  const id = call.id ?? 'simulatedAccessKeyId';
  const right = acs3({ method, url, headers, body }, id, call.key ?? 'simulatedAccessKeySecret', call.signed);
  const sent = (call.tamper ?? ((text) => text))(body);
  const authorization = call.authorization?.(right) ?? right;
  return http(url, {
    method,
    headers: { ...headers, ...(authorization === '' ? {} : { authorization }) },
    ...(method === 'GET' || sent === '' ? {} : { body: sent }),
  });
}

export const table = (guid: string) => ({ ReferenceType: 'BY_GUID', Guid: guid, MetadataType: 'TABLE' });
export const A = 'odps.300000001.project1.a';
export const B = 'odps.300000001.project1.b';

export function detail(from: string, to: string, source = A, target = B): object {
  const column = (guid: string, name: string) => ({
    ReferenceType: 'BY_GUID',
    Guid: `${guid}.${name}`,
    ParentGuid: guid,
    MetadataType: 'COLUMN',
  });
  return { Source: column(source, from), Target: column(target, to) };
}

/** A command for the pair a → b with these column pairs. */
export function command(
  columns: readonly (readonly [string, string])[] = [],
  more: object = {},
): Record<string, unknown> {
  return {
    Source: table(A),
    Target: table(B),
    ...(columns.length === 0 ? {} : { DetailedLineages: columns.map(([from, to]) => detail(from, to)) }),
    ...more,
  };
}

export const add = (base: string, value: unknown, call: DataphinCall = {}) =>
  callDataphin(base, 'AddRegisterLineage', { form: { AddRegisterLineageCommand: value }, ...call });
export const remove = (base: string, value: unknown, call: DataphinCall = {}) =>
  callDataphin(base, 'DeleteRegisterLineage', { form: { DeleteRegisterLineageCommand: value }, ...call });

/** How one DataArts call differs from a right one. Headers set to '' are left out. */
export interface DataArtsCall {
  readonly body?: unknown;
  readonly rawBody?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signed?: readonly string[];
  readonly ak?: string;
  readonly sk?: string;
  readonly method?: string;
  readonly path?: string;
  readonly now?: number;
  readonly tamper?: (body: string) => string;
  readonly authorization?: (header: string) => string;
}

export const PROJECT = '0833a5737480d53b2f25c010dc1a7b88';
export const WORKSPACE = '1b59d3c777ad4d619b89eeac4f3cce87';

export function callDataArts(base: string, call: DataArtsCall = {}): Promise<Reply> {
  const url = new URL(call.path ?? `/v1/${PROJECT}/lineage/lineage-info`, base);
  const body = call.rawBody ?? (call.body === undefined ? '' : JSON.stringify(call.body));
  const all: Record<string, string> = {
    'content-type': 'application/json',
    host: url.host,
    workspace: WORKSPACE,
    'x-project-id': PROJECT,
    'x-sdk-date': sdkDate(call.now ?? Date.now()),
    ...call.headers,
  };
  const headers = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
  const method = call.method ?? 'POST';
  const right = sdkHmac(
    { method, url, headers, body },
    call.ak ?? 'SIMULATEDACCESSKEY00',
    call.sk ?? 'simulatedSecretKey',
    call.signed,
  );
  const sent = (call.tamper ?? ((text) => text))(body);
  const authorization = call.authorization?.(right) ?? right;
  return http(url, {
    method,
    headers: { ...headers, ...(authorization === '' ? {} : { authorization }) },
    ...(method === 'GET' || sent === '' ? {} : { body: sent }),
  });
}

export function lineageInfo(more: object = {}, columns?: unknown): Record<string, unknown> {
  return {
    job_id: 'job1',
    node_name: 'load',
    table_lineage: {
      input_tables: [{ database: 'db', schema: '', table: 'a' }],
      output_tables: [{ database: 'db', schema: '', table: 'b' }],
      ...(columns === undefined ? {} : { column_lineages: columns }),
    },
    ...more,
  };
}
