import { expect, it } from 'vitest';
import { local } from './local.ts';

/** Names that every object has a member of, as aliases and as columns. */
const MANIFEST = `version: 1
job: { namespace: n, name: j }
datasets:
  constructor: { dataphin: { guid: odps.1.p.a }, dataarts: { database: d, table: constructor } }
  prototype: { dataphin: { guid: odps.1.p.b }, dataarts: { database: d, table: prototype } }
lineage:
  - from: constructor
    to: prototype
    columns: { constructor: constructor.constructor, toString: [constructor, prototype], prototype: valueOf }
    dataphin: { relationProperties: { constructor: x } }
  - { from: prototype, to: constructor, dataphin: { relationProperties: { toString: y } } }
`;

const COLUMNS = [
  ['constructor', 'constructor'],
  ['constructor', 'toString'],
  ['prototype', 'toString'],
  ['valueOf', 'prototype'],
];

it('registers, shows and withdraws what is called like members of objects', async () => {
  const here = await local();
  const stored = await here.request('PUT', '/manifests/a.yaml', MANIFEST);
  expect(await stored.json()).toMatchObject({ state: 'converged', counts: { registered: 4 } });
  const held = await here.dataphin();
  const forth = held.find(({ source }) => source === 'odps.1.p.a');
  expect(forth?.columns.toSorted()).toEqual(COLUMNS.toSorted());
  expect(held).toHaveLength(2);

  const question = new URLSearchParams({ dataset: 'dataphin:odps.1.p.b', direction: 'upstream', level: 'column' });
  const graph = JSON.stringify(await (await here.request('GET', `/lineage?${question}`)).json());
  for (const [from, to] of COLUMNS) expect(graph).toMatch(new RegExp(`"${from}".*"${to}"|"${to}".*"${from}"`));

  const headers = { 'content-type': 'application/yaml' };
  expect((await here.request('POST', '/lineage', MANIFEST, headers)).status).toBe(200);
  expect((await here.request('DELETE', '/manifests/a.yaml')).status).toBe(200);
  expect(await here.dataphin()).toHaveLength(2);
  const withdrawn = await here.request('POST', '/lineage/withdraw', MANIFEST, headers);
  expect(withdrawn.status).toBe(200);
  expect(await here.dataphin()).toEqual([]);
});
