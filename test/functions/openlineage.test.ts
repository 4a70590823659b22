import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Graph } from '../../shared/core/graph.ts';
import { withEvidence } from '../../shared/intake/evidence.ts';
import { type Local, local, outcomes, until } from './local.ts';

const NAMING = `
version: 1
rules:
  - match: { namespace: "hive://*", name: "{database}.{table}" }
    dataphin: { guid: "odps.300000001.{database}.{table}" }
    dataarts: { database: "{database}", table: "{table}" }
`;

const HIVE = 'hive://metastore:9083';
const JOB = { namespace: 'airflow-prod', name: 'orders.load' };
const table = (name: string, facets?: object) => ({ namespace: HIVE, name, ...(facets ? { facets } : {}) });

interface EventParts {
  type?: string;
  at?: string;
  run?: string;
  job?: { namespace: string; name: string; facets?: object };
  inputs?: object[];
  outputs?: object[];
}

const event = ({
  type = 'COMPLETE',
  at = '2026-11-20T02:00:00Z',
  run = 'r1',
  job = JOB,
  inputs,
  outputs,
}: EventParts) => ({
  eventType: type,
  eventTime: at,
  run: { runId: run },
  job,
  producer: 'https://github.com/apache/airflow',
  ...(inputs ? { inputs } : {}),
  ...(outputs ? { outputs } : {}),
});

const OWNER = 'openlineage/airflow-prod/orders.load.json';

async function started(environment: Record<string, string> = {}, naming = NAMING, folder?: string): Promise<Local> {
  const at = await local(environment, folder);
  await at.drop('naming.yaml', naming);
  return at;
}

const post = (at: Local, body: unknown, path = '/api/v1/lineage', headers: Record<string, string> = {}) =>
  at.request('POST', path, JSON.stringify(body), { 'content-type': 'application/json', ...headers });

const shown = async (at: Local) =>
  (await at.dataphin()).map(({ source, target }) => `${source} > ${target}`.replaceAll('odps.300000001.', '')).sort();

interface Document {
  readonly datasets: Record<string, { name: string }>;
  readonly lineage: { from: string[]; to: string; columns?: unknown }[];
  readonly evidence: { event: string; run?: string; eventTime: string; producer: string; edges: [string, string][] }[];
}

async function declaration(at: Local, owner = OWNER): Promise<Document | undefined> {
  const text = await readFile(join(at.runtime.bucket, owner), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Document);
}

