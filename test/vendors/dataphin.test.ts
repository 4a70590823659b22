import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import { parseForm } from '../../shared/signing/canonical.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import { addCommand, deleteCommand } from '../../shared/vendors/dataphin/wire.ts';
import type { Unit } from '../../shared/vendors/vendor.ts';
import { type ColumnWords, columnEdge, dataset, entry, mappingInput } from './entries.ts';
import { DATAPHIN_SECRET, dataphinCall, gatewayBody, loopback, surroundings } from './loopback.ts';

const GUID = 'odps.300000001.p';
const table = (name: string, block: JsonObject = {}) => dataset('dataphin', { guid: `${GUID}.${name}`, ...block });
const property = (name: string, block: JsonObject = {}) =>
  dataset('dataphin', { catalog: 'dataphin', schema: 's', env: 'PROD', name, ...block });
const map = (...entries: ReturnType<typeof entry>[]) => dataphin.units(mappingInput(entries));
const only = (units: readonly Unit[]): Unit => {
  expect(units).toHaveLength(1);
  return units[0] as Unit;
};
const pairsOf = (unit: Unit) => unit.columns.map(({ from, to, direct }) => [from.column, to.column, direct]);

describe('units', () => {
  it('makes one unit per pair, each with its own columns', () => {
    const { units, unresolved } = map(
      entry(
        [table('a'), table('b')],
        [table('x'), table('y')],
        [
          ['c', 0, 'd', 0],
          ['c', 1, 'd', 0],
          ['e', 1, 'f', 1, false],
        ],
      ),
    );
    expect(unresolved).toEqual([]);
    expect(units.map((unit) => [unit.from[0]?.name, unit.to[0]?.name, pairsOf(unit)])).toEqual([
      [`${GUID}.a`, `${GUID}.x`, [['c', 'd', true]]],
      [`${GUID}.a`, `${GUID}.y`, []],
      [`${GUID}.b`, `${GUID}.x`, [['c', 'd', true]]],
      [`${GUID}.b`, `${GUID}.y`, [['e', 'f', false]]],
    ]);
    expect(units.flatMap((unit) => unit.columns).every(({ from, to }) => from.table === 0 && to.table === 0)).toBe(
      true,
    );
    expect(new Set(units.map((unit) => unit.id)).size).toBe(4);
  });

  it('merges entries on the same pair: columns, options, paths; direct wins', () => {
    const columns: ColumnWords[] = [['c', 0, 'd', 0, false]];
    const { units } = map(
      entry([table('a')], [table('x')], columns, { dataphin: { relationProperties: { k: 1 }, checkAssetExist: true } }),
      entry(
        [table('a')],
        [table('x')],
        [...columns, ['c', 0, 'd', 0, true], ['e', 0, 'f', 0], ['e', 0, 'f', 0, false]],
        { dataphin: { relationProperties: { l: 2 }, checkAssetExist: false } },
        'lineage[1]',
      ),
    );
    const unit = only(units);
    expect(pairsOf(unit)).toEqual([
      ['c', 'd', true],
      ['e', 'f', true],
    ]);
    expect(unit.options).toEqual({ relationProperties: { k: 1, l: 2 }, checkAssetExist: true });
    expect(unit.paths).toEqual(['lineage[0]', 'lineage[1]']);
    expect(unit.warnings?.map((each) => each.message)).toEqual([expect.stringMatching(/differ in checkAssetExist/)]);
  });

  it('keys by account and names alone', () => {
    const id = (input: Parameters<typeof mappingInput>) => only(dataphin.units(mappingInput(...input)).units).id;
    const plain = id([[entry([table('a')], [table('x')])]]);
    const named = { namespace: 'n', name: 'm', alias: 'al' };
    expect(id([[entry([{ ...table('a'), ...named }], [table('x')], [], { dataphin: { userId: 'u' } })]])).toBe(plain);
    expect(id([[entry([table('a', { catalog: 'c', extProperties: { k: 1 } })], [table('x')])]])).toBe(plain);
    expect(id([[entry([table('a')], [table('x')])], { job: { namespace: 'j', name: 'k' } }])).toBe(plain);
    expect(plain).toMatch(/^[\w-]{22}$/);
    expect(id([[entry([table('a')], [table('x')])], { account: 'host#2' }])).not.toBe(plain);
    expect(id([[entry([table('x')], [table('a')])]])).not.toBe(plain);
    expect(id([[entry([property('t')], [table('x')])]])).not.toBe(
      id([[entry([property('t', { env: 'DEV' })], [table('x')])]]),
    );
    const sub = property('t', { metadataSubType: 'PHYSICAL_VIEW', guid: 'odps.1.s.u', referenceType: 'BY_PROPERTY' });
    expect(id([[entry([sub], [table('x')])]])).toBe(id([[entry([property('t')], [table('x')])]]));
  });

  it('names tables and carries their identity', () => {
    const unit = only(map(entry([{ ...property('t'), namespace: 'n', name: 'm' }], [table('x')])).units);
    expect(unit.from).toEqual([{ name: 'dataphin.s.t', dataset: 'n/m' }]);
    expect(unit.to).toEqual([{ name: `${GUID}.x` }]);
    expect(unit.quietOptions).toEqual(['checkAssetExist', 'tenantId', 'userId', 'cascadeDelete', 'asSent']);
  });

  it('reports columns of a table without GUID and still sends the table edge', () => {
    const { units, unresolved } = map(entry([property('t')], [table('x')], [['c', 0, 'd', 0]]));
    expect(only(units).columns).toEqual([]);
    expect(unresolved).toEqual([
      {
        path: 'lineage[0]',
        from: 'dataphin.s.t.c',
        to: `${GUID}.x.d`,
        reason: expect.stringMatching(/needs the GUID of dataphin\.s\.t/),
      },
    ]);
    const withGuid = property('t', { guid: 'odps.1.s.t', referenceType: 'BY_PROPERTY' });
    expect(map(entry([withGuid], [table('x')], [['c', 0, 'd', 0]])).unresolved).toEqual([]);
  });

  it('reports what has no name, or no usable one', () => {
    const nameless = { alias: 'raw', vendors: {} };
    const bad = dataset('dataphin', { guid: 'g', metadataSubType: 'PHYSICAL_TABLE' }, { alias: 'bad' });
    const { units, unresolved } = map(
      entry([nameless, bad], [table('x')]),
      entry([table('a')], [table('x')], [], { dataphin: { tenantId: 'none' } }, 'lineage[1]'),
    );
    expect(units).toEqual([]);
    expect(unresolved.map((each) => [each.path, each.from, each.reason])).toEqual([
      ['lineage[0]', 'raw', expect.stringMatching(/raw has no name at Dataphin/)],
      ['lineage[0]', 'bad', expect.stringMatching(/metadataSubType/)],
      ['lineage[1]', '(unnamed)', expect.stringMatching(/tenantId/)],
    ]);
  });

  it.each([
    ['schema and name', property('t', { schema: 'p' }), table('t')],
    ['identity', { ...property('u'), namespace: 'n', name: 'm' }, { ...table('t'), namespace: 'n', name: 'm' }],
    ['guid', property('u', { guid: `${GUID}.t`, referenceType: 'BY_PROPERTY' }), table('t')],
  ])('warns when one table seems to be named in both ways, by %s', (_by, byProperty, byGuid) => {
    const { units } = map(entry([byProperty], [table('x')]), entry([byGuid], [table('y')], [], {}, 'lineage[1]'));
    expect(units.map((unit) => unit.warnings?.[0]?.message)).toEqual([
      expect.stringMatching(/look like one table/),
      expect.stringMatching(/look like one table/),
    ]);
  });
  it('does not warn otherwise', () => {
    expect(only(map(entry([property('t')], [table('t')])).units).warnings).toBeUndefined();
  });
});

