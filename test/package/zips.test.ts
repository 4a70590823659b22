import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { entries } from '../../local/entries.ts';
import { acs3, acsDate, bodyHash, sdkDate, sdkHmac } from '../simulators/signers.ts';
import { type Account, startAccount } from './account.ts';
import { alarmSuite } from './alarm-suite.ts';
import { atRestSuite } from './at-rest-suite.ts';
import { awsFront, type Front } from './aws-front.ts';
import type { Statement } from './iam.ts';
import { type Lambda, startLambda } from './lambda.ts';
import { leastPrivilegeSuite } from './least-privilege-suite.ts';
import { type Packaged, packaged } from './packaged.ts';
import { type Filled, filled, functionsOf, type LambdaProperties } from './template.ts';
import { templateSuite } from './template-suite.ts';
import { unzip } from './unzip.ts';

const events = resolve(import.meta.dirname, '../../events');
const names = Object.keys(entries);
let first: Packaged;
let second: Packaged;
let stack: Filled;
let functions: ReturnType<typeof functionsOf>;
let account: Account;
let unpacked: string;
const files = new Map<string, readonly string[]>();
const running = new Map<string, { readonly lambda: Lambda; readonly front: Front }>();

beforeAll(async () => {
  first = await packaged();
  const params = [
    'BUCKET=my-bucket',
    'TABLE=my-table',
    'VANISH_GRACE=90',
    'RECONCILE_EVERY=5 minutes',
    'ALARM_TOPIC=arn:aws:sns:eu-central-1:1:alarms',
    'SECRETS_KEY=arn:aws:kms:eu-central-1:1:key/k',
    'LOG_DAYS=7',
  ];
  second = await packaged('--stage', 'prod', ...params.map((each) => `--param=${each}`));
  stack = filled(first.template);
  functions = functionsOf(stack);
  account = await startAccount(stack, 'dev/');
  unpacked = await mkdtemp(join(tmpdir(), 'lineage-task-'));
  for (const name of names) files.set(name, await unzip(join(first.folder, `${name}.zip`), join(unpacked, name)));
}, 240_000);

afterAll(async () => {
  for (const { lambda, front } of running.values()) {
    await lambda.close();
    await front.close();
  }
  await account.close();
  await Promise.all([first.remove(), second.remove(), rm(unpacked, { recursive: true, force: true })]);
});

/** The function as it runs in the account, with its own role; started once. */
async function started(name: string, change: Readonly<Record<string, string>> = {}) {
  const known = running.get(name);
  if (known && Object.keys(change).length === 0) return known;
  const of = functions[name];
  if (!of) throw new Error(`the template has no function ${name}`);
  const front = await awsFront(account.behind, statementsOf(of));
  const lambda = await startLambda({
    name: of.FunctionName,
    folder: join(unpacked, name),
    handler: of.Handler,
    timeoutSeconds: of.Timeout,
    memoryMb: of.MemorySize,
    environment: { ...environmentOf(of, front.url), ...change },
  });
  if (Object.keys(change).length === 0) running.set(name, { lambda, front });
  return { lambda, front };
}

function environmentOf({ Environment }: LambdaProperties, url: string): Record<string, string> {
  return {
    ...Environment.Variables,
    QUEUE_URL: account.queueUrl,
    LOG_LEVEL: 'debug',
    VANISH_GRACE: '0',
    AWS_ENDPOINT_URL: url,
  };
}

function statementsOf({ Role }: LambdaProperties): readonly Statement[] {
  const { Policies } = stack.properties<{ Policies: { PolicyDocument: { Statement: Statement[] } }[] }>(
    Role.split('/').at(-1) ?? '',
  );
  return Policies.flatMap((each) => each.PolicyDocument.Statement);
}

async function sample(name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(events, `${name}.event.json`), 'utf8')) as Record<string, unknown>;
}

interface HttpAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