describe('an event', () => {
  it('is answered 201 with an empty body, and its run accumulates: START with inputs, COMPLETE with outputs', async () => {
    const at = await started();
    const first = await post(at, event({ type: 'START', at: '2026-11-20T01:00:00Z', inputs: [table('ods.a')] }));
    expect([first.status, first.headers.get('content-length'), await first.text()]).toEqual([201, '0', '']);
    expect((await post(at, event({ outputs: [table('dw.b')] }))).status).toBe(201);
    const status = await at.statusWhen(OWNER, ({ state }) => state === 'converged');
    expect(outcomes(status, 'dataphin')).toEqual(['registered']);
    expect(await shown(at)).toEqual(['ods.a > dw.b']);
    const document = await declaration(at);
    expect(document?.evidence).toEqual([
      {
        event: 'run',
        run: 'r1',
        eventTime: '2026-11-20T02:00:00.000000000Z',
        producer: 'https://github.com/apache/airflow',
        edges: [['d2', 'd1']],
      },
    ]);
  });

  it('comes in at every way clients write the path, zipped or not, with the header or without, chunked', async () => {
    const at = await started();
    const paths = ['/api/v1/lineage', '/api/v1/lineage/', '//api/v1/lineage', '/api/v1//lineage/'];
    for (const [n, path] of paths.entries()) {
      const body = event({
        run: `p${n}`,
        inputs: [table(`ods.p${n}`)],
        outputs: [table('dw.paths')],
        job: { namespace: 'n', name: `p${n}` },
      });
      expect((await post(at, body, path)).status).toBe(201);
    }
    const zipped = (n: string) =>
      gzipSync(
        JSON.stringify(
          event({ run: n, inputs: [table(`ods.${n}`)], outputs: [table('dw.zip')], job: { namespace: 'n', name: n } }),
        ),
      );
    expect((await at.request('POST', '/api/v1/lineage', zipped('z1'), { 'content-encoding': 'gzip' })).status).toBe(
      201,
    );
    expect((await at.request('POST', '/api/v1/lineage', zipped('z2'))).status).toBe(201);
    const chunked = await new Promise<number>((done, fail) => {
      const sent = httpRequest(
        `${at.runtime.url}/api/v1/lineage`,
        { method: 'POST', headers: { 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' } },
        (answer) => {
          answer.resume();
          done(answer.statusCode ?? 0);
        },
      );
      sent.on('error', fail);
      const bytes = zipped('z3');
      sent.write(bytes.subarray(0, 20));
      setTimeout(() => sent.end(bytes.subarray(20)), 20);
    });
    expect(chunked).toBe(201);
    await until(
      async () => (await shown(at)).length === 7,
      8_000,
      () => 'seven edges',
    );
  });

  it('that is wrong is refused with every problem, and nothing is stored', async () => {
    const at = await started();
    const bad = await post(at, {
      eventTime: 'yesterday',
      run: {},
      job: { namespace: '', name: 'j' },
      inputs: [{ namespace: 'n' }],
    });
    expect(bad.status).toBe(400);
    const { errors } = (await bad.json()) as { errors: { path: string }[] };
    expect(errors.map(({ path }) => path).sort()).toEqual([
      'eventTime',
      'inputs[0].name',
      'job.namespace',
      'run.runId',
    ]);
    expect((await post(at, {})).status).toBe(400);
    expect((await at.request('POST', '/api/v1/lineage', 'no json')).status).toBe(400);
    expect((await at.request('POST', '/api/v1/lineage', gzipSync('{}').subarray(0, 12))).status).toBe(400);
    const soup = await at.request('POST', '/api/v1/lineage', Buffer.from(gzipSync('{}').toString('utf8')));
    expect([soup.status, (await soup.text()).includes('gzip')]).toEqual([400, true]);
    expect((await at.request('POST', '/api/v1/lineage', '{}', { 'content-encoding': 'br' })).status).toBe(415);
    const bomb = await at.request('POST', '/api/v1/lineage', gzipSync(Buffer.alloc(40 * 1024 * 1024)));
    expect([bomb.status, bomb.headers.get('retry-after')]).toEqual([413, null]);
    expect((await at.request('GET', '/api/v1/lineage/batch')).status).toBe(405);
  });

  it('that is too large is refused for good, and told which facet makes it so', async () => {
    const at = await started();
    const job = { ...JOB, facets: { 'spark.logicalPlan': { plan: 'x'.repeat(7 * 1024 * 1024) }, small: { a: 1 } } };
    const answer = await post(at, event({ job }));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([413, null]);
    expect(await answer.text()).toContain('job.facets.spark.logicalPlan');
  });

  it('may be larger than a queue message', async () => {
    const at = await started();
    const inputs = Array.from({ length: 3_000 }, (_, n) =>
      table(`ods.t${n}`, { schema: { fields: [{ name: `column_${n}_${'x'.repeat(60)}` }] } }),
    );
    expect(
      (
        await post(
          at,
          event({
            inputs: inputs.slice(0, 40).concat(inputs.slice(40).map((each) => ({ ...each, name: 'ods.t0' }))),
            outputs: [table('dw.wide')],
          }),
        )
      ).status,
    ).toBe(201);
    await until(async () => (await shown(at)).length === 40);
    expect(
      await readdir(join(at.runtime.bucket, 'inbox'), { recursive: true }).then((names) =>
        names.filter((name) => name.endsWith('.gz')),
      ),
    ).toEqual([]);
  });
});

describe('a batch', () => {
  it('is answered event by event', async () => {
    const at = await started();
    const answer = await post(
      at,
      [event({ inputs: [table('ods.a')], outputs: [table('dw.b')] }), { run: { runId: 'x' } }],
      '/api/v1/lineage/batch/',
    );
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as {
      status: string;
      summary: object;
      failed_events: { index: number; reason: string; retriable: boolean }[];
    };
    expect(body).toMatchObject({
      status: 'partial_success',
      summary: { received: 2, successful: 1, failed: 1, retriable: 0, non_retriable: 1 },
      failed_events: [{ index: 1, retriable: false }],
    });
    expect(body.failed_events[0]?.reason).toContain('eventTime');
    await until(async () => (await shown(at)).length === 1);
    expect((await post(at, {}, '/api/v1/lineage/batch')).status).toBe(400);
  });
});

describe('what a job declares', () => {
  it('does not depend on order, repetition or concurrency', async () => {
    const at = await started();
    const events = ['s1', 's2', 's3', 's4'].flatMap((run, n) => [
      event({
        type: 'START',
        run,
        at: `2026-11-0${n + 1}T01:00:00Z`,
        inputs: [table(`ods.${run}`), table('ods.both')],
      }),
      event({ type: 'RUNNING', run, at: `2026-11-0${n + 1}T02:00:00Z`, outputs: [table('dw.out')] }),
      event({ run, at: `2026-11-0${n + 1}T03:00:00Z` }),
    ]);
    const scrambled = [...events, ...events, ...events]
      .map((each, n) => ({ each, order: (n * 7_919) % 37 }))
      .sort((a, b) => a.order - b.order);
    const answers = await Promise.all(scrambled.map(({ each }) => post(at, each)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    const wanted = ['ods.both > dw.out', 'ods.s2 > dw.out', 'ods.s3 > dw.out', 'ods.s4 > dw.out'];
    await until(
      async () => JSON.stringify(await shown(at)) === JSON.stringify(wanted),
      10_000,
      () => 'the last three runs',
    );
    const document = await declaration(at);
    expect(document?.evidence.map(({ run, edges }) => [run, edges.length])).toEqual([
      ['s2', 1],
      ['s3', 1],
      ['s4', 2],
    ]);
  });

  it('is withdrawn by a JobEvent with empty inputs, not by silence', async () => {
    const at = await started();
    const job = { eventTime: '2026-11-20T01:00:00Z', job: JOB, producer: 'ci' };
    await post(at, { ...job, inputs: [table('ods.a')], outputs: [table('dw.b')] });
    await until(async () => (await shown(at)).length === 1);
    await post(at, { ...job, eventTime: '2026-11-20T02:00:00Z', outputs: [table('dw.b')] });
    await post(at, event({ at: '2026-11-20T02:30:00Z', inputs: [], outputs: [] }));
    await post(at, { ...job, eventTime: '2026-11-20T03:00:00Z', inputs: [], outputs: [table('dw.b')] });
    await until(async () => (await shown(at)).length === 0);
    expect((await declaration(at))?.lineage).toEqual([]);
  });

  it('follows a rename, and loses what is dropped and stays so', async () => {
    const at = await started();
    await post(at, event({ inputs: [table('ods.a')], outputs: [table('dw.old'), table('dw.gone')] }));
    await until(async () => (await shown(at)).length === 2);
    const lifecycleStateChange = (change: string) => ({
      lifecycleStateChange: { lifecycleStateChange: change, previousIdentifier: { namespace: HIVE, name: 'dw.old' } },
    });
    await post(
      at,
      event({
        job: { namespace: 'n', name: 'alter' },
        at: '2026-11-20T04:00:00Z',
        outputs: [
          table('dw.new', lifecycleStateChange('RENAME')),
          table('dw.gone', { lifecycleStateChange: { lifecycleStateChange: 'DROP' } }),
        ],
      }),
    );
    await until(
      async () => JSON.stringify(await shown(at)) === '["ods.a > dw.new"]',
      8_000,
      () => 'the new name alone',
    );
  });

  it('survives its unfinished runs, which expire without withdrawing anything', async () => {
    const at = await started({ OPENLINEAGE_RUN_EXPIRY: '0.001' });
    await post(at, event({ inputs: [table('ods.a')], outputs: [table('dw.b')] }));
    await post(at, event({ type: 'START', run: 'r2', at: '2026-11-21T02:00:00Z', inputs: [table('ods.c')] }));
    await until(async () => (await shown(at)).length === 1);
    const { ledger } = at.runtime.services;
    expect(await ledger.sweep(Date.now() / 1_000 + 200)).toBe(1);
    await post(
      at,
      event({ run: 'r3', at: '2026-11-22T02:00:00Z', inputs: [table('ods.d')], outputs: [table('dw.b')] }),
    );
    await until(async () => (await shown(at)).length === 2);
    expect(await shown(at)).toEqual(['ods.a > dw.b', 'ods.d > dw.b']);
  });
});

it('knows of each edge which event it came from', async () => {
  const at = await started();
  await post(at, event({ inputs: [table('ods.a')], outputs: [table('dw.b')] }));
  await post(at, event({ run: 'r2', at: '2026-11-21T02:00:00Z', inputs: [table('ods.c')], outputs: [table('dw.b')] }));
  await until(async () => (await shown(at)).length === 2);
  const edge = (from: string) => ({ from: `${HIVE}/${from}`, to: `${HIVE}/dw.b`, declaredBy: [OWNER], targets: [] });
  const graph: Graph = {
    nodes: [],
    edges: [edge('ods.a'), edge('ods.c'), { ...edge('ods.x'), declaredBy: ['manifests/x.yaml'] }],
  };
  const { edges } = await withEvidence(graph, at.runtime.services.deps);
  expect(
    edges.map(({ events }) => events?.map(({ owner, run, eventTime }) => [owner, run, eventTime.slice(0, 10)])),
  ).toEqual([[[OWNER, 'r1', '2026-11-20']], [[OWNER, 'r2', '2026-11-21']], undefined]);
  // Under another of its names, too.
  const other: Graph = {
    nodes: [{ id: 'dataphin:a', names: [`${HIVE}/ods.a`] }],
    edges: [{ ...edge('ods.a'), from: 'dataphin:a' }],
  };
  expect((await withEvidence(other, at.runtime.services.deps)).edges).toMatchObject([{ events: [{ run: 'r1' }] }]);
  const answer = await at.request('GET', `/lineage?dataset=${encodeURIComponent(`${HIVE}/dw.b`)}`);
  const told = (await answer.json()) as { edges: { from: string; events: { run: string; producer: string }[] }[] };
  const producer = 'https://github.com/apache/airflow';
  expect(told.edges.map(({ from, events }) => [from, ...events])).toMatchObject([
    [`${HIVE}/ods.a`, { owner: OWNER, event: 'run', run: 'r1', eventTime: '2026-11-20T02:00:00.000000000Z', producer }],
    [`${HIVE}/ods.c`, { owner: OWNER, event: 'run', run: 'r2', eventTime: '2026-11-21T02:00:00.000000000Z', producer }],
  ]);
});

it('lets nobody else write what only events can tell', async () => {
  const at = await started();
  const evidence = [{ event: 'run', run: 'r', eventTime: '2026-11-20T02:00:00Z', producer: 'me', edges: [] }];
  const body = JSON.stringify({ version: 1, lineage: [], evidence, omitted: { edges: 1, columns: 0 } });
  for (const [method, path] of [
    ['PUT', '/manifests/a.json'],
    ['POST', '/lineage'],
  ] as const) {
    const answer = await at.request(method, path, body);
    const { errors } = (await answer.json()) as { errors: { path: string }[] };
    expect([answer.status, errors.map((each) => each.path)]).toEqual([400, ['evidence', 'omitted']]);
  }
  await at.drop('manifests/b.json', body);
  const status = await at.statusWhen('manifests/b.json', ({ state }) => state === 'invalid');
  expect(status.problems?.map((each) => each.path)).toEqual(['evidence', 'omitted']);
});

it('says beside the declaration what a manifest has no room for', async () => {
  const at = await started();
  const fields = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, n) => [
        `c${n}`,
        { inputFields: Array.from({ length: 340 }, (_, m) => ({ ...table('ods.a'), field: `f${m}` })) },
      ]),
    );
  const outputs = [table('dw.b'), table('dw.c', { columnLineage: { fields: fields(300) } })];
  const zipped = gzipSync(JSON.stringify(event({ inputs: [table('ods.a')], outputs })));
  expect((await at.request('POST', '/api/v1/lineage', zipped)).status).toBe(201);
  const status = await at.statusWhen(OWNER, ({ state }) => state === 'converged', 20_000);
  expect(status.problems).toMatchObject([
    { path: 'omitted', message: expect.stringContaining('102000 column pairs of the edges that are there') },
  ]);
  expect(await shown(at)).toEqual(['ods.a > dw.b', 'ods.a > dw.c']);
});

it('stores and logs no SQL, environment or source code', async () => {
  const at = await started({ LOG_LEVEL: 'debug' });
  const secret = 'hunter2-in-the-sql';
  const job = {
    ...JOB,
    facets: {
      sql: { query: secret },
      sourceCode: { sourceCode: secret },
      custom_block: { deep: { bash_command: secret } },
    },
  };
  const body = {
    ...event({
      job,
      inputs: [table('ods.a', { columnLineage: { fields: {} } })],
      outputs: [
        table('dw.b', {
          columnLineage: {
            fields: {
              x: {
                inputFields: [
                  { ...table('ods.a'), field: 'y', transformations: [{ type: 'DIRECT', description: secret }] },
                ],
              },
            },
          },
        }),
      ],
    }),
  };
  const run = {
    runId: 'r1',
    facets: {
      environmentVariables: { v: secret },
      spark_properties: { p: secret },
      'spark.logicalPlan': { plan: secret },
      airflow: { task: secret },
    },
  };
  await post(at, { ...body, run });
  await post(at, { ...body, run, job: { ...job, namespace: '' } });
  await at.statusWhen(OWNER, ({ state }) => state === 'converged');
  expect(JSON.stringify(at.log.lines)).not.toContain(secret);
  await at.close();
  const names = await readdir(at.dataDir, { recursive: true, withFileTypes: true });
  const files = names.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  for (const file of files) expect((await readFile(file)).includes(secret), file).toBe(false);
  expect(files.length).toBeGreaterThan(3);
});

it('lists names that no rule covers, with a rule to paste that makes them resolve', async () => {
  const at = await started({}, 'version: 1\nrules: []\n');
  await post(at, event({ inputs: [table('ods.a')], outputs: [table('dw.b')] }));
  await until(
    async () =>
      ((await (await at.request('GET', '/names/unresolved')).json()) as { unresolved: unknown[] }).unresolved.length ===
      2,
  );
  const { unresolved } = (await (await at.request('GET', '/names/unresolved')).json()) as {
    unresolved: { name: string; count: number; firstSeen: string; lastSeen: string; vendors: string[]; rule: object }[];
  };
  expect(
    unresolved.map(({ name, count, vendors }) => ({ name, count, vendors })).sort((a, b) => (a.name < b.name ? -1 : 1)),
  ).toEqual([
    { name: 'dw.b', count: 1, vendors: ['dataarts', 'dataphin'] },
    { name: 'ods.a', count: 1, vendors: ['dataarts', 'dataphin'] },
  ]);
  for (const each of unresolved) expect(Date.parse(each.firstSeen)).toBeLessThanOrEqual(Date.parse(each.lastSeen));
  const rules = JSON.stringify([unresolved[0]?.rule]).replace('TENANT_ID', '300000001');
  await at.drop('naming.yaml', `{ "version": 1, "rules": ${rules} }`);
  await until(
    async () => (await at.dataphin()).length === 1,
    8_000,
    () => JSON.stringify([unresolved[0]?.rule, at.log.lines.slice(-5)]),
  );
  expect(
    ((await (await at.request('GET', '/names/unresolved')).json()) as { unresolved: unknown[] }).unresolved,
  ).toEqual([]);
});

describe('keys', () => {
  const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');

  async function guarded(): Promise<Local> {
    const folder = await mkdtemp(join(tmpdir(), 'lineage-keys-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await mkdir(join(folder, 'secrets/lineage'), { recursive: true, mode: 0o700 });
    const clients = [
      { name: 'airflow', scopes: ['ingest'], key_sha256: sha256('key-airflow'), namespaces: ['airflow-*'] },
      { name: 'reader', scopes: ['fetch'], key_sha256: sha256('key-reader') },
      { name: 'ci', scopes: ['register', 'delete'], key_sha256: sha256('key-ci'), owners: ['manifests/team-a/*'] },
      { name: 'broken', scopes: ['everything'] },
    ];
    await writeFile(join(folder, 'secrets/lineage/clients.json'), JSON.stringify({ clients }), { mode: 0o600 });
    return started({ AUTH: 'required' }, NAMING, folder);
  }
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

  it('are needed with AUTH=required, for what they allow', async () => {
    const at = await guarded();
    const body = event({ inputs: [table('ods.a')], outputs: [table('dw.b')] });
    const without = await post(at, body);
    expect([without.status, without.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="lineage"']);
    expect((await post(at, body, '/api/v1/lineage', bearer('wrong'))).status).toBe(401);
    expect((await post(at, body, '/api/v1/lineage', bearer('key-reader'))).status).toBe(403);
    expect((await post(at, body, '/api/v1/lineage', bearer('key-airflow'))).status).toBe(201);
    expect((await at.request('GET', '/lineage')).status).toBe(401);
    expect((await at.request('GET', '/lineage', undefined, bearer('key-airflow'))).status).toBe(403);
    expect((await at.request('GET', '/lineage', undefined, bearer('key-reader'))).status).toBe(200);
    expect((await at.request('POST', '/reconcile', '{}', bearer('key-reader'))).status).toBe(403);
    expect(JSON.stringify(at.log.lines)).not.toContain('key-airflow');
  });

  it('confine: to namespaces for events, to owners for manifests', async () => {
    const at = await guarded();
    const foreign = event({ job: { namespace: 'spark-prod', name: 'j' } });
    const answer = await post(at, foreign, '/api/v1/lineage', bearer('key-airflow'));
    expect([answer.status, (await answer.text()).includes('spark-prod')]).toEqual([403, true]);
    const batch = await post(at, [foreign, event({})], '/api/v1/lineage/batch', bearer('key-airflow'));
    expect(await batch.json()).toMatchObject({ summary: { successful: 1, non_retriable: 1 } });
    const manifest = JSON.stringify({ version: 1, lineage: [] });
    expect((await at.request('PUT', '/manifests/team-b/x.json', manifest, bearer('key-ci'))).status).toBe(403);
    expect((await at.request('PUT', '/manifests/team-a/x.json', manifest, bearer('key-ci'))).status).toBe(200);
    expect((await at.request('POST', '/lineage', manifest, bearer('key-ci'))).status).toBe(403);
    expect((await at.request('DELETE', '/manifests/team-b/x.json', undefined, bearer('key-ci'))).status).toBe(403);
  });

  it('rotate without a restart', async () => {
    const at = await guarded();
    await writeFile(
      join(at.dataDir, 'secrets/lineage/clients.json'),
      JSON.stringify({ clients: [{ name: 'airflow', scopes: ['ingest'], key_sha256: sha256('new') }] }),
      { mode: 0o600 },
    );
    await until(async () => (await post(at, event({}), '/api/v1/lineage', bearer('new'))).status === 201);
    expect((await post(at, event({}), '/api/v1/lineage', bearer('key-airflow'))).status).toBe(401);
  });
});
