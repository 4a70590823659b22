import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import type { Simulator } from '../../local/simulators/simulator.ts';
import { A, add, at, B, callDataphin, command, pluck, type Reply, remove, sandbox, table } from './callers.ts';

let simulator: Simulator;
let url: string;
beforeEach(async () => {
  simulator = await startDataphin();
  url = simulator.url;
});
afterEach(() => simulator.close());

const held = async () => (await sandbox(url, 'GET', 'lineage')).body;
const modes = (value: object) => sandbox(url, 'PUT', 'modes', value);
const seed = (value: object) => sandbox(url, 'PUT', 'seed', value);
const registered = (columns: unknown) => [{ source: A, target: B, columns, origin: 'registered' }];
const verdict = ({ status, body }: Reply) => [status, body.Code];

describe('Add', () => {
  test('a repeat joins the columns', async () => {
    await add(url, command([['x', 'y']]));
    await add(
      url,
      command([
        ['x', 'z'],
        ['x', 'y'],
      ]),
    );
    await add(url, command());
    expect(await held()).toEqual(
      registered([
        ['x', 'y'],
        ['x', 'z'],
      ]),
    );
  });

  test('mode replace exchanges them', async () => {
    await modes({ repeatAdd: 'replace' });
    await add(url, command([['x', 'y']]));
    await add(url, command([['x', 'z']]));
    expect(await held()).toEqual(registered([['x', 'z']]));
  });

  test('mode error refuses any repeat, the milder one only what says nothing new', async () => {
    await add(url, command([['x', 'y']]));
    await modes({ repeatAdd: 'error' });
    expect(verdict(await add(url, command([['x', 'z']])))).toEqual([409, 'Simulated.LineageAlreadyExists']);
    await modes({ repeatAdd: 'error-when-nothing-new' });
    expect(verdict(await add(url, command([['x', 'y']])))).toEqual([409, 'Simulated.LineageAlreadyExists']);
    expect(verdict(await add(url, command([['x', 'z']])))).toEqual([200, 'OK']);
    await modes({ repeatAdd: 'error', businessErrors: 'success-false' });
    const inside = await add(url, command());
    expect(inside.body).toMatchObject({ Success: false, Code: 'Simulated.LineageAlreadyExists', HttpStatusCode: 409 });
    expect(inside.status).toBe(200);
    expect(await held()).toEqual(
      registered([
        ['x', 'y'],
        ['x', 'z'],
      ]),
    );
  });

  test('tables by property are named catalog.schema.name, and are another table than the one by GUID', async () => {
    const ref = {
      ReferenceType: 'BY_PROPERTY',
      MetadataType: 'TABLE',
      Catalog: 'dataphin',
      Schema: 'project1',
      Name: 'a',
    };
    await add(url, command([], { Source: ref }));
    await add(url, command([], { Source: { ...ref, Env: 'DEV' } }));
    await add(url, command());
    expect(pluck(await held(), 'source')).toEqual(['dataphin.project1.a', 'dataphin.project1.a', A]);
  });

  test('Success can be text, as the page of the vendor shows it, or take turns', async () => {
    await modes({ success: 'string' });
    expect((await add(url, command())).body).toMatchObject({
      Success: 'Success',
      Message: 'internal error',
      Code: 'OK',
    });
    await modes({ success: 'rotate' });
    const forms = [(await add(url, command())).body.Success, (await add(url, command())).body.Success];
    expect(forms).toEqual([true, 'Success']);
  });
});

describe('Delete', () => {
  beforeEach(() =>
    add(
      url,
      command([
        ['x', 'y'],
        ['x', 'z'],
      ]),
    ),
  );

  test('without details the whole pair goes', async () => {
    expect(verdict(await remove(url, command()))).toEqual([200, 'OK']);
    expect(await held()).toEqual([]);
  });

  test('without details, mode nothing keeps a pair that has columns, mode error refuses', async () => {
    await modes({ deleteWithoutDetails: 'nothing' });
    expect(verdict(await remove(url, command()))).toEqual([200, 'OK']);
    await modes({ deleteWithoutDetails: 'error' });
    expect(verdict(await remove(url, command()))).toEqual([400, 'MissingDetailedLineages']);
    expect(await held()).toEqual(
      registered([
        ['x', 'y'],
        ['x', 'z'],
      ]),
    );
  });

  test('with details those go, and with the last one the pair, unless it shall not cascade', async () => {
    await remove(url, command([['x', 'y']]));
    expect(await held()).toEqual(registered([['x', 'z']]));
    await remove(url, command([['x', 'z']], { CascadeDeleteLineage: false }));
    expect(await held()).toEqual(registered([]));
    await add(url, command([['x', 'z']]));
    await remove(url, command([['x', 'z']]));
    expect(await held()).toEqual([]);
  });

  test('of what is not held: nothing, or in mode error a refusal that changes nothing', async () => {
    const other = command([], { Source: table('odps.300000001.project1.c') });
    expect(verdict(await remove(url, other))).toEqual([200, 'OK']);
    await modes({ deleteUnknown: 'error' });
    expect(verdict(await remove(url, other))).toEqual([404, 'Simulated.LineageNotFound']);
    expect(
      verdict(
        await remove(
          url,
          command([
            ['x', 'y'],
            ['no', 'no'],
          ]),
        ),
      ),
    ).toEqual([404, 'Simulated.LineageNotFound']);
    expect(await held()).toEqual(
      registered([
        ['x', 'y'],
        ['x', 'z'],
      ]),
    );
  });

  test('parsed lineage is never deleted', async () => {
    const parsed = { source: A, target: B, columns: [['p', 'q']], origin: 'parsed' };
    await seed({ parsedLineage: [parsed] });
    await remove(url, command());
    await remove(url, command([['p', 'q']]));
    expect(await held()).toEqual([parsed]);
    await modes({ deleteUnknown: 'error' });
    expect(verdict(await remove(url, command()))).toEqual([404, 'Simulated.LineageNotFound']);
  });
});

