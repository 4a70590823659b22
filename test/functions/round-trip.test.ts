import { expect, it } from 'vitest';
import { SHOP } from '../../local/shop.ts';
import { type Local, local, until } from './local.ts';

/** What says the same in both runtimes: edges, columns and jobs; owners and receipts are each one's own. */
async function graph(here: Local): Promise<unknown> {
  const answer = await here.request('GET', '/lineage?level=column&format=json');
  const { nodes, edges } = (await answer.json()) as {
    nodes: { id: string; names: string[] }[];
    edges: {
      from: string;
      to: string;
      jobs: string[];
      columns: unknown;
      targets: { target: string; outcome: string }[];
    }[];
  };
  return {
    nodes,
    edges: edges.map(({ from, to, jobs, columns, targets }) => ({
      from,
      to,
      jobs,
      columns,
      targets: targets.map(({ target, outcome }) => [target, outcome]),
    })),
  };
}

const NAMING = `version: 1
rules:
  - match: { namespace: "maxcompute://cn-shanghai", name: "{project}.{table}" }
    dataphin: { guid: "odps.300000001.{project}.{table}" }
    dataarts: { database: "{project}", table: "{table}", connectionName: dli_test, dataSourceType: dli }
`;

it('exports OpenLineage that makes the same graph in another runtime', async () => {
  const first = await local();
  for (const [key, text] of Object.entries(SHOP)) await first.drop(key, text);
  for (const key of Object.keys(SHOP)) await first.statusWhen(key, (status) => status.state === 'converged');
  const events = await (await first.request('GET', '/lineage?format=openlineage')).text();

  const second = await local();
  await second.drop('naming.yaml', NAMING);
  const posted = await second.request('POST', '/api/v1/lineage/batch', events, { 'content-type': 'application/json' });
  expect([200, 201, 204], await posted.clone().text()).toContain(posted.status);
  const wanted = await graph(first);
  let last: unknown;
  await until(
    async () => {
      last = await graph(second);
      return JSON.stringify(last) === JSON.stringify(wanted);
    },
    20_000,
    () => JSON.stringify(last).slice(0, 1_500),
  ).catch(() => undefined);
  expect(last).toEqual(wanted);
});

const TABLE = (name: string, identity = {}) => ({
  ...identity,
  dataphin: { guid: `odps.300000001.p.${name}` },
  dataarts: { database: 'p', table: name },
});

it('takes names at vendors along, so that no rule is needed, with an identity and without', async () => {
  const manifest = {
    version: 1,
    job: { namespace: 'cron', name: 'p' },
    datasets: {
      a: TABLE('a', { namespace: 'maxcompute://cn', name: 'p.a' }),
      b: TABLE('b'),
      c: { dataphin: { guid: 'odps.300000001.p.c' } },
    },
    lineage: [
      { from: 'a', to: 'b', columns: { x: 'y' } },
      {
        from: 'b',
        to: 'c',
        columns: [{ from: { dataset: 'b', column: 'x' }, to: { dataset: 'c', column: 'z' }, direct: false }],
      },
    ],
  };
  const first = await local();
  await first.drop('manifests/p.json', JSON.stringify(manifest));
  await first.statusWhen('manifests/p.json', (status) => status.edges.length === 4);
  const events = await (await first.request('GET', '/lineage?format=openlineage')).text();
  const second = await local({ OPENLINEAGE_INDIRECT: 'keep' });
  await second.request('POST', '/api/v1/lineage/batch', events, { 'content-type': 'application/json' });
  await second.statusWhen('openlineage/cron/p.json', (status) => status.edges.length === 4);
  const wanted = await graph(first);
  // One node, although nobody gives it an identity.
  expect(wanted).toMatchObject({ nodes: [{ names: ['dataarts:p.b', 'dataphin:odps.300000001.p.b'] }, {}, {}] });
  expect(await graph(second)).toEqual(wanted);
});
