import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entries } from '../../local/entries.ts';
import { digest } from '../../shared/core/digest.ts';
import { canonicalJson, type JsonObject } from '../../shared/core/json.ts';
import { vendors } from '../../shared/vendors/index.ts';
import { acs3, acsDate, bodyHash } from '../simulators/signers.ts';
import type { Account } from './account.ts';
import type { Front } from './aws-front.ts';
import { grantsOf, spare } from './granted.ts';
import type { Attempt, Statement } from './iam.ts';
import type { Lambda } from './lambda.ts';
import type { Filled, LambdaProperties } from './template.ts';

export interface Running {
  readonly stack: Filled;
  readonly functions: Readonly<Record<string, LambdaProperties>>;
  readonly account: Account;
  statementsOf(of: LambdaProperties): readonly Statement[];
  started(name: string, change?: Readonly<Record<string, string>>): Promise<{ lambda: Lambda; front: Front }>;
  sample(name: string): Promise<Record<string, unknown>>;
}

/** What the platform does with a function's role, and no test can see: by grant, with the reason. */
const PLATFORM: Readonly<Record<string, string>> = {
  'logs:CreateLogStream': 'Lambda opens a stream for each execution environment (AWS, Lambda execution role)',
  'logs:PutLogEvents': 'Lambda writes what the function prints (AWS, Lambda execution role)',
  'sqs:ReceiveMessage':
    'the event source polls the queue with the role of the function (AWS, Using Lambda with Amazon SQS)',
  'sqs:DeleteMessage': 'the event source removes what was worked on',
  'sqs:GetQueueAttributes': 'the event source reads how long messages stay hidden',
};
/** Only of these functions: a failed asynchronous invocation is put there with the role of the function (AWS, Asynchronous invocation). */
const DESTINATION = { name: 'scheduled-reconcile', grant: /^sqs:SendMessage .*-schedule-dead$/ };

/** Actions that AWS lets nobody narrow down to a resource, with the reason for having them. */
const EVERYWHERE: Readonly<Record<string, string>> = {
  'secretsmanager:ListSecrets':
    'accounts are found by the names of their secrets; the action has no resource (AWS, Service Authorization Reference)',
};

/** Refused on purpose: what the open pages may not even know. */
const MEANT: Readonly<Record<string, readonly string[]>> = { 'fetch-web': ['secretsmanager:ListSecrets *'] };

const events = resolve(import.meta.dirname, '../../events');
/** A process of its own: what others remember (secrets, for a minute) is not in its way. */
const FRESH = { LOG_LEVEL: 'info' };
const KEY = 'example-key';
const PAIR = { id: 'LTAIours', secret: 'ours' };
const WEBHOOK = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const guid = (name: string) => `odps.300000001.p.${name}`;

function manifest(from: string, to: string, more: object = {}): string {
  const dataset = (name: string) => ({ dataphin: { guid: guid(name) }, dataarts: { database: 'db', table: name } });
  return JSON.stringify({
    version: 1,
    datasets: { from: dataset(from), to: dataset(to) },
    lineage: [{ from: 'from', to: 'to', columns: { id: 'id' } }],
    ...more,
  });
}