async function answered<T>(name: string, event?: unknown): Promise<T> {
  const { lambda, front } = await started(name);
  const outcome = await lambda.invoke(event ?? (await sample(name)));
  const refused = front.refused.map((each) => `${each.action} ${each.resource}`);
  // The public pages tell nothing of the vendors' secrets, not even their names.
  const meant = name === 'fetch-web' ? ['secretsmanager:ListSecrets *'] : [];
  expect(refused.filter((each) => !meant.includes(each))).toEqual([]);
  if ('failed' in outcome) throw new Error(`${outcome.failed.errorMessage}\n${lambda.output()}`);
  return outcome.answer as T;
}

/** The client whose key the samples carry. */
function hold(): void {
  const key_sha256 = createHash('sha256').update('example-key').digest('hex');
  account.hold('lineage/clients', { clients: [{ name: 'sample', scopes: ['ingest', 'fetch'], key_sha256 }] });
}

function store(Key: string, Body: string): Promise<unknown> {
  const ContentType = 'application/yaml';
  return account.s3.send(new PutObjectCommand({ Bucket: account.bucketName, Key, Body, ContentType }));
}

/** Changes the manifest behind the samples, so that whoever looks at it next has something to do at the vendor. */
async function addColumn(name: string): Promise<void> {
  const minimal = await readFile(join(events, 'manifests/minimal.yaml'), 'utf8');
  await store(
    'manifests/shop/visits.yaml',
    minimal.replace('to: report }', `to: report, columns: { ${name}: ${name} } }`),
  );
}

async function columns(): Promise<string[]> {
  const edge = (await account.shown<Edge>('dataphin')).find((each) => each.target.endsWith('.shop.visits_daily'));
  return edge?.columns.map(([from]) => from) ?? [];
}

interface Edge {
  readonly source: string;
  readonly target: string;
  readonly columns: readonly (readonly [string, string])[];
}

describe('the packages', () => {
  test('are the same, byte for byte, when made again, and for another stage', () => {
    expect(Object.keys(first.hashes).sort()).toEqual([...names].sort());
    expect(second.hashes).toEqual(first.hashes);
  });

  test.each(names)('%s holds one file, without what belongs to a machine of its own', async (name) => {
    const [file = '', ...more] = files.get(name) ?? [];
    expect(more).toEqual([]);
    const code = await readFile(join(unpacked, name, file), 'utf8');
    const foreign = ['lineage.db', 'lock.db', 'chokidar', '_sandbox', 'parser-thread'].filter((word) =>
      code.includes(word),
    );
    expect(foreign).toEqual([]);
    expect(code.length).toBeLessThan(4 * 1024 * 1024);
  });
});

