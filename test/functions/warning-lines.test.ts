import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { formatPath, parsePath } from '../../shared/core/position.ts';
import { withLines } from '../../shared/parse.ts';
import { type Local, local } from './local.ts';

/** Each warning that a manifest can have, and the line where it belongs. */
const MANIFEST = `version: 1
datasets:
  a: { namespace: "hive://h", name: db.a, dataphin: { guid: odps.1.p.a }, dataarts: { database: d, table: a } }
  b: { dataphin: { guid: odps.1.p.b }, dataarts: { database: d, table: b } }
  twin: { dataphin: { name: b, schema: p }, dataarts: { database: d, table: twin } }
  "unused":
    dataphin: { guid: odps.1.p.unused }
  alike:
    namespace: "hive://h"
    name: db.a
    dataphin: { guid: odps.1.p.other }
lineage:
  - from: a
    to: b
    dataarts: { jobId: j, nodeName: n, connectionName: one }
  - { from: alike, to: b, dataarts: { jobId: j } }
  - from: a
    to: b
    dataarts: { jobId: j, nodeName: n, connectionName: two }
  - { from: a, to: twin }
  - { from: [a, alike], to: [b, twin] }
`;

const WARNINGS = [
  [6, 'datasets.unused', /is not used/],
  [11, 'datasets.alike.dataphin', /has another dataphin name under the alias a/],
  [13, 'lineage[0]', /differ in connectionName/],
  [20, 'lineage[3]', /look like one table/],
  [21, 'lineage[4]', /declare all 4 pairs/],
] as const;

function expectLines({ problems = [] }: StatusDocument): void {
  for (const problem of problems) expect(problem).toMatchObject({ line: expect.any(Number) });
  for (const [line, path, message] of WARNINGS) {
    expect(problems).toContainEqual({ path, message: expect.stringMatching(message), line });
  }
}

async function put(here: Local, text: string, name = 'a.yaml'): Promise<StatusDocument> {
  const answer = await here.request('PUT', `/manifests/${name}`, text);
  expect(answer.status).toBe(200);
  return (await answer.json()) as StatusDocument;
}

describe('warnings have a line', () => {
  it('in the answer and in the status document, also when a thread of its own reads the manifest', async () => {
    const here = await local();
    expectLines(await put(here, MANIFEST));
    expectLines(await here.statusWhen('manifests/a.yaml', ({ problems }) => problems !== undefined));
    expectLines(await put(here, `${MANIFEST}# ${'x'.repeat(200_000)}\n`, 'large.yaml'));
  });

  it('and so do keys that only functions write', async () => {
    const here = await local();
    const text = 'version: 1\nlineage: []\nomitted: { edges: 1, columns: 0 }\n';
    const answer = await here.request('PUT', '/manifests/a.yaml', text);
    expect(await answer.json()).toMatchObject({ errors: [{ path: 'omitted', line: 3 }] });
    await here.drop('manifests/b.yaml', text);
    const status = await here.statusWhen('manifests/b.yaml', ({ state }) => state === 'invalid');
    expect(status.problems).toMatchObject([{ path: 'omitted', line: 3 }]);
  });

  test('nothing is read again for problems that have one, or when there are none', async () => {
    const never = () => Promise.reject(new Error('was read again'));
    const bytes = Buffer.from('a: 1\n');
    expect(await withLines([], bytes, 'yaml', never)).toEqual([]);
    const located = [{ path: 'a', message: 'm', line: 7 }];
    expect(await withLines(located, bytes, 'yaml', never)).toBe(located);
  });

  test('a path reads as it was written', () => {
    const step = fc.oneof(fc.nat(), fc.string(), fc.constantFrom('a', 'a.b', 'a"]', '\\', 'constructor', '$x-1', '0'));
    void fc.assert(
      fc.property(fc.array(step), (path) => {
        expect(parsePath(formatPath(path))).toEqual(path);
      }),
    );
  });
});

describe('a dropped file over the limit', () => {
  it.each([
    ['yaml', 2 * 1_048_576, /\(2\.0 MiB\); the limit is 2\.0 MiB\. Split it into several .*or write it as JSON/],
    ['json', 5 * 1_048_576, /\(5\.0 MiB\); the limit is 5\.0 MiB\. Split it into several/],
  ] as const)('says how to split it and shows no path of the server: %s', async (format, limit, message) => {
    const here = await local();
    await here.drop(`manifests/big.${format}`, ' '.repeat(limit + 1));
    const { problems } = await here.statusWhen(`manifests/big.${format}`, ({ state }) => state === 'invalid');
    expect(problems).toEqual([{ path: '', message: expect.stringMatching(message) }]);
    expect(problems?.[0]?.message).toContain(`the document has ${limit + 1} bytes`);
    expect(JSON.stringify(problems)).not.toContain(here.dataDir);
  });
});