describe('blocks', () => {
  it.each([
    [{ guid: 'g' }, []],
    [{ name: 't' }, []],
    [{ name: 't', metadataSubType: 'DIM_ENUM' }, []],
    [{ catalog: 'c' }, [/needs a guid, or a name/]],
    [{ referenceType: 'BY_GUID', name: 't' }, [/needs a guid/]],
    [{ guid: 'g', metadataSubType: 'DIM_ENUM' }, [/BY_PROPERTY/]],
    [{ name: 't', metadataType: 'TOPIC', metadataSubType: 'DIM_ENUM' }, [/metadataType TABLE/]],
  ])('checks %j', (block, expected) => {
    expect(dataphin.blocks.check?.(block)).toEqual(expected.map((each) => expect.stringMatching(each)));
  });
  it('refuses unknown keys and values', () => {
    for (const bad of [{ gid: 'g' }, { metadataSubType: 'TABLE' }, { referenceType: 'BY_NAME' }, { guid: '' }]) {
      expect(dataphin.blocks.dataset.safeParse(bad).success).toBe(false);
    }
    expect(dataphin.blocks.entry?.safeParse({ cascade: true }).success).toBe(false);
    expect(dataphin.blocks.entry?.safeParse({ tenantId: '99999999999999999999' }).success).toBe(false);
  });
});

