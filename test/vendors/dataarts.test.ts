import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import { dataarts } from '../../shared/vendors/dataarts/index.ts';
import { iamEndpointOf, readSecret } from '../../shared/vendors/dataarts/secret.ts';
import { groupCount, type LineageInfo, lineageInfo } from '../../shared/vendors/dataarts/wire.ts';
import type { Unit } from '../../shared/vendors/vendor.ts';
import { type ColumnWords, columnEdge, dataset, entry, mappingInput } from './entries.ts';
import { DATAARTS_SECRET, dataartsCall, loopback, surroundings } from './loopback.ts';

const table = (name: string, block: JsonObject = {}) => dataset('dataarts', { database: 'db', table: name, ...block });
const map = (entries: ReturnType<typeof entry>[], more: Parameters<typeof mappingInput>[1] = {}) =>
  dataarts.units(mappingInput(entries, more));
const only = (units: readonly Unit[]): Unit => {
  expect(units).toHaveLength(1);
  return units[0] as Unit;
};
const job = { namespace: 'airflow', name: 'orders.load' };

describe('units', () => {
  it('makes one node of an entry, tables sorted and once, columns following them', () => {
    const { units, unresolved } = map([
      entry(
        [table('b'), table('a'), table('b')],
        [table('y'), table('x')],
        [
          ['c', 0, 'd', 0],
          ['c', 2, 'd', 0, false],
          ['e', 1, 'f', 1],
        ],
      ),
    ]);
    expect(unresolved).toEqual([]);
    const unit = only(units);
    expect(unit.from.map((each) => each.name)).toEqual(['db.a', 'db.b']);
    expect(unit.to.map((each) => each.name)).toEqual(['db.x', 'db.y']);
    expect(unit.columns).toEqual([columnEdge(['c', 1, 'd', 1]), columnEdge(['e', 0, 'f', 0])]);
  });

  it('keys by deployment, account, workspace, job and tables, not by order or node name', () => {
    const id = (entries: ReturnType<typeof entry>[], more = {}) => only(map(entries, more).units).id;
    const plain = id([entry([table('a'), table('b')], [table('x')])]);
    const same = [
      id([entry([table('b'), table('a')], [table('x')])]),
      id([
        entry([table('a'), table('b')], [table('x')], [['c', 0, 'd', 0]], {
          dataarts: { nodeName: 'n', connectionName: 'c' },
        }),
      ]),
      id([entry([table('a', { schema: '' }), table('b')], [table('x')])]),
      id([entry([table('a'), table('b')], [table('x')], [], { dataarts: { workspaceId: 'ws' } })]),
    ];
    expect(new Set([plain, ...same]).size).toBe(1);
    const base = entry([table('a'), table('b')], [table('x')]);
    const others = [
      id([base], { job }),
      id([base], { deployment: 'other' }),
      id([base], { account: 'other' }),
      id([base], { secret: { workspace_id: 'other' } }),
      id([entry([table('a'), table('b')], [table('x')], [], { dataarts: { jobId: 'j' } })]),
      id([entry([table('a'), table('b')], [table('x', { catalog: 'c' })])]),
      id([entry([table('a'), table('b')], [table('x', { schema: 's' })])]),
      id([entry([table('a')], [table('x')])]),
    ];
    expect(new Set([plain, ...others]).size).toBe(others.length + 1);
    const given = { dataarts: { jobId: 'j' } };
    expect(id([entry([table('a')], [table('x')], [], given)], { job })).toBe(
      id([entry([table('a')], [table('x')], [], given)]),
    );
  });

  it('merges entries of the same node', () => {
    const unit = only(
      map([
        entry([table('a')], [table('x')], [['c', 0, 'd', 0]], { dataarts: { nodeName: 'one' } }),
        entry([table('a')], [table('x')], [['e', 0, 'f', 0]], { dataarts: { nodeName: 'two' } }, 'lineage[1]'),
      ]).units,
    );
    expect(unit.columns).toHaveLength(2);
    expect(unit.paths).toEqual(['lineage[0]', 'lineage[1]']);
    expect(unit.options).toEqual({ nodeName: 'one' });
    expect(unit.warnings?.[0]?.message).toMatch(/differ in nodeName/);
  });

  it('gives job_id and node_name', () => {
    const wire = (options: JsonObject, more = {}) => {
      const unit = only(map([entry([table('a')], [table('x')], [], { dataarts: options })], more).units);
      const { job_id, node_name, workspace_id } = lineageInfo(unit);
      return { job_id: job_id?.replace(unit.id, 'ID'), node_name, workspace_id };
    };
    expect(wire({})).toEqual({ job_id: 'lf-test-ID', node_name: 'db.x', workspace_id: 'ws' });
    expect(wire({}, { job })).toEqual({ job_id: 'lf-test-ID', node_name: 'orders.load', workspace_id: 'ws' });
    expect(wire({ jobId: 'J', nodeName: 'N', workspaceId: 'W' }, { job })).toEqual({
      job_id: 'J',
      node_name: 'N',
      workspace_id: 'W',
    });
  });

  it('reports what has no name, for every pair of the entry', () => {
    const nameless = { alias: 'raw', vendors: {} };
    const { units, unresolved } = map([entry([nameless, table('a')], [table('x')])]);
    expect(units).toEqual([]);
    expect(unresolved.map((each) => [each.from, each.reason])).toEqual([
      ['raw', expect.stringMatching(/^raw has no name at DataArts/)],
      ['(unnamed)', expect.stringMatching(/^raw has no name at DataArts/)],
    ]);
  });

  it('speaks of one table or of several', () => {
    const reason = (...names: string[]) =>
      map([
        entry(
          names.map((alias) => ({ alias, vendors: {} })),
          [table('x')],
        ),
      ]).unresolved[0]?.reason;
    expect(reason('a', 'a')).toBe('a has no name at DataArts; give it a dataarts block with a table, or a naming rule');
    expect(reason('a', 'b')).toBe(
      'a, b have no names at DataArts; give each a dataarts block with a table, or a naming rule',
    );
  });

  it('guesses no connection', () => {
    const ruled = (name: string, connectionName: string) => ({
      ...table(name),
      entryOptions: { dataarts: { connectionName } },
    });
    const differing = [ruled('a', 'hive')];
    expect(map([entry(differing, [ruled('x', 'dws')])]).unresolved[0]?.reason).toMatch(
      /connectionName: hive, dws.*split/,
    );
    const given = entry(differing, [ruled('x', 'dws')], [], { dataarts: { connectionName: 'dli' } });
    expect(only(map([given]).units).options).toEqual({ connectionName: 'dli' });
    expect(only(map([entry(differing, [ruled('x', 'hive')])]).units).options).toEqual({ connectionName: 'hive' });
    expect(only(map([entry([table('a')], [ruled('x', 'hive')])]).units).options).toEqual({ connectionName: 'hive' });
  });
  it('takes other entry keys from the rule of the output', () => {
    const ruled = { ...table('x'), entryOptions: { dataarts: { workspaceId: 'W2', nodeName: 'R' } } };
    expect(lineageInfo(only(map([entry([table('a')], [ruled])]).units))).toMatchObject({
      workspace_id: 'W2',
      node_name: 'R',
    });
    expect(lineageInfo(only(map([entry([ruled], [table('x')])]).units))).toMatchObject({ workspace_id: 'ws' });
    const other = { ...table('y'), entryOptions: { dataarts: { workspaceId: 'W3' } } };
    expect(map([entry([table('a')], [ruled, other])]).unresolved[0]?.reason).toMatch(/workspaceId/);
  });
});