/** Every way into every function, as it is packaged and with its own role, and what it then asks of AWS. */
export function leastPrivilegeSuite(given: () => Running): void {
  const seen = new Map<string, readonly Attempt[]>();
  const answers: string[] = [];
  const closing: { close(): Promise<unknown> }[] = [];
  afterAll(async () => {
    for (const each of closing) await each.close();
  });

  async function ask(name: string, change?: Readonly<Record<string, string>>) {
    const { lambda, front } = await given().started(name, change);
    if (change !== undefined) closing.push(lambda, front);
    const invoke = async (event: unknown) => {
      const outcome = await lambda.invoke(event);
      if ('failed' in outcome) throw new Error(`${name}: ${outcome.failed.errorMessage}`);
      return outcome.answer;
    };
    return {
      front,
      invoke,
      async http(method: string, path: string, init: { body?: string; query?: string; headers?: object } = {}) {
        const event = await given().sample(name);
        const context = event['requestContext'] as { http: object };
        const answer = (await invoke({
          ...event,
          rawPath: path,
          rawQueryString: init.query ?? '',
          headers: { ...(event['headers'] as object), authorization: `Bearer ${KEY}`, ...init.headers },
          requestContext: { ...context, http: { ...context.http, method, path } },
          isBase64Encoded: false,
          body: init.body ?? '',
        })) as { statusCode: number; body: string };
        answers.push(`${name} ${method} ${path} ${answer.statusCode} ${answer.body.slice(0, 200)}`);
        return answer;
      },
      async messages(...bodies: object[]) {
        const { Records } = (await given().sample(name)) as { Records: object[] };
        const records = bodies.map((body, index) => ({
          ...Records[0],
          messageId: `m${index}`,
          body: JSON.stringify(body),
        }));
        return invoke({ Records: records });
      },
    };
  }

  const store = (Key: string, Body: string | Buffer) => {
    const { account } = given();
    return account.s3.send(
      new PutObjectCommand({ Bucket: account.bucketName, Key, Body, ContentType: 'application/json' }),
    );
  };

  describe('with all its routes asked,', () => {
    beforeAll(async () => {
      const { account } = given();
      const key_sha256 = createHash('sha256').update(KEY).digest('hex');
      const scopes = ['ingest', 'register', 'delete', 'fetch', 'reconcile'];
      account.hold('lineage/clients', {
        clients: [
          { name: 'all', scopes, key_sha256, namespaces: ['*'] },
          { name: 'pair', scopes, access_key_id: PAIR.id, access_key_secret: PAIR.secret },
          { name: 'token', scopes, token_sha256: createHash('sha256').update('t').digest('hex') },
          { name: 'signer', scopes: ['register'], webhook_secrets: [WEBHOOK], namespaces: ['kestra'] },
        ],
      });
      account.hold('lineage/links', { key: 'k'.repeat(64) });
      await everything();
    }, 180_000);

    test('no function is refused anything', () => {
      for (const [name, attempts] of seen) expect([name, attempts.length > 0]).toEqual([name, true]);
      expect([...seen.keys()].sort()).toEqual(Object.keys(entries).sort());
      const server = answers.filter((each) => / 500 /.test(each));
      expect(server).toEqual([]);
    });

    test.each(Object.keys(entries))('%s has no right that it does not use', (name) => {
      const { functions, statementsOf } = given();
      const of = functions[name];
      const grants = grantsOf(of ? statementsOf(of) : []);
      const own = grants.filter(({ action }) => !(action in PLATFORM));
      const left = spare(own, seen.get(name) ?? []).filter(
        (each) => !(name === DESTINATION.name && DESTINATION.grant.test(each)),
      );
      expect(left).toEqual([]);
    });

    test('the platform’s rights are there where the platform needs them, and nowhere else', () => {
      const { functions, statementsOf } = given();
      for (const [name, of] of Object.entries(functions)) {
        const actions = new Set(grantsOf(statementsOf(of)).map((each) => each.action));
        const polled = entries[name as keyof typeof entries].kind === 'queue';
        for (const action of Object.keys(PLATFORM))
          expect([name, action, actions.has(action)]).toEqual([name, action, action.startsWith('logs:') || polled]);
      }
    });

    test('whatever reaches every resource stands in the list, with its reason', () => {
      const { functions, statementsOf } = given();
      const wide = Object.values(functions).flatMap((of) =>
        grantsOf(statementsOf(of)).filter(({ resource }) => resource === '*'),
      );
      expect([...new Set(wide.map((each) => each.action))]).toEqual(Object.keys(EVERYWHERE));
      const starred = Object.values(functions).flatMap((of) =>
        grantsOf(statementsOf(of)).filter(({ action }) => action.includes('*')),
      );
      expect(starred).toEqual([]);
    });
  });

  async function everything(): Promise<void> {
    const { account } = given();
    const fronts: [string, Front][] = [];
    const open = async (name: string, change?: Readonly<Record<string, string>>) => {
      const it = await ask(name, change);
      fronts.push([name, it.front]);
      return it;
    };
    const sandbox = async (vendor: keyof typeof account.vendors, method: string, path: string, body?: object) => {
      const init =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      await fetch(`${account.vendors[vendor].url}/_sandbox/${path}`, { method, ...init });
    };
    const write = async (key: string, body: JsonObject) => {
      const row = await account.ledger.get(key);
      await account.ledger.write({ key, rev: randomUUID(), body }, row?.rev ?? null);
    };
    /** As if the vendor had refused us long ago: the next call closes the circuit. */
    const openCircuit = async () => {
      const secret = account.vendors.dataphin.secret();
      const name = vendors.find((each) => each.name === 'dataphin')?.account(secret);

      const tag = digest(canonicalJson(secret)).slice(0, 2);
      const opened = { secret: tag, reason: 'test', deniedAt: 1, retryAt: 1, times: 1 };
      await write(`circuit/${name}`, { kind: 'circuit', version: 1, opened });
    };
    const json = { 'content-type': 'application/json' };
    const only = { targets: ['dataphin'] };
    /** Owners of every kind; of keys with a `~` the job stands inside. */
    const keys = [
      'manifests/p/three.json',
      `http/${'ab'.repeat(32)}.json`,
      'openlineage/n/j~1.json',
      'flink/n/d~1.json',
      `dataphin/${'0'.repeat(64)}.json`,
      `dataarts/${'0'.repeat(64)}.json`,
    ];
    const storeAll = (round: string) =>
      Promise.all(
        keys.map((key) =>
          store(
            key,
            manifest('k', `k_${round}_${key.replace(/\W/g, '')}`, { ...only, job: { namespace: 'n', name: key } }),
          ),
        ),
      );
    const changed = async (invoke: (key: string) => Promise<unknown>, round: string) => {
      await storeAll(round);
      for (const key of keys) await invoke(key);
    };

    await store('naming.yaml', 'version: 1\nrules: []\n');
    // As on the first day: nobody knows yet whether the ledger can be trusted.
    const first = await account.ledger.get('meta/ledger');
    if (first) await account.ledger.remove('meta/ledger', first.rev);
    await (await open('fetch-http', FRESH)).http('GET', '/lineage', { query: 'from=plan' });
    const noted = await account.ledger.get('meta/ledger');
    if (noted) await account.ledger.remove('meta/ledger', noted.rev);
    const http = await open('register-http', FRESH);
    await openCircuit();
    for (const text of [manifest('a', 'b'), manifest('a', 'b')])
      await http.http('PUT', '/manifests/p/one.json', { body: text });
    await http.http('POST', '/lineage', {
      body: manifest('x', 'y', { ...only, job: { namespace: 'ci', name: 'load' } }),
      headers: json,
    });
    await sandbox('dataphin', 'POST', 'faults', { kind: 'unavailable', times: 9 });
    await http.http('PUT', '/manifests/p/two.json', { body: manifest('b', 'c', only) });
    await sandbox('dataphin', 'DELETE', 'faults');

    const bucket = await open('register-bucket', FRESH);
    await openCircuit();
    const notify = (key: string) => bucket.messages({ Records: [{ s3: { object: { key } } }] });
    await changed(notify, 'one');
    for (const key of ['naming.yaml', 'manifests/gone.json', 'manifests/p/two.json']) await notify(key);
    await remove(keys[0] ?? '');
    await notify(keys[0] ?? '');

    const webhook = await open('register-webhook', FRESH);
    const event = (at: number, size = 0) =>
      JSON.stringify({
        eventType: 'COMPLETE',
        eventTime: new Date(1_795_226_400_000 + at).toISOString(),
        run: { runId: `run-${at}` },
        job: { namespace: 'airflow', name: 'big' },
        inputs: [{ namespace: 'hive://h', name: 'db.a' }],
        outputs: [{ namespace: 'hive://h', name: 'db.b', facets: { columnLineage: columnLineage(size) } }],
        producer: 'p',
      });
    await webhook.http('POST', '/api/v1/lineage', { body: event(1) });
    // More than a message holds, and more than a row: it goes through the bucket.
    await webhook.http('POST', '/api/v1/lineage', { body: event(2, 8_000) });
    const body = JSON.stringify({ version: 1, job: { namespace: 'kestra', name: 'load2' }, lineage: [] });
    const at = new Date();
    for (const id of ['msg_a', 'msg_b'])
      await webhook.http('POST', '/webhooks/manifest', {
        body,
        headers: {
          ...json,
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
          'webhook-signature': new Webhook(WEBHOOK).sign(id, at, body),
        },
      });

    const worker = await open('register-worker', FRESH);
    await openCircuit();
    await changed((owner) => worker.messages({ kind: 'converge', owner }), 'two');
    const drain = async () => {
      for (const message of await account.taken()) await worker.messages(message);
    };
    await drain();
    // The same run goes on: what a row could not hold is read, and written anew.
    await webhook.http('POST', '/api/v1/lineage', { body: event(3, 8_000).replace('run-3', 'run-2') });
    await drain();
    await worker.messages({ kind: 'publish', subject: { kind: 'job', namespace: 'airflow', name: 'big' } });
    await remove(keys[0] ?? '');
    await worker.messages({ kind: 'converge', owner: keys[0] });
    await drain();
    for (const day of [0, 1]) {
      const window = new Date(Date.now() - (Date.now() % 600_000) - day * 600_000)
        .toISOString()
        .slice(0, 16)
        .replace('T', '/')
        .replace(':', '-');
      await worker.messages({ kind: 'archive', window });
    }
    for (const key of [
      'inbox/2020-01-01/a.json.gz',
      'archive/new/2020-01-01/00-00/a.jsonl.gz',
      'runs/2020-01-01/x/y.json.gz',
    ])
      await store(key, gzipSync('[]'));
    await worker.messages({ kind: 'tidy' }, { kind: 'pass', id: 'none' });
    await http.http('POST', '/replay', { body: JSON.stringify({ since: '2020-01-01T00:00:00Z' }) });

    const wire = await open('vendor-wire', FRESH);
    const acs = async (path: string, query: string, action: string, value: object) => {
      const text = JSON.stringify(value);
      const headers: Record<string, string> = {
        host: 'lineage.test',
        ...json,
        ...(path === '/' ? {} : { workspace: 'w' }),
        'x-acs-action': action,
        'x-acs-version': path === '/' ? '2023-06-30' : '2022-07-18',
        'x-acs-date': acsDate(Date.now()),
        'x-acs-signature-nonce': randomUUID().replaceAll('-', ''),
        'x-acs-content-sha256': bodyHash(text),
      };
      const url = new URL(`https://lineage.test${path}${query === '' ? '' : `?${query}`}`);
      const authorization = acs3({ method: 'POST', url, headers, body: text }, PAIR.id, PAIR.secret);
      return wire.http('POST', path, { body: text, query, headers: { ...headers, authorization } });
    };
    const dataphin = (action: string, command: object) =>
      acs('/', 'OpTenantId=30001011', action, { [`${action}Command`]: command });
    const asset = (name: string) => ({ ReferenceType: 'BY_GUID', Guid: guid(name), MetadataType: 'TABLE' });
    for (let times = 0; times < 2; times += 1)
      await dataphin('AddRegisterLineage', { Source: asset('w1'), Target: asset('w2') });
    await dataphin('DeleteRegisterLineage', { Source: asset('w1'), Target: asset('w2'), CascadeDeleteLineage: true });
    await acs('/meta/v2/lineage', '', 'GetLineageInfo', {
      id: `dataphin:${guid('k')}`,
      idType: 'TABLE',
      direction: 'BOTH',
      depth: 2,
      isColumnLevel: false,
      isTemporary: false,
      namespace: 'default',
      workspace: 'w',
    });
    const project = (account.vendors.dataarts.secret() as { project_id: string }).project_id;
    const table = (name: string) => ({ database: 'db', schema: '', table: name });
    const create = (job: string) =>
      wire.http('POST', `/v1/${project}/lineage/lineage-info`, {
        body: JSON.stringify({
          job_id: job,
          node_name: 'n',
          table_lineage: { input_tables: [table('w1')], output_tables: [table('w2')] },
        }),
        headers: { 'x-auth-token': 't', workspace: 'w', authorization: '' },
      });
    await create('j');
    await sandbox('dataarts', 'POST', 'faults', { kind: 'invalid', times: 9 });
    await create('refused');
    await sandbox('dataarts', 'DELETE', 'faults');
    await sandbox('dataphin', 'POST', 'faults', { kind: 'unavailable', times: 9 });
    await dataphin('AddRegisterLineage', { Source: asset('w3'), Target: asset('w4') });
    await sandbox('dataphin', 'DELETE', 'faults');

    const fetched = await open('fetch-http', FRESH);
    const dataset = `dataset=${encodeURIComponent(`dataphin:${guid('k')}`)}`;
    for (const query of [
      '',
      dataset,
      `${dataset}&from=compare`,
      'from=plan',
      'from=flink&job=none',
      `${dataset}&format=svg`,
    ])
      await fetched.http('GET', '/lineage', { query });
    for (const path of ['/manifests', '/manifests/p/one.json', '/names/unresolved', '/status/manifests/p/one.json'])
      await fetched.http('GET', path);
    await fetched.http('POST', '/links', { body: JSON.stringify({ dataset: `dataphin:${guid('k')}` }) });

    const web = await open('fetch-web', FRESH);
    await web.http('GET', '/lineage', { query: `${dataset}&expires=9999999999&signature=${'0'.repeat(43)}` });
    await web.http('GET', '/', { headers: { accept: 'application/json' } });
    for (const query of [dataset, `${dataset}&level=column`]) await web.http('GET', '/lineage', { query });
    for (const path of [
      'events/lineage',
      'namespaces',
      'namespaces/airflow/jobs',
      'namespaces/airflow/jobs/big',
      'namespaces/airflow/jobs/big/runs',
      'jobs',
      'search',
    ])
      await web.http('GET', `/api/v1/${path}`, { query: 'q=big' });

    const reconcile = await open('reconcile-http', FRESH);
    const post = (order: object) => reconcile.http('POST', '/reconcile', { body: JSON.stringify(order) });
    await store(
      'plans/index.json',
      JSON.stringify({ plans: [{ checksum: 'A'.repeat(22), at: '2020-01-01T00:00:00.000Z', parts: 1 }] }),
    );
    await storeAll('three');
    await fetched.http('GET', '/lineage', { query: 'from=plan' });
    await post({ dryRun: true });
    const planned = await reconcile.http('GET', '/plan');
    await openCircuit();
    await post({ plan: (JSON.parse(planned.body) as { checksum: string }).checksum });
    await post({ owners: keys });
    await storeAll('four');
    await post({});
    await post({ adopt: true, manifests: { 'manifests/p/adopted.json': manifest('q', 'r', only) } });

    const schedule = await open('scheduled-reconcile', FRESH);
    const pass = async () => schedule.invoke(await given().sample('scheduled-reconcile'));
    await write('pass/sweep', { kind: 'sweep', version: 1, sweep: { endedAt: 0 } });
    await store('status/reconcile/2020-01-01T00-00-00.000Z.json', '{}');
    for (const key of keys.map((each) => each.replace('.json', 'gone.json'))) {
      const gone = { owner: key, at: '2020-01-01T00:00:00.000Z', state: 'withdrawn', counts: {}, edges: [] };
      await store(`status/${key}.json`, JSON.stringify(gone));
    }
    await sandbox(
      'flink',
      'PUT',
      'seed',
      JSON.parse(await readFile(join(events, 'flink-seed.json'), 'utf8')) as object,
    );
    await storeAll('five');
    await pass();
    await pass();
    await sandbox('flink', 'PUT', 'seed', { deployments: [], jobs: [], lineage: {} });
    for (let times = 0; times < 3; times += 1) await pass();

    const removal = await open('delete-http', FRESH);
    await openCircuit();
    const two = JSON.parse(manifest('x', 'y', { ...only, job: { namespace: 'ci', name: 'two' } })) as {
      datasets: object;
      lineage: object[];
    };
    const rest = {
      ...two,
      datasets: { ...two.datasets, third: { dataphin: { guid: guid('third') } } },
      lineage: [...two.lineage, { from: 'from', to: 'third' }],
    };
    await http.http('POST', '/lineage', { body: JSON.stringify(rest), headers: json });
    await removal.http('POST', '/lineage/withdraw', { body: manifest('x', 'y'), headers: json });
    await sandbox('dataphin', 'POST', 'faults', { kind: 'unavailable', times: 9 });
    await removal.http('DELETE', '/manifests/p/one.json');
    await sandbox('dataphin', 'DELETE', 'faults');
    await store('manifests/never/converged.json', manifest('n', 'm', only));
    await removal.http('DELETE', '/manifests/never/converged.json');

    // When the ledger was lost, everybody says so beside the manifest, unless it says so already.
    await write('meta/ledger', { kind: 'ledger', version: 1, lost: true });
    await write('pass/here', { kind: 'cursor', version: 1, after: 'manifests/' });
    const lost = 'manifests/p/lost.json';
    await store(lost, manifest('l', 'o', only));
    const anew = async (name: string) => open(name, { ...FRESH, LOG_SAMPLE: '1' });
    await (await anew('register-http')).http('PUT', '/manifests/p/lost.json', { body: manifest('l', 'o', only) });
    await (await anew('register-bucket')).messages({ Records: [{ s3: { object: { key: lost } } }] });
    await (await anew('register-worker')).messages({ kind: 'converge', owner: lost });
    await (await anew('reconcile-http')).http('POST', '/reconcile', { body: JSON.stringify({ owners: [lost] }) });
    await (await anew('scheduled-reconcile')).invoke(await given().sample('scheduled-reconcile'));
    await write('meta/ledger', { kind: 'ledger', version: 1, lost: false });

    for (const [name, front] of fronts) {
      seen.set(name, [...(seen.get(name) ?? []), ...front.attempts]);
      const refused = front.refused.map((each) => `${each.action} ${each.resource} ${each.leadingKeys ?? ''}`.trim());
      expect([name, refused.filter((each) => !MEANT[name]?.includes(each))]).toEqual([name, []]);
    }
  }

  async function remove(Key: string): Promise<void> {
    const { account } = given();
    await account.s3.send(new DeleteObjectCommand({ Bucket: account.bucketName, Key }));
  }
}

/** Lineage of so many columns, in no way that compresses well. */
function columnLineage(columns: number): object {
  const names = Array.from({ length: columns }, (_, index) =>
    createHash('sha256').update(String(index)).digest('base64url'),
  );
  return {
    _producer: 'p',
    _schemaURL: 's',
    fields: Object.fromEntries(
      names.map((name) => [name, { inputFields: [{ namespace: 'hive://h', name: 'db.a', field: name }] }]),
    ),
  };
}
