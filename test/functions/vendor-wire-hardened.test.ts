import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { entry as webhook } from '../../functions/register/webhook.ts';
import { dataarts } from '../../functions/vendor-wire/dataarts.ts';
import { dataphin } from '../../functions/vendor-wire/dataphin.ts';
import { verdictOf } from '../../functions/vendor-wire/outcome.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import type { Services } from '../../shared/wiring.ts';
import { at } from '../simulators/callers.ts';
import { local, until } from './local.ts';
import { machine, request } from './wire-machine.ts';

const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const asset = (name: string) => ({ ReferenceType: 'BY_GUID', Guid: `odps.1.p.${name}`, MetadataType: 'TABLE' });
const PAIR = { Source: asset('a'), Target: asset('b') };
const columns = (...names: readonly string[]) => ({
  DetailedLineages: names.map((name) => ({ Source: { Name: name }, Target: { Name: name } })),
});
const add = (services: Services, command: string | object, tenant = '1') =>
  dataphin(
    request({
      query: new URLSearchParams({ OpTenantId: tenant }),
      headers: { 'x-acs-action': 'AddRegisterLineage' },
      body: Buffer.from(
        `{"AddRegisterLineageCommand":${typeof command === 'string' ? command : JSON.stringify(command)}}`,
      ),
    }),
    services,
  );
const codeIn = ({ body }: { readonly body?: string | Uint8Array }, key = 'Code') => at(JSON.parse(String(body)), key);

describe('what exhausts the stack is refused for good, not with an error that asks for the same again', () => {
  it.each([100, 3_000, 200_000])('a command, %i deep', async (levels) => {
    const { services } = machine();
    const command = `${JSON.stringify(PAIR).slice(0, -1)},"RelationProperties":${deep(levels)}}`;
    const answer = await add(services, command);
    expect([answer.status, codeIn(answer)]).toEqual([400, 'InvalidAddRegisterLineageCommand']);
  });

  it.each([600, 200_000])('an event, %i deep', async (levels) => {
    const { services } = machine();
    const route = webhook.routes.find(({ path }) => path === '/api/v1/lineage');
    const event = `{"eventTime":"2026-01-01T00:00:00Z","run":{"runId":"r"},"job":{"namespace":"n","name":"j","x":${deep(levels)}}}`;
    const answer = await route?.handle(request({ body: Buffer.from(event) }), services);
    expect(answer?.status).toBe(400);
  });
});

describe('a list of signed headers that names what every object has', () => {
  const client = { name: 'c', scopes: ['register'], access_key_id: 'AK', access_key_secret: 's' };

  it('is a wrong signature at Dataphin', async () => {
    const { services, secrets } = machine();
    secrets.set('lineage/clients', { clients: [client] });
    const own = ['host', 'x-acs-action', 'x-acs-version', 'x-acs-date', 'x-acs-signature-nonce'];
    const headers = {
      ...Object.fromEntries(own.map((name) => [name, 'x'])),
      'x-acs-date': `${new Date().toISOString().slice(0, 19)}Z`,
      'x-acs-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      authorization: `ACS3-HMAC-SHA256 Credential=AK,SignedHeaders=${own.join(';')};x-acs-content-sha256;constructor;__proto__,Signature=${'0'.repeat(64)}`,
    };
    const answer = await dataphin(request({ headers }), services);
    expect([answer.status, codeIn(answer)]).toEqual([400, 'SignatureDoesNotMatch']);
  });

  it('is a wrong signature at DataArts', async () => {
    const { services, secrets } = machine();
    secrets.set('lineage/clients', { clients: [client] });
    const headers = {
      host: 'h',
      'x-sdk-date': `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`,
      authorization: `SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date;constructor, Signature=${'0'.repeat(64)}`,
    };
    const answer = await dataarts(request({ headers, params: { project_id: 'p' } }), services);
    expect([answer.status, codeIn(answer, 'error_code')]).toEqual([401, 'APIGW.0301']);
  });
});

it('an action that every object has is none of Dataphin', async () => {
  const { services } = machine();
  for (const action of ['constructor', '__proto__', 'toString']) {
    const answer = await dataphin(request({ headers: { 'x-acs-action': action } }), services);
    expect([action, answer.status, codeIn(answer)]).toEqual([action, 404, 'InvalidAction.NotFound']);
  }
});

