import { gzipSync } from 'node:zlib';
import fc from 'fast-check';

/** Text that has broken something somewhere: paths that climb, names of prototypes, marks that turn or join, ends of lines. */
const TEXTS = [
  '..',
  '../..',
  '%2e%2e',
  '..%2f..%2f',
  '%',
  '%ZZ',
  '%00',
  '%0d%0a',
  '\u0000',
  '\r\nx-evil: 1',
  '\\',
  '/',
  '//',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '\u202e',
  '\u2066',
  '\ufeff',
  '\u00e9',
  'e\u0301',
  '\u212b',
  '\ud800',
  '\udfff',
  '\u{1f600}',
  'İ',
  'ſ',
  '$\u007bjndi:ldap://x}',
  '{{7*7}}',
  "' or 1=1",
  '<script>',
  '"',
  '\u001b[31m',
  'a'.repeat(3_000),
  '%41'.repeat(400),
  '0x10',
  '1e999',
  '-1',
  'NaN',
  '9'.repeat(400),
  'null',
  'true',
  '',
];
export const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...TEXTS) },
  fc.string({ unit: 'binary', maxLength: 30 }),
);

/** Names that are asked for somewhere, with anything. */
const NAMES = [
  'dataset',
  'job',
  'table',
  'depth',
  'direction',
  'level',
  'to',
  'from',
  'format',
  'after',
  'limit',
  'owner',
  'part',
  'target',
  'outcome',
  'q',
  'nodeId',
  'signature',
  'expires',
  'OpTenantId',
  'Action',
  'deep',
  '__proto__',
];
const VALUES = [
  'both',
  'column',
  'json',
  'svg',
  'openlineage',
  'csv',
  'dot',
  'compare',
  'plan',
  'dataphin',
  'flink',
  'ledger',
  'dataphin:odps.1.p.a',
  'hive://h/db.t',
  'manifests/a.json',
  '1',
  '50',
  '2147483648',
];
const value = fc.oneof(text, fc.constantFrom(...VALUES));
const parameter = fc.tuple(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...NAMES) }, text), value);

function encoded(part: string): string {
  return encodeURIComponent(part.toWellFormed());
}

export const query = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .array(parameter, { maxLength: 6 })
      .map((all) => all.map(([name, of]) => `${encoded(name)}=${encoded(of)}`).join('&')),
  },
  { weight: 1, arbitrary: text },
  { weight: 1, arbitrary: fc.constant(Array.from({ length: 20_000 }, (_, at) => `p${at}=1`).join('&')) },
);

const PATHS = [
  '/',
  '/lineage',
  '/lineage/withdraw',
  '/links',
  '/manifests',
  '/names/unresolved',
  '/reconcile',
  '/plan',
  '/replay',
  '/api/v1/lineage',
  '/api/v1/lineage/batch',
  '/webhooks/manifest',
  '/api/v1/namespaces',
  '/api/v1/events/lineage',
  '/api/v1/search',
  '/meta/v2/lineage',
  '/v1/p/lineage/lineage-info',
  '/__proto__',
];
const UNDER = ['/manifests/', '/status/', '/api/v1/namespaces/', '/api/v1/jobs/', '/v1/'];
export const path = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...PATHS) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...UNDER),
        fc.array(text, { minLength: 1, maxLength: 5 }),
        fc.constantFrom('', '.json', '.yaml'),
        fc.boolean(),
      )
      .map(
        ([under, parts, end, raw]) => `${under}${parts.map((part) => (raw ? part : encoded(part))).join('/')}${end}`,
      ),
  },
  { weight: 1, arbitrary: text },
);

/** A path of a route, with anything where it leaves room. */
export function filled(pattern: string): fc.Arbitrary<string> {
  const parts = pattern.split('/').map((part) => {
    if (!part.startsWith('{')) return fc.constant(part);
    const one = fc.oneof(text.map(encoded), fc.constantFrom('a.json', 'shop', 'x.yaml', 'p'), text);
    return part.endsWith('+}') ? fc.array(one, { minLength: 1, maxLength: 4 }).map((all) => all.join('/')) : one;
  });
  return fc.tuple(...parts).map((all) => all.join('/'));
}

export const method = fc.constantFrom(
  'GET',
  'PUT',
  'POST',
  'DELETE',
  'OPTIONS',
  'HEAD',
  'PATCH',
  'get',
  '',
  '__proto__',
);

