import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { createTransport } from '../../shared/http/transport.ts';
import { dataarts } from '../../shared/vendors/dataarts/index.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import type { Call, Unit, Vendor, VendorClient, VendorIo } from '../../shared/vendors/vendor.ts';
import { type ColumnWords, columnEdge, dataset, entry, mappingInput } from './entries.ts';

type Simulator = Awaited<ReturnType<typeof startDataphin>>;

const transport = createTransport({ attemptTimeoutMs: 500 });
const io: VendorIo = {
  transport,
  now: Date.now,
  nonce: () => randomBytes(16).toString('hex'),
  random: () => 0,
  sleep: async () => {},
  permit: async () => {},
};

function tools(simulator: Simulator, vendor: Vendor, extra: JsonObject = {}) {
  const secret: JsonObject = { ...simulator.secret(), ...extra };
  const client = vendor.connect(secret, io);
  const options = () => ({ deadlineMs: Date.now() + 20_000 });
  const sandbox = async (method: string, path: string, body?: object) => {
    const answer = await fetch(`${simulator.url}/_sandbox/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    client: client as Required<VendorClient>,
    options,
    modes: (values: object) => sandbox('PUT', 'modes', values),
    fault: (kind: string, times = 1, delayMs?: number) =>
      sandbox('POST', 'faults', { kind, times, ...(delayMs === undefined ? {} : { delayMs }) }),
    seed: (values: object) => sandbox('PUT', 'seed', values),
    held: async () => (await sandbox('GET', 'lineage')) as Record<string, unknown>[],
    calls: async () => ((await sandbox('GET', 'calls')) as { operation: string; outcome: string }[]).length,
    units: (entries: ReturnType<typeof entry>[]) =>
      vendor.units(mappingInput(entries, { secret, account: vendor.account(secret) })).units,
  };
}

const first = (units: readonly Unit[]): Unit => units[0] as Unit;

describe('Dataphin against its simulator', () => {
  let simulator: Simulator;
  let tool: ReturnType<typeof tools>;
  beforeEach(async () => {
    simulator = await startDataphin();
    tool = tools(simulator, dataphin);
  });
  afterEach(() => simulator.close());

  const table = (name: string) => dataset('dataphin', { guid: `odps.300000001.p.${name}` });
  const unitOf = (columns: ColumnWords[], options: JsonObject = {}) =>
    first(tool.units([entry([table('a')], [table('b')], columns, { dataphin: options })]));
  const columns: ColumnWords[] = [
    ['id', 0, 'id', 0],
    ["odd name*(x)!'~ü", 0, 'sum', 0, false],
  ];
  const withdraw = (unit: Call, some = unit.columns, cascade = true) =>
    tool.client.withdraw({ ...unit, columns: some, cascade }, tool.options());
  const heldColumns = async () => (await tool.held()).flatMap((pair) => pair['columns'] as unknown[]);

  it.each(['boolean', 'string', 'rotate'])('registers, reads back and withdraws (Success as %s)', async (success) => {
    await tool.modes({ success });
    const unit = unitOf(columns, { checkAssetExist: false, relationProperties: { by: 'test' }, tenantId: 300001234 });
    const receipt = await tool.client.register(unit, tool.options());
    expect(receipt).toEqual({ receipt: expect.stringMatching(/.+/), ambiguous: false });
    expect(await tool.held()).toMatchObject([
      {
        source: 'odps.300000001.p.a',
        target: 'odps.300000001.p.b',
        columns: [
          ['id', 'id'],
          ["odd name*(x)!'~ü", 'sum'],
        ],
      },
    ]);
    const present = await tool.client.present(unit, tool.options());
    expect(present.edge).toBe(true);
    expect(new Set(present.columns)).toEqual(new Set(unit.columns));
    await withdraw(unit, unit.columns.slice(0, 1), false);
    expect(await heldColumns()).toEqual([["odd name*(x)!'~ü", 'sum']]);
    await withdraw(unit, unit.columns.slice(1), true);
    expect(await tool.held()).toEqual([]);
    expect(await tool.client.present(unit, tool.options())).toEqual({ edge: false, columns: [] });
  });

  it('registers tables by their properties', async () => {
    const property = dataset('dataphin', {
      catalog: 'dataphin',
      schema: 's',
      env: 'PROD',
      name: 't',
      metadataSubType: 'PHYSICAL_TABLE',
      guid: 'odps.300000001.s.t',
      referenceType: 'BY_PROPERTY',
      extProperties: { k: 'v' },
    });
    const unit = first(tool.units([entry([property], [table('b')], [['c', 0, 'd', 0]])]));
    await tool.client.register(unit, tool.options());
    expect(await tool.held()).toMatchObject([{ source: 'dataphin.s.t', columns: [['c', 'd']] }]);
    await withdraw(unit);
    expect(await tool.held()).toEqual([]);
  });

  it.each(['http', 'success-false'])(
    'counts a duplicate as done, and still adds what is missing (%s)',
    async (businessErrors) => {
      await tool.modes({ repeatAdd: 'error-when-nothing-new', businessErrors });
      const unit = unitOf(columns);
      await tool.client.register(unit, tool.options());
      expect((await tool.client.register(unit, tool.options())).ambiguous).toBe(false);
      await tool.modes({ repeatAdd: 'error' });
      await tool.client.register(unit, tool.options());
      const wider = unitOf([...columns, ['new', 0, 'new', 0]]);
      await expect(tool.client.register(wider, tool.options())).rejects.toMatchObject({
        kind: 'conflict',
        maybeApplied: false,
      });
      await expect(tool.client.register(wider, tool.options())).rejects.toThrow(/1 missing/);
    },
  );

  it.each(['http', 'success-false'])(
    'counts not-found as done, and still deletes what is there (%s)',
    async (businessErrors) => {
      await tool.modes({ deleteUnknown: 'error', businessErrors });
      const unit = unitOf([...columns, ['gone', 0, 'gone', 0]]);
      await withdraw(unit);
      await tool.client.register({ ...unit, columns: unit.columns.slice(0, 2) }, tool.options());
      await withdraw(unit);
      expect(await tool.held()).toEqual([]);
      await tool.client.register({ ...unit, columns: [] }, tool.options());
      await withdraw(unit);
      expect(await tool.held()).toEqual([]);
    },
  );

  it('leaves parsed lineage alone', async () => {
    await tool.modes({ deleteUnknown: 'error' });
    const unit = unitOf(columns);
    const parsed = { source: 'odps.300000001.p.a', target: 'odps.300000001.p.b', columns: [['id', 'id']] };
    await tool.seed({ parsedLineage: [parsed] });
    expect((await tool.client.present(unit, tool.options())).columns).toEqual([columnEdge(['id', 0, 'id', 0])]);
    const before = await tool.calls();
    await withdraw(unit, unit.columns.slice(0, 1));
    // One Delete and the two reads: what is all shown and cannot be deleted is not asked for again.
    expect((await tool.calls()) - before).toBe(3);
    await withdraw(unit, unit.columns);
    expect((await tool.client.present(unit, tool.options())).edge).toBe(true);
  });

  it.each([
    ['throttle', false],
    ['unavailable', true],
    ['internal', true],
    ['reset', true],
    ['hang', true],
    ['lost-answer', true],
    ['bad-json', true],
    ['success-false', true],
  ])('gets over %s (ambiguous %s)', async (kind, ambiguous) => {
    await tool.fault(kind);
    expect((await tool.client.register(unitOf(columns), tool.options())).ambiguous).toBe(ambiguous);
    expect(await heldColumns()).toHaveLength(2);
    expect(await tool.calls()).toBe(2);
  });
  it.each([
    ['denied', 'denied'],
    ['not-found', 'missing'],
    ['invalid', 'invalid'],
  ])('gives up at %s', async (kind, expected) => {
    await tool.fault(kind);
    await expect(tool.client.register(unitOf(columns), tool.options())).rejects.toMatchObject({ kind: expected });
    expect(await tool.held()).toEqual([]);
  });
  it('names unknown sources, wrong keys and wrong tenants', async () => {
    await tool.seed({ sources: ['other'] });
    await expect(tool.client.register(unitOf([]), tool.options())).rejects.toMatchObject({ kind: 'missing' });
    const wrong = (change: JsonObject) =>
      tools(simulator, dataphin, change).client.register(unitOf([]), tool.options());
    await expect(wrong({ access_key_id: 'x' })).rejects.toThrow(/access_key_id/);
    await expect(wrong({ access_key_secret: 'x' })).rejects.toThrow(/access_key_secret/);
    await expect(wrong({ op_tenant_id: 7 })).rejects.toThrow(/op_tenant_id/);
  });
});

describe('DataArts against its simulator', () => {
  let simulator: Simulator;
  let tool: ReturnType<typeof tools>;
  const keysOnly = (all: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(all).filter(([key]) => !/^iam_|^domain/.test(key)));
  beforeEach(async () => {
    const started = await startDataArts();
    simulator = { ...started, secret: () => keysOnly(started.secret()) };
    tool = tools(simulator, dataarts);
  });
  afterEach(() => simulator.close());

  const table = (name: string) => dataset('dataarts', { catalog: 'spark_catalog', database: 'db', table: name });
  const unitOf = (columns: ColumnWords[] = [['c', 0, 'd', 0]]) =>
    first(
      tool.units([
        entry([table('a'), table('b')], [table('x')], columns, { dataarts: { nodeName: 'load', jobId: 'J1' } }),
      ]),
    );

  it('creates the node', async () => {
    const { receipt, ambiguous } = await tool.client.register(unitOf(), tool.options());
    expect([receipt, ambiguous]).toEqual([expect.stringMatching(/^manual\..+@node\..+-workspace-/), false]);
    expect(await tool.held()).toMatchObject([
      { jobId: 'J1', nodeName: 'load', inputs: ['db.a', 'db.b'], outputs: ['db.x'] },
    ]);
  });
  it('creates every part of a wide node', async () => {
    const wide = Array.from({ length: 250 }, (_, at): ColumnWords => ['c', 0, `d${at}`, 0]);
    const units = tool.units([entry([table('a')], [table('x')], wide)]);
    for (const unit of units) await tool.client.register(unit, tool.options());
    const held = await tool.held();
    expect(held).toHaveLength(units.length);
    expect(held.flatMap((node) => node['columns'] as unknown[])).toHaveLength(250);
  });
  it.each(['throttle', 'unavailable'])('gets over %s', async (kind) => {
    await tool.fault(kind);
    expect((await tool.client.register(unitOf(), tool.options())).ambiguous).toBe(false);
    expect(await tool.held()).toHaveLength(1);
  });
  it.each([
    ['internal', 0],
    ['reset', 0],
    ['hang', 0],
    ['lost-answer', 1],
    ['bad-json', 1],
    ['late-apply', 0],
  ])('never sends again after %s', async (kind, held) => {
    await tool.fault(kind, 1, kind === 'late-apply' ? 60_000 : undefined);
    await expect(tool.client.register(unitOf(), tool.options())).rejects.toMatchObject({
      kind: 'unknown-outcome',
      maybeApplied: true,
    });
    expect(await tool.held()).toHaveLength(held);
    expect(await tool.calls()).toBe(1);
  });
  it.each([
    ['denied', 'denied'],
    ['not-found', 'missing'],
    ['invalid', 'invalid'],
  ])('gives up at %s', async (kind, expected) => {
    await tool.fault(kind);
    await expect(tool.client.register(unitOf(), tool.options())).rejects.toMatchObject({ kind: expected });
    expect(await tool.held()).toEqual([]);
  });
  it('names wrong keys, projects and workspaces', async () => {
    const wrong = (change: JsonObject) => tools(simulator, dataarts, change).client.register(unitOf(), tool.options());
    await expect(wrong({ sk: 'x' })).rejects.toThrow(/"ak" and "sk".*5 minutes/);
    await expect(wrong({ project_id: 'x' })).rejects.toThrow(/project_id|role/);
  });
});