describe('secret', () => {
  const base = { ...DATAPHIN_SECRET, endpoint: 'dataphin-public.cn-shanghai.aliyuncs.com' };
  it('identifies the account without any secret value', () => {
    expect(dataphin.account(base)).toBe('dataphin-public.cn-shanghai.aliyuncs.com#30001011');
    expect(dataphin.account({ ...base, endpoint: `https://${base.endpoint}/`, op_tenant_id: '30001011' })).toBe(
      dataphin.account(base),
    );
    expect(dataphin.account({ ...base, endpoint: 'http://127.0.0.1:4000/x' })).toBe('127.0.0.1:4000/x#30001011');
    expect(dataphin.account({ ...base, account: 'main' })).toBe('main#30001011');
  });
  it.each([
    [{ endpoint: 'http://dataphin.example' }, /endpoint: must be/],
    [{ endpoint: 'ftp://dataphin.example' }, /endpoint: must be/],
    [{ endpoint: 'host/?q=1' }, /endpoint: must be/],
    [{ op_tenant_id: 'abc' }, /op_tenant_id.*whole number/],
    [{ op_tenant_id: '9223372036854775808' }, /op_tenant_id.*too large/],
    [{ op_tenant_id: Number.MAX_SAFE_INTEGER + 1 }, /op_tenant_id/],
    [{ tenant_id: '9223372036854775807' }, /tenant_id.*too large/],
    [{ acces_key_id: 'x' }, /acces_key_id/],
    [{ access_key_secret: undefined }, /access_key_secret/],
  ])('refuses %j and shows no value', (change, expected) => {
    const bad = { ...base, ...change } as unknown as JsonObject;
    expect(() => dataphin.account(bad)).toThrow(expected);
    expect(() => dataphin.account(bad)).not.toThrow(/testAccessKey/);
    expect(dataphin.secret.safeParse(bad).success).toBe(false);
  });
  it('takes the whole range of a long for what is only sent as text', () => {
    expect(dataphin.account({ ...base, op_tenant_id: '9223372036854775807' })).toMatch(/#9223372036854775807$/);
  });
  it('allows http elsewhere only when asked', () => {
    expect(dataphin.account({ ...base, endpoint: 'http://dataphin.example', allow_http: true })).toBe(
      'dataphin.example#30001011',
    );
  });
});

describe('commands', () => {
  it('refers to columns by GUID, or by properties with the GUID as parent', () => {
    const withGuid = property('t', {
      guid: 'odps.1.s.t',
      referenceType: 'BY_PROPERTY',
      metadataSubType: 'PHYSICAL_TABLE',
    });
    const unit = only(
      map(
        entry([withGuid], [table('x', { extProperties: { e: 1 } })], [['c', 0, 'd', 0, false]], {
          dataphin: { checkAssetExist: true, relationProperties: { r: 1 }, tenantId: '300001234', userId: '300004567' },
        }),
      ).units,
    );
    expect(addCommand({ ...unit }, {})).toEqual({
      Source: {
        ReferenceType: 'BY_PROPERTY',
        MetadataType: 'TABLE',
        MetadataSubType: 'PHYSICAL_TABLE',
        Catalog: 'dataphin',
        Schema: 's',
        Env: 'PROD',
        Name: 't',
      },
      Target: { ReferenceType: 'BY_GUID', Guid: `${GUID}.x`, MetadataType: 'TABLE', ExtProperties: { e: 1 } },
      DetailedLineages: [
        {
          Source: {
            ReferenceType: 'BY_PROPERTY',
            ParentGuid: 'odps.1.s.t',
            MetadataType: 'COLUMN',
            Catalog: 'dataphin',
            Schema: 's',
            Env: 'PROD',
            Name: 'c',
          },
          Target: { ReferenceType: 'BY_GUID', Guid: `${GUID}.x.d`, ParentGuid: `${GUID}.x`, MetadataType: 'COLUMN' },
          IsDirect: false,
        },
      ],
      CheckAssetExist: true,
      RelationProperties: { r: 1 },
      TenantId: 300001234,
      UserId: '300004567',
    });
  });
  it("leaves out what is not given, and takes the secret's tenant and user", () => {
    expect(addCommand({ ...dataphinCall, columns: [] }, { tenantId: 5, userId: 'u' })).toEqual({
      Source: { ReferenceType: 'BY_GUID', Guid: 'odps.300000001.project1.table1', MetadataType: 'TABLE' },
      Target: { ReferenceType: 'BY_GUID', Guid: 'odps.300000001.project1.table2', MetadataType: 'TABLE' },
      TenantId: 5,
      UserId: 'u',
    });
  });
  it('cascades only when the edge goes and the entry does not forbid it', () => {
    const cascade = (asked: boolean, options: JsonObject) =>
      deleteCommand({ ...dataphinCall, options, cascade: asked }, {}).CascadeDeleteLineage;
    expect([cascade(true, {}), cascade(false, {}), cascade(true, { cascadeDelete: false })]).toEqual([
      true,
      false,
      false,
    ]);
    const options = { checkAssetExist: true, relationProperties: {} };
    expect(deleteCommand({ ...dataphinCall, options, cascade: true }, {})).not.toHaveProperty('CheckAssetExist');
    expect(deleteCommand({ ...dataphinCall, options, cascade: true }, {})).not.toHaveProperty('RelationProperties');
  });
  it('refuses more than 100 columns and specs of others', () => {
    const columns = Array.from({ length: 101 }, (_, at) => columnEdge([`c${at}`, 0, 'd', 0]));
    expect(() => addCommand({ ...dataphinCall, columns }, {})).toThrow(/at most 100/);
    expect(() => addCommand({ ...dataphinCall, spec: { jobId: 'x' } }, {})).toThrow(/not made for Dataphin/);
  });
});

describe('client', () => {
  let server: Awaited<ReturnType<typeof loopback>>;
  beforeAll(async () => {
    server = await loopback();
  });
  afterAll(() => server.close());

  const ok = {
    body: { RequestId: 'R1', Message: 'internal error', HttpStatusCode: 200, Code: 'OK', Success: 'Success' },
  };
  async function using<T>(
    run: (client: ReturnType<typeof dataphin.connect>, options: { deadlineMs: number }) => Promise<T> | undefined,
  ) {
    const { io, options, close } = surroundings();
    try {
      return await run(dataphin.connect({ ...DATAPHIN_SECRET, endpoint: server.url }, io), options);
    } finally {
      await close();
    }
  }
  const form = (at = 0) => Object.fromEntries(parseForm(server.seen[at]?.body.toString() ?? ''));

  it('posts the command as a form field', async () => {
    server.answers(ok);
    expect(await using((client, options) => client.register?.(dataphinCall, options))).toMatchObject({
      receipt: 'R1',
      ambiguous: false,
    });
    const [seen] = server.seen;
    expect([seen?.method, seen?.target]).toEqual(['POST', '/?OpTenantId=30001011']);
    expect(seen?.headers).toMatchObject({
      'x-acs-action': 'AddRegisterLineage',
      'x-acs-version': '2023-06-30',
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(JSON.parse(form()['AddRegisterLineageCommand'] ?? '')).toEqual(addCommand(dataphinCall, {}));
  });
  it('sends the security token, signed, when there is one', async () => {
    server.answers(ok);
    const { io, options, close } = surroundings();
    const client = dataphin.connect({ ...DATAPHIN_SECRET, security_token: 'tok', endpoint: server.url }, io);
    await client.register?.(dataphinCall, options);
    await close();
    expect(server.seen[0]?.headers['x-acs-security-token']).toBe('tok');
    expect(server.seen[0]?.headers['authorization']).toContain('x-acs-security-token');
  });
  it.each([true, 'true', 'Success', 'success'])('takes Success %j for success', async (flag) => {
    server.answers({ body: { ...ok.body, Success: flag } });
    expect((await using((client, options) => client.register?.(dataphinCall, options)))?.receipt).toBe('R1');
  });
  it('says ambiguous after a doubtful attempt', async () => {
    server.answers({ reset: true }, ok);
    expect((await using((client, options) => client.register?.(dataphinCall, options)))?.ambiguous).toBe(true);
    expect(server.seen).toHaveLength(2);
  });
  it.each([
    [200, { RequestId: 'R2', Success: false, Code: 'Lineage.AlreadyExists', HttpStatusCode: 400 }],
    [400, gatewayBody('DuplicateLineage')],
    [409, gatewayBody('RelationExisted')],
    [400, gatewayBody('Whatever', 'The lineage already exists.')],
  ])('takes a duplicate on register as done (%i %j)', async (status, body) => {
    server.answers({ status, body });
    const receipt = await using((client, options) => client.register?.(dataphinCall, options));
    expect(receipt?.receipt).toBe(body.RequestId);
  });
  it.each([
    [404, gatewayBody('LineageNotFound')],
    [200, { RequestId: 'R3', Success: false, Code: 'NotExist', HttpStatusCode: 404 }],
    [400, gatewayBody('Whatever', 'The lineage does not exist.')],
  ])('takes not-found on withdraw as done (%i %j)', async (status, body) => {
    server.answers({ status, body });
    const withdrawn = using((client, options) => client.withdraw?.({ ...dataphinCall, cascade: true }, options));
    expect((await withdrawn)?.receipt).toBe(body.RequestId);
    expect(JSON.parse(form()['DeleteRegisterLineageCommand'] ?? '')).toMatchObject({ CascadeDeleteLineage: true });
  });
  it.each([
    [404, 'InvalidApi.NotFound', 'unsupported'],
    [404, 'InvalidAccessKeyId.NotFound', 'denied'],
    [404, 'TenantNotFound', 'missing'],
    [500, 'LineageNotFound', 'unavailable'],
    [400, 'DuplicateLineage', 'conflict'],
  ])('does not take %i %s on withdraw as done', async (status, code, kind) => {
    server.answers({ status, body: gatewayBody(code) });
    const withdrawn = using((client, options) => client.withdraw?.({ ...dataphinCall, cascade: true }, options));
    await expect(withdrawn).rejects.toMatchObject({ kind });
    expect(new Set(server.seen.map((seen) => seen.headers['x-acs-action']))).toEqual(
      new Set(['DeleteRegisterLineage']),
    );
  });

  const guids = { InputTableGuid: 'odps.300000001.project1.table1', OutputTableGuid: 'odps.300000001.project1.table2' };
  const tables = (...rows: object[]) => ({ body: { ...ok.body, TableLineageList: rows } });
  const columnRows = (...rows: object[]) => ({ body: { ...ok.body, TableColumnLineageList: rows } });

  it('reads presence back with every flag explicit', async () => {
    const pair = (from: string, to: string) => ({
      ...guids,
      InputColumnGuid: `${guids.InputTableGuid}.${from}`,
      OutputColumnGuid: `${guids.OutputTableGuid}.${to}`,
    });
    const stranger = { ...guids, InputColumnGuid: 'odps.1.z.z.a', OutputColumnGuid: `${guids.OutputTableGuid}.b` };
    server.answers(
      tables({ ...guids, InputTableGuid: 'other' }, guids),
      columnRows(pair('a', 'b'), pair('c.d', 'e'), stranger),
    );
    const call = { ...dataphinCall, columns: [columnEdge(['a', 0, 'b', 0, false])] };
    expect(await using((client, options) => client.present?.(call, options))).toEqual({
      edge: true,
      columns: [columnEdge(['a', 0, 'b', 0, false]), columnEdge(['c.d', 0, 'e', 0, true])],
    });
    expect(server.seen.map((seen) => [seen.headers['x-acs-action'], seen.target])).toEqual([
      ['GetTableLineages', '/?OpTenantId=30001011&TableGuid=odps.300000001.project1.table2'],
      ['GetTableColumnLineages', '/?OpTenantId=30001011&TableGuid=odps.300000001.project1.table2'],
    ]);
    for (const at of [0, 1]) {
      expect(JSON.parse(form(at)['FilterQuery'] ?? '')).toEqual({
        NeedUpstream: true,
        NeedDownstream: false,
        NeedNotExistObject: true,
      });
    }
  });
  it.each([
    ['another edge', tables({ ...guids, InputTableGuid: 'other' })],
    ['no list', ok],
    ['a table that Dataphin does not know', { status: 404, body: gatewayBody('TableNotFound') }],
  ])('sees no edge in %s', async (_what, answer) => {
    server.answers(answer);
    expect(await using((client, options) => client.present?.(dataphinCall, options))).toEqual({
      edge: false,
      columns: [],
    });
    expect(server.seen).toHaveLength(1);
  });
  it('cannot look without both GUIDs', async () => {
    const source = { referenceType: 'BY_PROPERTY', metadataType: 'TABLE', name: 't' };
    const call = { ...dataphinCall, spec: { ...dataphinCall.spec, source } };
    await expect(using((client, options) => client.present?.(call, options))).rejects.toMatchObject({
      kind: 'unsupported',
    });
  });
});