it('a signature or token that is wrong, or nobody’s, is counted and slowed as a key is', async () => {
  const { services, secrets, log } = machine();
  secrets.set('lineage/clients', {
    clients: [{ name: 'c', scopes: ['register'], access_key_id: 'AK', access_key_secret: 's' }],
  });
  const day = new Date().toISOString().slice(0, 19);
  const acs3 = (id: string) => ({
    ...{ host: 'h', 'x-acs-action': 'AddRegisterLineage', 'x-acs-version': '2023-06-30', 'x-acs-date': `${day}Z` },
    ...{ 'x-acs-signature-nonce': id, 'x-acs-content-sha256': createHash('sha256').digest('hex') },
    authorization: `ACS3-HMAC-SHA256 Credential=${id},SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=${'0'.repeat(64)}`,
  });
  const hmac = (id: string) => ({
    ...{ host: 'h', 'x-sdk-date': `${day.replace(/[-:]/g, '')}Z` },
    authorization: `SDK-HMAC-SHA256 Access=${id}, SignedHeaders=host;x-sdk-date, Signature=${'0'.repeat(64)}`,
  });
  const refused = () => log.lines.filter(({ message }) => message.startsWith('access refused')).length;
  const project = { project_id: 'p' };
  for (const [at, ask] of [
    () => dataphin(request({ headers: acs3('nobody') }), services),
    () => dataphin(request({ headers: acs3('AK') }), services),
    () => dataarts(request({ headers: hmac('nobody'), params: project }), services),
    () => dataarts(request({ headers: hmac('AK'), params: project }), services),
    () => dataarts(request({ headers: { host: 'h', 'x-auth-token': 'guess' }, params: project }), services),
  ].entries()) {
    expect((await ask()).status).toBeGreaterThanOrEqual(400);
    expect(refused()).toBe(at + 1);
  }
});

describe('a call that cannot be seen through', () => {
  it('leaves nothing of a first Add, and of a later one what was there before', async () => {
    const { services, objects } = machine({ WIRE_DATAPHIN: 'relay' });
    const { manifests } = services.deps;
    let reads = 0;
    const broken: Services = {
      ...services,
      deps: {
        ...services.deps,
        manifests: {
          ...manifests,
          get: async (key, options) => {
            // The first read is the call's own, the second the convergence's.
            if (key.startsWith('dataphin/')) reads += 1;
            if (reads === 2) throw new Failure('unavailable', 'the store does not answer');
            return manifests.get(key, options);
          },
        },
      },
    };
    expect(await add(broken, PAIR)).toMatchObject({ status: 503 });
    expect([...objects.keys()].filter((key) => key.startsWith('dataphin/'))).toEqual([]);

    const keeping = {
      ...services,
      settings: { ...services.settings, wire: { ...services.settings.wire, dataphin: 'keep' } },
    };
    expect(await add(keeping as Services, { ...PAIR, ...columns('x') })).toMatchObject({ status: 200 });
    const before = [...objects];
    reads = 0;
    expect(await add(broken, { ...PAIR, ...columns('y') })).toMatchObject({ status: 503 });
    expect([...objects].filter(([key]) => key.startsWith('dataphin/'))).toEqual(
      before.filter(([key]) => key.startsWith('dataphin/')),
    );
  });

  it('leaves the graph as it was where it is only kept', async () => {
    const { services, state } = machine();
    expect(await add(services, { ...PAIR, ...columns('x') })).toMatchObject({ status: 200 });
    const before = state();
    const { ledger } = services.deps;
    let failing = true;
    const write = (row: Row, expected: string | null) => {
      if (!failing || !row.key.startsWith('unit/')) return ledger.write(row, expected);
      failing = false;
      throw new Failure('throttled', 'too many writes');
    };
    const broken = { ...services, deps: { ...services.deps, ledger: { ...ledger, write } } };
    expect(await add(broken, { ...PAIR, ...columns('y') })).toMatchObject({ status: 400 });
    expect(withoutTimes(state())).toBe(withoutTimes(before));
  });
});

const withoutTimes = (state: string) => state.replace(/"(registeredAt|changedAt)":\d+/g, '');