const HEADERS = [
  'content-type',
  'content-encoding',
  'accept',
  'accept-encoding',
  'authorization',
  'x-acs-action',
  'x-acs-version',
  'x-acs-date',
  'x-auth-token',
  'x-sdk-date',
  'workspace',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'origin',
  'host',
  '__proto__',
  'constructor',
];
const HEADER_VALUES = [
  'application/yaml',
  'application/json',
  'gzip',
  'br',
  'text/markdown',
  'AddRegisterLineage',
  'DeleteRegisterLineage',
  'GetLineageInfo',
  '2023-06-30',
  'Bearer x',
  'ACS3-HMAC-SHA256 Credential=a,SignedHeaders=;;,Signature=0',
  'SDK-HMAC-SHA256 Access=a, SignedHeaders=, Signature=',
];
export const headers = fc
  .array(fc.tuple(fc.constantFrom(...HEADERS), fc.oneof(fc.constantFrom(...HEADER_VALUES), text)), { maxLength: 5 })
  .map((all) => Object.fromEntries(all.filter(([name]) => name !== '__proto__')) as Record<string, string>);

const deep = (depth: number, open: string, close: string) => `${open.repeat(depth)}1${close.repeat(depth)}`;
const nested = fc.constantFrom(
  deep(100, '[', ']'),
  deep(50_000, '[', ']'),
  deep(20_000, '{"a":', '}'),
  `{"lineage":${deep(5_000, '[', ']')}}`,
  '['.repeat(100_000),
);
const BOMB = [
  'a: &a [1,1,1,1,1,1,1,1,1,1]',
  ...'bcdefghij'
    .split('')
    .map((name, at) => `${name}: &${name} [${Array.from({ length: 10 }, () => `*${'abcdefghij'[at]}`).join(',')}]`),
].join('\n');
const prototypes = fc.constantFrom(
  '{"__proto__":{"polluted":1}}',
  '{"version":1,"lineage":[],"constructor":{"prototype":{"polluted":1}}}',
  '{"version":1,"datasets":{"__proto__":{}},"lineage":[]}',
  '__proto__: { polluted: 1 }\nversion: 1',
  '{"owners":["__proto__"]}',
  '{"eventType":"COMPLETE","__proto__":{"polluted":1}}',
);
const zipped = fc.constantFrom(
  gzipSync(Buffer.alloc(40 * 1024 * 1024)),
  gzipSync('{}').subarray(0, 12),
  gzipSync(deep(50_000, '[', ']')),
  Buffer.from([0x1f, 0x8b]),
  Buffer.from([0x1f, 0xef, 0xbf, 0xbd]),
);

/** A manifest, an event, or an order, in which some pieces are odd. */
const whole = fc
  .tuple(text, text, fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(0, 1, 2, 3, 4))
  .map(([one, two, any, kind]) => {
    const dataset = (name: string) => ({ dataphin: { guid: `odps.1.p.${name}` } });
    const manifest = {
      version: 1,
      datasets: { a: dataset(one), b: dataset(two) },
      lineage: [{ from: 'a', to: 'b', columns: { [one]: two } }],
    };
    const event = {
      eventType: 'COMPLETE',
      eventTime: '2026-11-21T00:00:00Z',
      producer: 'p',
      run: { runId: one },
      job: { namespace: one, name: two },
      inputs: [{ namespace: two, name: one }],
      outputs: [{ namespace: one, name: two, facets: any }],
    };
    const order = { owners: [one], dryRun: true, manifests: { [`manifests/${two}.json`]: one } };
    return JSON.stringify([manifest, event, order, { ...manifest, extra: any }, [event, any, event]][kind]);
  });

export const body = fc.oneof(
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 2, arbitrary: nested.map((of) => Buffer.from(of)) },
  { weight: 2, arbitrary: prototypes.map((of) => Buffer.from(of)) },
  { weight: 1, arbitrary: fc.constant(Buffer.from(BOMB)) },
  { weight: 1, arbitrary: zipped },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 4 }).map((of) => Buffer.from(JSON.stringify(of))) },
  { weight: 6, arbitrary: whole.map((of) => Buffer.from(of)) },
  { weight: 1, arbitrary: text.map((of) => Buffer.from(of)) },
);