describe('splitting', () => {
  const wide = (outputs: number, sources = 1): ColumnWords[] =>
    Array.from({ length: outputs * sources }, (_, at) => [`s${at % sources}`, 0, `o${Math.floor(at / sources)}`, 0]);
  const split = (columns: ColumnWords[]) => map([entry([table('a')], [table('x')], columns)]);
  const groups = (unit: Unit) => lineageInfo(unit).table_lineage.column_lineages ?? [];

  it('groups by output column, at most 100 sources a group', () => {
    const unit = only(split(wide(2, 150)).units);
    expect(groups(unit).map((group) => [group.input_columns.length, group.output_columns[0]?.column])).toEqual([
      [100, 'o0'],
      [50, 'o0'],
      [100, 'o1'],
      [50, 'o1'],
    ]);
    expect(groupCount(unit.columns)).toBe(4);
  });
  it('keeps 100 groups in one node', () => {
    const unit = only(split(wide(100)).units);
    expect(groups(unit)).toHaveLength(100);
    expect(lineageInfo(unit).node_name).toBe('db.x');
  });
  it.each([101, 350, 1_000])('spreads %i groups over a power of two of nodes and loses nothing', (count) => {
    const { units, unresolved } = split(wide(count));
    expect(unresolved).toEqual([]);
    expect(units.length).toBeGreaterThan(1);
    const names = units.map((unit) => lineageInfo(unit).node_name ?? '');
    const total = Number(/\((\d+)\/(\d+)\)$/.exec(names[0] ?? '')?.[2]);
    expect(Math.log2(total) % 1).toBe(0);
    expect(names.every((name) => name.endsWith(`/${total})`))).toBe(true);
    expect(new Set(units.map((unit) => unit.id)).size).toBe(units.length);
    expect(units.every((unit) => groups(unit).length <= 100)).toBe(true);
    const sent = units.flatMap((unit) => groups(unit).map((group) => group.output_columns[0]?.column));
    expect(new Set(sent).size).toBe(count);
    expect(sent).toHaveLength(count);
  });
  it('moves no column when one is added, nor when the order changes', () => {
    const part = (columns: ColumnWords[]) =>
      new Map(split(columns).units.flatMap((unit) => unit.columns.map((edge) => [edge.to.column, unit.id] as const)));
    const before = part(wide(150));
    for (const [column, id] of part([...wide(151)].reverse())) {
      if (before.has(column)) expect(id).toBe(before.get(column));
    }
  });
  it('reports one column with more sources than a call holds', () => {
    const { units, unresolved } = split([...wide(1, 10_001), ['s', 0, 'other', 0]]);
    expect(only(units).columns).toEqual([columnEdge(['s', 0, 'other', 0])]);
    expect(unresolved[0]?.reason).toMatch(/at most 10000/);
  });
});

