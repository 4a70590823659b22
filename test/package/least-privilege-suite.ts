import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, test } from 'vitest';
import { entries } from '../../local/entries.ts';
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

  async function ask(name: string, change?: Readonly<Record<string, string>>) {
    const { lambda, front } = await given().started(name, change);
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
      done(before: number) {
        seen.set(name, [...(seen.get(name) ?? []), ...front.attempts.slice(before)]);
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
      const server = answers.filter((each) => / 5\d\d /.test(each));
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
    const fronts: [string, Front, number][] = [];
    const open = async (name: string, change?: Readonly<Record<string, string>>) => {
      const it = await ask(name, change);
      fronts.push([name, it.front, 0]);
      return it;
    };
    const before = async (name: string) => (await given().started(name)).front.refused.length;
    const refusedBefore = new Map(
      await Promise.all(Object.keys(entries).map(async (name) => [name, await before(name)] as const)),
    );

    await store('naming.yaml', 'version: 1\nrules: []\n');
    // As it is on the first day: nothing has been written yet.
    const http = await open('register-http');
    await http.http('PUT', '/manifests/p/one.json', { body: manifest('a', 'b') });
    await http.http('PUT', '/manifests/p/two.json', { body: manifest('b', 'c', { targets: ['dataphin'] }) });
    await http.http('POST', '/lineage', {
      body: manifest('x', 'y', { job: { namespace: 'ci', name: 'load' } }),
      headers: { 'content-type': 'application/json' },
    });
    await http.http('POST', '/lineage', { body: manifest('x', 'z'), headers: { 'content-type': 'application/json' } });
    await http.http('POST', '/replay', { body: JSON.stringify({ since: '2020-01-01T00:00:00Z' }) });

    const bucket = await open('register-bucket');
    const keys = [
      'manifests/p/three.json',
      'http/ci/load.json',
      'openlineage/n/j.json',
      'flink/default/d.json',
      `dataphin/${'0'.repeat(64)}.json`,
      `dataarts/${'0'.repeat(64)}.json`,
    ];
    for (const key of keys) await store(key, manifest('k', `k_${key.replace(/\W/g, '')}`, { targets: ['dataphin'] }));
    for (const key of [...keys, 'naming.yaml', 'manifests/gone.json'])
      await bucket.messages({ Records: [{ s3: { object: { key } } }] });

    const webhook = await open('register-webhook');
    const event = (at: number, size = 0) =>
      JSON.stringify({
        eventType: 'COMPLETE',
        eventTime: new Date(1_795_226_400_000 + at).toISOString(),
        run: { runId: `run-${at}` },
        job: {
          namespace: 'airflow',
          name: 'big',
          facets: { documentation: { _producer: 'p', _schemaURL: 's', description: 'd'.repeat(size) } },
        },
        inputs: [{ namespace: 'hive://h', name: 'db.a' }],
        outputs: [{ namespace: 'hive://h', name: 'db.b' }],
        producer: 'p',
      });
    await webhook.http('POST', '/api/v1/lineage', { body: event(1) });
    // More than a message holds: it goes through the bucket.
    await webhook.http('POST', '/api/v1/lineage', { body: event(2, 600_000) });
    const body = JSON.stringify({ version: 1, job: { namespace: 'kestra', name: 'load2' }, lineage: [] });
    const at = new Date();
    for (const id of ['msg_a', 'msg_b'])
      await webhook.http('POST', '/webhooks/manifest', {
        body,
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
          'webhook-signature': new Webhook(WEBHOOK).sign(id, at, body),
        },
      });

    const worker = await open('register-worker');
    for (const message of (await account.queued()) as object[]) await worker.messages(message);
    for (const owner of keys) await worker.messages({ kind: 'converge', owner });
    await worker.messages({ kind: 'converge', owner: 'manifests/p/one.json' });
    const window = new Date(Date.now() - (Date.now() % 600_000))
      .toISOString()
      .slice(0, 16)
      .replace('T', '/')
      .replace(':', '-');
    await worker.messages({ kind: 'archive', window });
    for (const key of [
      'inbox/2020-01-01/a.json.gz',
      'archive/new/2020-01-01/00-00/a.jsonl.gz',
      'runs/2020-01-01/x/y.json.gz',
    ])
      await store(key, gzipSync('[]'));
    await worker.messages(
      { kind: 'tidy' },
      { kind: 'pass', id: 'none' },
      { kind: 'judge', target: 'dataphin', ticket: 'none' },
    );
    for (const message of (await account.queued()) as object[]) await worker.messages(message);

    const wire = await open('vendor-wire');
    const dataphin = async (action: string, command: object) => {
      const text = JSON.stringify({ [`${action}Command`]: command });
      const headers: Record<string, string> = {
        host: 'lineage.test',
        'content-type': 'application/json',
        'x-acs-action': action,
        'x-acs-version': '2023-06-30',
        'x-acs-date': acsDate(Date.now()),
        'x-acs-signature-nonce': createHash('sha256')
          .update(`${action}${Date.now()}${text}`)
          .digest('hex')
          .slice(0, 32),
        'x-acs-content-sha256': bodyHash(text),
      };
      const url = new URL('https://lineage.test/?OpTenantId=30001011');
      const authorization = acs3({ method: 'POST', url, headers, body: text }, PAIR.id, PAIR.secret);
      return wire.http('POST', '/', {
        body: text,
        query: 'OpTenantId=30001011',
        headers: { ...headers, authorization },
      });
    };
    const asset = (name: string) => ({ ReferenceType: 'BY_GUID', Guid: guid(name), MetadataType: 'TABLE' });
    await dataphin('AddRegisterLineage', { Source: asset('w1'), Target: asset('w2') });
    await dataphin('DeleteRegisterLineage', { Source: asset('w1'), Target: asset('w2'), CascadeDeleteLineage: true });
    const project = (account.vendors.dataarts.secret() as { project_id: string }).project_id;
    const table = (name: string) => ({ database: 'db', schema: '', table: name });
    await wire.http('POST', `/v1/${project}/lineage/lineage-info`, {
      body: JSON.stringify({
        job_id: 'j',
        node_name: 'n',
        table_lineage: { input_tables: [table('w1')], output_tables: [table('w2')] },
      }),
      headers: { 'x-auth-token': 't', workspace: 'w', authorization: '' },
    });

    const fetched = await open('fetch-http');
    const dataset = `dataset=${encodeURIComponent(`dataphin:${guid('b')}`)}`;
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
    await fetched.http('POST', '/links', { body: JSON.stringify({ dataset: `dataphin:${guid('b')}` }) });

    const web = await open('fetch-web');
    await web.http('GET', '/', { headers: { accept: 'application/json' } });
    for (const query of [dataset, `${dataset}&level=column`, `owner=manifests/p/one.json`])
      await web.http('GET', '/lineage', { query });
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
    for (const nodeId of ['job:airflow:big', 'dataset:hive://h:db.b'])
      await web.http('GET', '/api/v1/lineage', { query: `nodeId=${encodeURIComponent(nodeId)}` });

    const reconcile = await open('reconcile-http');
    const post = (order: object) => reconcile.http('POST', '/reconcile', { body: JSON.stringify(order) });
    await post({ dryRun: true });
    const planned = await reconcile.http('GET', '/plan');
    await post({ plan: (JSON.parse(planned.body) as { checksum: string }).checksum });
    for (const key of keys) await store(key, manifest('k', `k2_${key.replace(/\W/g, '')}`, { targets: ['dataphin'] }));
    await store('plans/2020-01-01/old.json', '{}');
    await post({ owners: keys });
    await post({});
    await post({
      adopt: true,
      manifests: { 'manifests/p/adopted.json': manifest('q', 'r', { targets: ['dataphin'] }) },
    });

    const schedule = await open('scheduled-reconcile');
    await store('status/reconcile/2020-01-01T00-00-00.000Z.json', '{}');
    for (const key of keys) await store(key, manifest('k', `k3_${key.replace(/\W/g, '')}`, { targets: ['dataphin'] }));
    const old = {
      owner: 'manifests/long/gone.json',
      at: '2020-01-01T00:00:00.000Z',
      state: 'withdrawn',
      counts: {},
      edges: [],
    };
    await store('status/manifests/long/gone.json.json', JSON.stringify(old));
    const flink = account.vendors.flink;
    await fetch(`${flink.url}/_sandbox/calls`, { method: 'DELETE' });
    for (let times = 0; times < 3; times += 1) await schedule.invoke(await given().sample('scheduled-reconcile'));

    const remove = await open('delete-http');
    await remove.http('POST', '/lineage/withdraw', {
      body: manifest('x', 'y'),
      headers: { 'content-type': 'application/json' },
    });
    await remove.http('POST', '/lineage/withdraw', {
      body: manifest('x', 'z'),
      headers: { 'content-type': 'application/json' },
    });
    await remove.http('DELETE', '/manifests/p/one.json');

    for (const [name, front] of fronts) {
      seen.set(name, front.attempts);
      const refused = front.refused
        .slice(refusedBefore.get(name))
        .map((each) => `${each.action} ${each.resource} ${each.leadingKeys ?? ''}`.trim());
      expect([name, refused.filter((each) => !MEANT[name]?.includes(each))]).toEqual([name, []]);
    }
  }
}