describe('an answer', () => {
  it("is the vendor's, word by word", () => {
    const edge = {
      target: 'dataphin',
      from: 'a',
      to: 'b',
      outcome: 'failed',
      reason: 'ours (HTTP 418, Not.It): "no". x',
    } as const;
    const status = { owner: 'o', at: '', state: 'failed', counts: {}, edges: [edge] } as const;
    const concern = { target: 'dataphin' };
    expect(verdictOf({ finished: true, status }, concern)).toEqual({ kind: 'rejected', message: edge.reason });
    const answer = { status: 403, code: 'Some.Code', words: 'table "a". is (HTTP 500) odd' };
    expect(verdictOf({ finished: true, status: { ...status, edges: [{ ...edge, answer }] } }, concern)).toEqual({
      kind: 'rejected',
      status: 403,
      code: 'Some.Code',
      message: answer.words,
    });
  });

  it('does not fail for what an earlier call to the same node has still open', async () => {
    const runtime = await local({ WIRE_DOWN: 'forward', UNKNOWN_WAIT: '60' });
    const forward = runtime.runtime.services;
    const strict: Services = {
      ...forward,
      settings: { ...forward.settings, wire: { ...forward.settings.wire, down: 'error' } },
    };
    const create = async (services: Services, input: string) => {
      const body = {
        job_id: 'j',
        node_name: 'n',
        table_lineage: { input_tables: [{ table: input }], output_tables: [{ table: 'out' }] },
      };
      return dataarts(
        request({
          params: { project_id: '0833a5737480d53b2f25c010dc1a7b88' },
          headers: { workspace: '1b59d3c777ad4d619b89eeac4f3cce87' },
          body: Buffer.from(JSON.stringify(body)),
        }),
        services,
      );
    };
    await runtime.fault('dataarts', { kind: 'lost-answer', times: 1 });
    expect(await create(forward, 'first')).toMatchObject({ status: 200 });
    expect(await create(strict, 'second')).toMatchObject({ status: 200 });
    expect((await runtime.dataarts()).flatMap(({ inputs }) => inputs).sort()).toEqual(['first', 'second']);
  });
});

it('what is only kept here leaves the graph with its object', async () => {
  const runtime = await local({ WIRE_DATAARTS: 'keep' });
  const { services } = runtime.runtime;
  const table_lineage = { input_tables: [{ table: 'a' }], output_tables: [{ table: 'b' }] };
  const body = Buffer.from(JSON.stringify({ job_id: 'j', node_name: 'n', table_lineage }));
  const created = await dataarts(request({ params: { project_id: 'p' }, headers: { workspace: 'w' }, body }), services);
  expect(created.status).toBe(200);
  const edges = async () => {
    const answer = await runtime.request('GET', `/lineage?dataset=${encodeURIComponent('dataarts:a')}`);
    return answer.status === 404 ? 0 : ((await answer.json()) as { edges: unknown[] }).edges.length;
  };
  expect(await edges()).toBe(1);
  const [object] = (await services.deps.manifests.list('dataarts/')).items;
  await runtime.remove(object?.key ?? '');
  await until(async () => (await edges()) === 0);
  expect(await services.deps.ledger.get(`wire/${object?.key}`)).toBeUndefined();
});

it('a refusal does not send back all that is wrong', async () => {
  const { services } = machine();
  const unknown = Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [`unknown_${at}`, 1]));
  const answers = [
    await add(services, { ...PAIR, ...unknown }),
    await dataarts(
      request({ params: { project_id: 'p' }, headers: { workspace: 'w' }, body: Buffer.from(JSON.stringify(unknown)) }),
      services,
    ),
  ];
  for (const { status, body } of answers) {
    expect(status).toBe(400);
    expect(String(body).length).toBeLessThan(5_000);
  }
});

it('a signature of the older kind, in the query, is not taken for none', async () => {
  const { services } = machine();
  const query = new URLSearchParams({ OpTenantId: '1', SignatureMethod: 'HMAC-SHA1', Signature: 'AAAA' });
  const body = Buffer.from(JSON.stringify({ AddRegisterLineageCommand: PAIR }));
  const answer = await dataphin(request({ query, headers: { 'x-acs-action': 'AddRegisterLineage' }, body }), services);
  expect([answer.status, codeIn(answer)]).toEqual([400, 'IncompleteSignature']);
});

it.each([
  ['denied', 403],
  ['unavailable', 503],
  ['success-false', 503],
])('a Delete that the vendor does not carry out (%s) changes nothing', async (kind, status) => {
  const runtime = await local();
  const { services } = runtime.runtime;
  const send = (action: string) =>
    dataphin(
      request({
        query: new URLSearchParams({ OpTenantId: '30001011' }),
        headers: { 'x-acs-action': action },
        body: Buffer.from(JSON.stringify({ [`${action}Command`]: PAIR })),
      }),
      services,
    );
  expect(await send('AddRegisterLineage')).toMatchObject({ status: 200 });
  const stored = async () => {
    const { items } = await services.deps.manifests.list('dataphin/');
    return items.map(({ key, etag }) => [key, etag]);
  };
  const before = await stored();
  expect(before).toHaveLength(1);
  await runtime.fault('dataphin', { kind, operation: 'DeleteRegisterLineage', times: 9 });
  expect((await send('DeleteRegisterLineage')).status).toBe(status);
  expect(await stored()).toEqual(before);
  await runtime.clearFaults('dataphin');
  expect(await runtime.dataphin()).toHaveLength(1);
  expect(await send('DeleteRegisterLineage')).toMatchObject({ status: 200 });
  expect([await stored(), await runtime.dataphin()]).toEqual([[], []]);
});