describe('body', () => {
  it('sends what is there: schema always, catalog on tables only', () => {
    const unit = only(
      map([
        entry([table('a', { catalog: 'cat' })], [table('x', { schema: 's' })], [['c', 0, 'd', 0, false]], {
          dataarts: { connectionId: 'ci', connectionName: 'cn', clusterId: 'cl', dataSourceType: 'dli', jobId: 'J' },
        }),
      ]).units,
    );
    const expected: LineageInfo = {
      cluster_id: 'cl',
      data_source_type: 'dli',
      connection_id: 'ci',
      connection_name: 'cn',
      workspace_id: 'ws',
      job_id: 'J',
      node_name: 'db.s.x',
      table_lineage: {
        input_tables: [{ catalog: 'cat', database: 'db', schema: '', table: 'a' }],
        output_tables: [{ database: 'db', schema: 's', table: 'x' }],
        column_lineages: [
          {
            input_columns: [{ database: 'db', schema: '', table: 'a', column: 'c' }],
            output_columns: [{ database: 'db', schema: 's', table: 'x', column: 'd' }],
          },
        ],
      },
    };
    expect(lineageInfo(unit)).toEqual(expected);
    expect(lineageInfo({ ...unit, columns: [] }).table_lineage).not.toHaveProperty('column_lineages');
  });
  it('refuses what one call cannot hold, and specs of others', () => {
    const columns = Array.from({ length: 101 }, (_, at) => columnEdge(['c', 0, `d${at}`, 0]));
    expect(() => lineageInfo({ ...dataartsCall, columns })).toThrow(/at most 100 groups/);
    expect(() => lineageInfo({ ...dataartsCall, spec: { source: {} } })).toThrow(/not made for DataArts/);
  });
});

describe('secret', () => {
  const base = { ...DATAARTS_SECRET, region: 'cn-north-4' };
  const iam = {
    region: 'cn-north-4',
    project_id: 'p',
    workspace_id: 'w',
    iam_user: 'u',
    iam_password: 'pw!',
    domain_name: 'd',
  };
  it('identifies the account', () => {
    const tail = `#${base.project_id}/${base.workspace_id}`;
    expect(dataarts.account(base)).toBe(`dayu.cn-north-4.myhuaweicloud.com${tail}`);
    expect(dataarts.account({ ...base, region: 'eu-west-101' })).toBe(`dayu.eu-west-101.myhuaweicloud.eu${tail}`);
    expect(dataarts.account({ ...base, endpoint: 'http://127.0.0.1:1/x/' })).toBe(`127.0.0.1:1/x${tail}`);
    expect(dataarts.account({ ...base, account: 'main' })).toBe(`main${tail}`);
  });
  it.each([
    [{ region: undefined }, /region or endpoint/],
    [{ sk: undefined }, /ak and sk go together/],
    [{ iam_user: 'u', iam_password: 'p', domain_name: 'd' }, /not both/],
    [{ ak: undefined, sk: undefined }, /iam_user/],
    [{ ak: undefined, sk: undefined, iam_user: 'u' }, /go together/],
    [{ endpoint: 'http://dayu.example' }, /endpoint: must be/],
    [{ access_key_id: 'x' }, /access_key_id/],
  ])('refuses %j and shows no value', (change, expected) => {
    const bad = JSON.parse(JSON.stringify({ ...base, ...change })) as JsonObject;
    expect(() => dataarts.account(bad)).toThrow(expected);
    expect(() => dataarts.account(bad)).not.toThrow(/TESTAK0|TestSk0/);
  });
  it('finds where an IAM user signs in', () => {
    const hostOf = (change: JsonObject) => iamEndpointOf(readSecret({ ...iam, ...change })).host;
    expect(hostOf({})).toBe('iam.cn-north-4.myhuaweicloud.com');
    expect(hostOf({ region: 'eu-west-101' })).toBe('iam.eu-west-101.myhuaweicloud.eu');
    expect(hostOf({ iam_endpoint: 'https://iam.example/' })).toBe('iam.example');
    const { region: _none, ...rest } = iam;
    const elsewhere = (endpoint: string) => iamEndpointOf(readSecret({ ...rest, endpoint })).host;
    expect(elsewhere('dayu.ap-southeast-1.myhuaweicloud.com')).toBe('iam.ap-southeast-1.myhuaweicloud.com');
    expect(elsewhere('https://catalog.example')).toBe('iam.myhuaweicloud.com');
  });
});