describe('seeds', () => {
  test('sources: an unknown one is refused', async () => {
    await seed({ sources: ['odps.300000001.project1'] });
    expect(verdict(await add(url, command()))).toEqual([200, 'OK']);
    await seed({ sources: ['project2'] });
    expect(verdict(await add(url, command()))).toEqual([404, 'Simulated.SourceNotFound']);
    await seed({});
    expect(verdict(await add(url, command()))).toEqual([200, 'OK']);
  });

  test('assets: a missing one is refused only with CheckAssetExist', async () => {
    await seed({ assets: [A] });
    expect(verdict(await add(url, command()))).toEqual([200, 'OK']);
    expect(verdict(await add(url, command([], { CheckAssetExist: true })))).toEqual([404, 'Simulated.AssetNotFound']);
    await seed({ assets: [A, B] });
    expect(verdict(await add(url, command([], { CheckAssetExist: true })))).toEqual([200, 'OK']);
  });

  test('a wrong seed changes nothing', async () => {
    await seed({ sources: ['project2'] });
    expect((await seed({ source: ['x'] })).status).toBe(400);
    expect((await sandbox(url, 'GET', 'seed')).body).toEqual({ sources: ['project2'] });
  });
});

describe('reads', () => {
  const C = 'odps.300000001.project1.c';
  const read = (action: string, guid: string, filter?: object) =>
    callDataphin(url, action, {
      query: { OpTenantId: '30001011', TableGuid: guid },
      ...(filter === undefined ? {} : { form: { FilterQuery: filter } }),
    });
  const pairs = (rows: unknown, from: string, to: string) => {
    const targets = pluck(rows, to);
    return pluck(rows, from).map((source, index) => `${source}-${targets[index]}`);
  };
  const tables = async (guid: string, filter?: object) =>
    pairs((await read('GetTableLineages', guid, filter)).body.TableLineageList, 'InputTableName', 'OutputTableName');

  beforeEach(async () => {
    await add(
      url,
      command([
        ['x', 'y'],
        ['x', 'z'],
      ]),
    );
    await seed({ parsedLineage: [{ source: B, target: C, columns: [['y', 'w']], nodeId: 'n1', nodeEnv: 'prod' }] });
  });

  test('tables: neither side unless asked for', async () => {
    expect(await tables(B)).toEqual([]);
    expect(await tables(B, { NeedUpstream: true })).toEqual(['a-b']);
    expect(await tables(B, { NeedDownstream: true })).toEqual(['b-c']);
    expect((await read('GetTableLineages', B, { NeedUpstream: true })).body.TableLineageList).toEqual([
      {
        InputProjectId: 'project1',
        InputTableGuid: A,
        InputTableName: 'a',
        InputTableEnv: 'prod',
        InputTableDeleted: false,
        OutputProjectId: 'project1',
        OutputTableGuid: B,
        OutputTableName: 'b',
        OutputTableEnv: 'prod',
        OutputTableDeleted: false,
      },
    ]);
  });

  test('columns: both sides unless declined', async () => {
    const both = (await read('GetTableColumnLineages', B)).body.TableColumnLineageList;
    expect(pairs(both, 'InputColumnGuid', 'OutputColumnGuid')).toEqual([
      `${A}.x-${B}.y`,
      `${A}.x-${B}.z`,
      `${B}.y-${C}.w`,
    ]);
    const up = (await read('GetTableColumnLineages', B, { NeedDownstream: false })).body.TableColumnLineageList;
    expect(up).toHaveLength(2);
    expect(at(up, 0)).toMatchObject({ InputTableEnv: 'PROD', InputColumnName: 'x' });
  });

  test('pairs with a missing end are hidden unless asked for', async () => {
    await seed({ assets: [B] });
    expect(await tables(B, { NeedUpstream: true })).toEqual([]);
    expect(await tables(B, { NeedUpstream: true, NeedNotExistObject: true })).toEqual(['a-b']);
  });

  test('registered lineage carries no node', async () => {
    const both = { NeedUpstream: true, NeedDownstream: true };
    expect(await tables(B, { ...both, NodeIdList: ['n1'] })).toEqual(['b-c']);
    expect(await tables(B, { ...both, NodeEnv: 'dev' })).toEqual([]);
  });

  test('a deleted pair is no longer read', async () => {
    await remove(url, command());
    expect(await tables(B, { NeedUpstream: true })).toEqual([]);
  });

  test.each<[string, string, unknown, string]>([
    ['no table', '', {}, 'MissingTableGuid'],
    ['unknown filter', B, { Depth: 1 }, 'InvalidParameter.Format'],
    ['a node env in capitals', B, { NodeEnv: 'PROD' }, 'InvalidNodeEnv'],
    ['a filter that is null', B, null, 'InvalidFilterQuery'],
  ])('refused: %s', async (_, guid, filter, code) => {
    const reply = await callDataphin(url, 'GetTableLineages', {
      query: { OpTenantId: '30001011', ...(guid === '' ? {} : { TableGuid: guid }) },
      form: { FilterQuery: filter },
    });
    expect(verdict(reply)).toEqual([400, code]);
  });
});