describe('in Lambda, with the role it has there,', () => {
  test('register-http stores a manifest and registers it', async () => {
    const answer = await answered<HttpAnswer>('register-http');
    expect(answer).toMatchObject({ statusCode: 200, headers: { 'x-content-type-options': 'nosniff' } });
    expect(JSON.parse(answer.body)).toMatchObject({
      owner: 'manifests/shop/visits.yaml',
      counts: { registered: 1 },
    });
    expect(await account.shown<Edge>('dataphin')).toMatchObject([{ target: 'odps.300000001.shop.visits_daily' }]);
  });

  test('fetch-http answers from the ledger, and live from Flink', async () => {
    const answer = await answered<HttpAnswer>('fetch-http');
    expect(answer.statusCode).toBe(200);
    expect((JSON.parse(answer.body) as { edges: unknown[] }).edges).toHaveLength(1);
    const asked = await sample('fetch-http');
    const live = await answered<HttpAnswer>('fetch-http', { ...asked, rawQueryString: 'from=flink&job=no-such-job' });
    expect([live.statusCode, live.body]).toEqual([404, expect.stringContaining('no-such-job')]);
  });

  test('fetch-web turns a false signature away, and shows the picture to a key', async () => {
    hold();
    account.hold('lineage/links', { key: 'k'.repeat(64) });
    const event = await sample('fetch-web');
    expect((await answered<HttpAnswer>('fetch-web', event)).statusCode).toBe(403);
    const headers = { ...(event['headers'] as object), authorization: 'Bearer example-key' };
    const rawQueryString = String(event['rawQueryString']).replace(/&(expires|signature)=[^&]*/g, '');
    const answer = await answered<HttpAnswer>('fetch-web', { ...event, headers, rawQueryString });
    expect([answer.statusCode, answer.body]).toEqual([200, expect.stringContaining('<svg')]);
  });

  test('register-bucket registers what was dropped under the key of the notification', async () => {
    const minimal = await readFile(join(events, 'manifests/minimal.yaml'), 'utf8');
    await store('manifests/shop/daily visits.yaml', minimal.replaceAll('visits', 'visits_by_day'));
    expect(await answered('register-bucket')).toEqual({ batchItemFailures: [] });
    expect((await account.shown<Edge>('dataphin')).map((edge) => edge.target)).toContain(
      'odps.300000001.shop.visits_by_day_daily',
    );
  });

  test('register-worker takes work from the queue, and reports only the message that fails', async () => {
    await addColumn('by_worker');
    expect(await answered('register-worker')).toEqual({ batchItemFailures: [] });
    expect(await columns()).toEqual(['by_worker']);
    const { Records } = (await sample('register-worker')) as { Records: object[] };
    const alien = { ...Records[0], messageId: 'alien', body: 'hello' };
    expect(await answered('register-worker', { Records: [...Records, alien] })).toEqual({
      batchItemFailures: [{ itemIdentifier: 'alien' }],
    });
  });

  test('register-webhook queues an event, and register-worker takes it in', async () => {
    hold();
    const event = await sample('register-webhook');
    expect((await answered<HttpAnswer>('register-webhook', { ...event, headers: {} })).statusCode).toBe(401);
    expect((await answered<HttpAnswer>('register-webhook', event)).statusCode).toBe(201);
    const [message] = (await account.queued()) as { kind: string }[];
    expect(message).toMatchObject({ kind: 'events' });
    const { Records } = (await sample('register-worker')) as { Records: object[] };
    const deliver = (body: object) =>
      answered('register-worker', { Records: [{ ...Records[0], body: JSON.stringify(body) }] });
    expect(await deliver(message as object)).toEqual({ batchItemFailures: [] });

    // What was taken in is archived, put together, shown by Marquez' reads, and taken in again when somebody asks.
    const window = new Date(Date.now() - (Date.now() % 600_000)).toISOString().slice(0, 16);
    for (const each of [{ kind: 'archive', window: window.replace('T', '/').replace(':', '-') }, { kind: 'tidy' }])
      expect(await deliver(each)).toEqual({ batchItemFailures: [] });
    const asked = await sample('fetch-web');
    const headers = { ...(asked['headers'] as object), authorization: 'Bearer example-key' };
    const marquez = async (rawPath: string, rawQueryString = '') => {
      const context = asked['requestContext'] as { http: object };
      const requestContext = { ...context, http: { ...context.http, path: rawPath } };
      const answer = await answered<HttpAnswer>('fetch-web', {
        ...asked,
        rawPath,
        rawQueryString,
        headers,
        requestContext,
      });
      return JSON.parse(answer.body) as Record<string, unknown>;
    };
    expect(await marquez('/api/v1/events/lineage')).toMatchObject({ totalCount: 1 });
    expect(await marquez('/api/v1/namespaces/airflow-prod/jobs/orders.load_orders/runs')).toMatchObject({
      totalCount: 1,
    });
    const put = await sample('register-http');
    const context = put['requestContext'] as { http: object };
    const again = await answered<HttpAnswer>('register-http', {
      ...put,
      rawPath: '/replay',
      requestContext: { ...context, http: { ...context.http, method: 'POST', path: '/replay' } },
      isBase64Encoded: false,
      body: JSON.stringify({ since: '2020-01-01T00:00:00Z' }),
    });
    expect(JSON.parse(again.body)).toMatchObject({ events: 1 });
  });

  test('register-webhook stores a signed manifest, once', async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const client = { name: 'signer', scopes: ['register'], webhook_secrets: [secret], namespaces: ['kestra'] };
    account.hold('lineage/clients', { clients: [client] });
    const event = await sample('register-webhook');
    const context = event['requestContext'] as { http: object };
    const body = JSON.stringify({ version: 1, job: { namespace: 'kestra', name: 'load' }, lineage: [] });
    const at = new Date();
    const signed = {
      ...event,
      rawPath: '/webhooks/manifest',
      requestContext: { ...context, http: { ...context.http, path: '/webhooks/manifest' } },
      headers: {
        'content-type': 'application/json',
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': new Webhook(secret).sign('msg_1', at, body),
      },
      body,
    };
    // Secrets are kept for a minute; another function has not read them yet.
    const { lambda, front } = await started('register-webhook', { LOG_LEVEL: 'info' });
    onTestFinished(async () => {
      await lambda.close();
      await front.close();
    });
    for (let attempt = 0; attempt < 2; attempt += 1)
      expect(await lambda.invoke(signed)).toMatchObject({ answer: { statusCode: 202 } });
    const queued = (await account.queued()) as { owner?: string }[];
    expect(queued.filter((each) => each.owner === 'http/kestra/load.json')).toEqual([
      { kind: 'converge', owner: 'http/kestra/load.json' },
    ]);
    expect(front.refused).toEqual([]);
  });

  test('reconcile-http and scheduled-reconcile find what nobody told of', async () => {
    await addColumn('by_request');
    const answer = await answered<HttpAnswer>('reconcile-http');
    expect([answer.statusCode, JSON.parse(answer.body)]).toMatchObject([200, { owners: 1, failures: [] }]);
    expect(await columns()).toEqual(['by_request']);
    await addColumn('by_schedule');
    expect(await answered('scheduled-reconcile')).toBeNull();
    // A pass finds what is due, and workers do it.
    const { Records } = (await sample('register-worker')) as { Records: object[] };
    for (const message of await account.queued())
      await answered('register-worker', { Records: [{ ...Records[0], body: JSON.stringify(message) }] });
    expect(await columns()).toEqual(['by_schedule']);
  });

  test('vendor-wire turns away what nobody signed, in the vendor’s own words', async () => {
    const answer = await answered<HttpAnswer>('vendor-wire');
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
    expect(answer.statusCode).toBeLessThan(500);
    expect(JSON.parse(answer.body)).toHaveProperty('RequestId');
  });

  test('vendor-wire registers, answers and deletes for whoever signs as the vendors’ clients do', async () => {
    const [id, secret] = ['AKWIRE', 'wire-secret'];
    const scopes = ['register', 'delete', 'fetch'];
    const script = { name: 'script', scopes, access_key_id: id, access_key_secret: secret };
    account.hold('lineage/clients', { clients: [script] });
    const { lambda, front } = await started('vendor-wire', { LOG_LEVEL: 'info' });
    onTestFinished(async () => {
      await lambda.close();
      await front.close();
    });
    const event = await sample('vendor-wire');
    const host = 'lineage.test';
    let nonce = 0;
    const call = async (path: string, own: Readonly<Record<string, string>>, value: object) => {
      const url = new URL(path, `https://${host}`);
      const body = JSON.stringify(value);
      const named = { host, 'content-type': 'application/json', ...own };
      const alibaba = own['x-acs-action'] !== undefined;
      nonce += 1;
      const headers: Record<string, string> = alibaba
        ? {
            ...named,
            'x-acs-date': acsDate(Date.now()),
            'x-acs-signature-nonce': `once ${nonce}`,
            'x-acs-content-sha256': bodyHash(body),
          }
        : { ...named, 'x-sdk-date': sdkDate(Date.now()) };
      const authorization = (alibaba ? acs3 : sdkHmac)({ method: 'POST', url, headers, body }, id, secret);
      const context = event['requestContext'] as { http: object };
      const request = {
        ...event,
        rawPath: url.pathname,
        rawQueryString: url.search.slice(1),
        requestContext: { ...context, http: { ...context.http, path: url.pathname } },
        headers: { ...headers, authorization },
        body,
      };
      const outcome = await lambda.invoke(request);
      if ('failed' in outcome) throw new Error(`${outcome.failed.errorMessage}\n${lambda.output()}`);
      const answer = outcome.answer as HttpAnswer;
      return { request, said: [answer.statusCode, JSON.parse(answer.body) as unknown] };
    };
    const guid = (name: string) => `odps.300000001.shop.${name}`;
    const asset = (name: string) => ({ ReferenceType: 'BY_GUID', Guid: guid(name), MetadataType: 'TABLE' });
    const tenant = String((account.vendors.dataphin.secret() as { op_tenant_id: unknown }).op_tenant_id);
    const rpc = (action: string) =>
      call(
        `/?OpTenantId=${tenant}`,
        { 'x-acs-action': action, 'x-acs-version': '2023-06-30' },
        { [`${action}Command`]: { Source: asset('wire_from'), Target: asset('wire_to') } },
      );
    const shown = async () => (await account.shown<Edge>('dataphin')).map((edge) => edge.target);

    const added = await rpc('AddRegisterLineage');
    expect(added.said).toMatchObject([200, { Code: 'OK', Success: true }]);
    expect(await shown()).toContain(guid('wire_to'));
    expect(await lambda.invoke(added.request)).toMatchObject({
      answer: { statusCode: 400, body: expect.stringContaining('SignatureNonceUsed') },
    });
    const asked = await call(
      '/meta/v2/lineage',
      { 'x-acs-action': 'GetLineageInfo', 'x-acs-version': '2022-07-18', workspace: 'w' },
      { id: guid('wire_from'), idType: 'TABLE' },
    );
    expect(asked.said).toMatchObject([200, { success: true, data: { edges: { tableLineage: [{}] } } }]);
    expect((await rpc('DeleteRegisterLineage')).said).toMatchObject([200, { Code: 'OK' }]);
    expect(await shown()).not.toContain(guid('wire_to'));

    const { project_id: project } = account.vendors.dataarts.secret() as { project_id: string };
    const table_lineage = { input_tables: [{ table: 'a' }], output_tables: [{ table: 'b' }] };
    const created = await call(
      `/v1/${project}/lineage/lineage-info`,
      { workspace: 'w', 'x-project-id': project },
      { job_id: 'signed', node_name: 'n', table_lineage },
    );
    expect(created.said).toMatchObject([
      200,
      [{ name: 'n', type_name: 'Node', qualified_name: expect.stringMatching(/^manual\./) }],
    ]);
    expect(front.refused).toEqual([]);
  });

  test('delete-http withdraws it again', async () => {
    const answer = await answered<HttpAnswer>('delete-http');
    expect([answer.statusCode, JSON.parse(answer.body)]).toMatchObject([200, { state: 'withdrawn' }]);
    expect((await account.shown<Edge>('dataphin')).map((edge) => edge.target)).not.toContain(
      'odps.300000001.shop.visits_daily',
    );
  });

  test.each(names)('%s has started without an error and gone through its middleware', async (name) => {
    const { lambda } = await started(name);
    expect(lambda.output()).toMatch(new RegExp(`"invocation ended".*lineage-functions-dev-${name}`));
    expect(lambda.output()).not.toMatch(/\bWarning\b|Unhandled|Cannot find/);
  });
});