describe('client', () => {
  let server: Awaited<ReturnType<typeof loopback>>;
  beforeAll(async () => {
    server = await loopback();
  });
  afterAll(() => server.close());
  const name = 'manual.a0683065-cfb6-42d3-a0ff-87b2cc5e3c79@node.0833a5737480d53b2f25c010dc1a7b88-workspace-ee11';
  const created = { body: [{ name: 'test', type_name: 'Node', qualified_name: name }] };
  async function register(secret: JsonObject = {}) {
    const { io, options, close } = surroundings();
    try {
      return await dataarts
        .connect({ ...DATAARTS_SECRET, endpoint: server.url, ...secret }, io)
        .register?.(dataartsCall, options);
    } finally {
      await close();
    }
  }

  it('posts the node and keeps its qualified name', async () => {
    server.answers(created);
    expect(await register()).toEqual({ receipt: name, ambiguous: false });
    const [seen] = server.seen;
    expect([seen?.method, seen?.target]).toEqual(['POST', `/v1/${DATAARTS_SECRET.project_id}/lineage/lineage-info`]);
    expect(seen?.headers).toMatchObject({
      workspace: DATAARTS_SECRET.workspace_id,
      'x-project-id': DATAARTS_SECRET.project_id,
      'content-type': 'application/json',
    });
    expect(seen?.headers['authorization']).toContain(
      'SignedHeaders=content-type;host;workspace;x-project-id;x-sdk-date',
    );
    expect(JSON.parse(seen?.body.toString() ?? '')).toEqual(lineageInfo(dataartsCall));
  });
  it('keeps the path of an endpoint and sends a security token', async () => {
    server.answers(created);
    await register({ endpoint: `${server.url}/proxy/`, security_token: 'tok' });
    expect(server.seen[0]?.target).toBe(`/proxy/v1/${DATAARTS_SECRET.project_id}/lineage/lineage-info`);
    expect(server.seen[0]?.headers['x-security-token']).toBe('tok');
  });
  it('goes on after throttling and leaves no doubt', async () => {
    server.answers(
      { status: 429, body: { error_code: 'APIGW.0308' } },
      { status: 503, body: { error_code: 'APIGW.0613' } },
      created,
    );
    expect(await register()).toEqual({ receipt: name, ambiguous: false });
    expect(server.seen).toHaveLength(3);
  });
  it('asks for a connection that is new or just used: one that died while idle would leave a doubt for ever', async () => {
    server.answers(created);
    const { io, options, close } = surroundings();
    const asked: (boolean | undefined)[] = [];
    const transport = {
      send: (request: Parameters<typeof io.transport.send>[0]) => {
        asked.push(request.freshConnection);
        return io.transport.send(request);
      },
    };
    await dataarts
      .connect({ ...DATAARTS_SECRET, endpoint: server.url }, { ...io, transport })
      .register?.(dataartsCall, options);
    await close();
    expect(asked).toEqual([true]);
  });
  it('has no verb that DataArts has not', () => {
    const client = dataarts.connect({ ...DATAARTS_SECRET, endpoint: server.url }, surroundings().io);
    expect(Object.keys(client)).toEqual(['probe', 'register']);
    expect(dataarts.abilities).toMatchObject({ repeatable: false, withdraw: false });
    expect(dataarts.abilities.withdrawHint).toMatch(/qualified_name.*by hand/);
  });
});
