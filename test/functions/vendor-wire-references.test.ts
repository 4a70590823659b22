import { afterAll, beforeAll, expect, it } from 'vitest';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import type { Simulator } from '../../local/simulators/simulator.ts';
import { A, add, B, command, detail, remove, table } from '../simulators/callers.ts';
import { type Local, openLocal } from './local.ts';

/** What no field says by itself, and what Dataphin refuses all the same. Kept here, so that nobody but this address can refuse it. */
let runtime: Local;
let simulator: Simulator;
beforeAll(async () => {
  [runtime, simulator] = await Promise.all([openLocal({ WIRE_DATAPHIN: 'keep' }), startDataphin()]);
});
afterAll(() => Promise.all([runtime.end(), simulator.close()]));

const byProperty = { ReferenceType: 'BY_PROPERTY', MetadataType: 'TABLE', Schema: 'project1', Name: 'a' };
const named = { Source: { Name: 'x' }, Target: { Name: 'y' } };
const columns = (source: object, more: object = {}) =>
  command([], { ...more, DetailedLineages: [{ ...named, Source: source }] });

async function send(action: string, value: unknown) {
  const answer = await runtime.request(
    'POST',
    '/?OpTenantId=30001011',
    JSON.stringify({ [`${action}Command`]: value }),
    { 'content-type': 'application/json', 'x-acs-action': action },
  );
  return { status: answer.status, body: (await answer.json()) as { Code: string; Message: string } };
}

it.each<[string, Record<string, unknown>, string]>([
  ['a sub type with BY_GUID', command([], { Source: { ...table(A), MetadataSubType: 'DIM_ENUM' } }), 'MetadataSubType'],
  [
    'a sub type of what is no table',
    command([], { Target: { ...byProperty, MetadataType: 'API', MetadataSubType: 'DIM_ENUM' } }),
    'MetadataSubType',
  ],
  ['a Guid with BY_PROPERTY', command([], { Source: { ...byProperty, Guid: A } }), 'Guid'],
  ['a column Guid with BY_PROPERTY', columns({ ReferenceType: 'BY_PROPERTY', Guid: `${A}.x` }), 'Guid'],
  ['the parent of another table beside a Name', columns({ Name: 'x', ParentGuid: B }), 'ParentGuid'],
  ['the parent of another table beside a Guid', columns({ Guid: `${A}.x`, ParentGuid: B }), 'ParentGuid'],
  ['the name of another column', columns({ Guid: `${A}.x`, Name: 'z' }), 'Name'],
  [
    'the name of another column under a parent',
    columns({ Guid: `${A}.x`, ParentGuid: A, Name: 'z' }, { Source: byProperty }),
    'Name',
  ],
])('refuses %s, as Dataphin would', async (_what, value, field) => {
  for (const [action, simulated] of [
    ['AddRegisterLineage', await add(simulator.url, value)],
    ['DeleteRegisterLineage', await remove(simulator.url, value)],
  ] as const) {
    const { status, body } = await send(action, value);
    expect([status, body.Code]).toEqual([400, `Invalid${field}`]);
    expect([simulated.status, simulated.body.Code]).toEqual([status, body.Code]);
    expect(body.Message).toContain(`.${field} `);
  }
});

it('refuses a table by its properties that has no name', async () => {
  const value = command([], { Source: { ...byProperty, Name: undefined } });
  expect(await send('AddRegisterLineage', value)).toMatchObject({ status: 400, body: { Code: 'MissingName' } });
  expect((await add(simulator.url, value)).body.Code).toBe('MissingName');
});

it.each<[string, Record<string, unknown>]>([
  ['a sub type by properties', command([], { Source: { ...byProperty, MetadataSubType: 'DIM_ENUM' } })],
  ['every way to say one column', { ...command([['x', 'y']]) }],
  ['the parent beside a Name', columns({ Name: 'x', ParentGuid: A })],
  ['Guid, parent and Name that agree', columns({ Guid: `${A}.x`, ParentGuid: A, Name: 'x' })],
  [
    'a parent that only its column knows',
    columns({ ReferenceType: 'BY_PROPERTY', Name: 'x', ParentGuid: A }, { Source: byProperty }),
  ],
  ['columns without a way of referring', command([], { DetailedLineages: [named, detail('a', 'b')] })],
])('takes %s', async (_what, value) => {
  expect(await send('AddRegisterLineage', value)).toMatchObject({ status: 200, body: { Code: 'OK' } });
  expect((await add(simulator.url, value)).status).toBe(200);
});