describe('a function that cannot work', () => {
  test('says which setting is wrong', async () => {
    const { lambda, front } = await started('register-worker', { VANISH_GRACE: 'soon', TABLE: '' });
    onTestFinished(async () => {
      await lambda.close();
      await front.close();
    });
    const outcome = await lambda.invoke(await sample('register-worker'));
    expect(outcome).toMatchObject({ failed: { errorMessage: expect.stringMatching(/VANISH_GRACE is "soon"/) } });
  });

  test('is seen by the platform when it cannot even start', async () => {
    const [front, of] = [(await started('register-worker')).front, functions['register-worker']];
    const lambda = await startLambda({
      name: 'broken',
      folder: join(unpacked, 'register-worker'),
      handler: 'functions/register/nothing.handler',
      timeoutSeconds: 5,
      memoryMb: 256,
      environment: of ? environmentOf(of, front.url) : {},
    });
    onTestFinished(() => lambda.close());
    expect(await lambda.invoke({})).toMatchObject({ failed: { errorType: 'Runtime.ImportModuleError' } });
  });
});

leastPrivilegeSuite(() => ({ stack, functions, account, statementsOf, started, sample }));
alarmSuite(() => ({ stack, functions }));
atRestSuite(() => ({ stack, functions, prod: filled(second.template) }));
templateSuite(() => ({ stack, functions, prod: filled(second.template) }));
