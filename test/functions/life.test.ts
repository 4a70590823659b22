import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { local, manifest, outcomes, until } from './local.ts';

const ORDERS = await readFile('events/manifests/orders.yaml', 'utf8');
const OWNER = 'manifests/orders.yaml';
const CLEAN = 'odps.300000001.project1.orders_clean';

describe('the life of a dropped manifest', () => {
  it('is registered at both vendors within two seconds, with receipts and one log line', async () => {
    const here = await local();
    const dropped = Date.now();
    await here.drop(OWNER, ORDERS);
    const status = await here.statusWhen(OWNER, (each) => each.state === 'converged', 2_000);
    expect(Date.now() - dropped).toBeLessThan(2_000);
    expect(status.counts).toEqual({ registered: 2 });
    const [dataarts, dataphin] = status.edges;
    expect(dataphin?.receipt).toMatch(/^[0-9A-F-]{36}$/);
    expect(dataarts?.receipt).toMatch(/^manual\..+@node\..+-workspace-/);
    expect(await here.dataphin()).toEqual([
      {
        source: 'odps.300000001.project1.orders_raw',
        target: CLEAN,
        columns: expect.arrayContaining([
          ['price', 'total'],
          ['qty', 'total'],
          ['id', 'id'],
        ]),
        origin: expect.any(String),
      },
    ]);
    expect(await here.dataarts()).toMatchObject([
      { nodeName: 'load_orders', inputs: ['nbbtemp.orders_raw'], outputs: ['nbbtemp.orders_clean'] },
    ]);
    const lines = () => here.log.lines.filter((line) => line.message === 'converged' && line.fields['owner'] === OWNER);
    await until(async () => lines().length > 0);
    expect(lines()).toHaveLength(1);
    expect(lines()[0]?.fields).toMatchObject({ state: 'converged', counts: { registered: 2 } });
  });

  it('sends only the difference when the file changes, and nothing when it does not', async () => {
    const here = await local();
    await here.drop(OWNER, ORDERS);
    await here.statusWhen(OWNER, (each) => each.state === 'converged');
    await here.forgetCalls();
    await here.drop(OWNER, ORDERS.replace('total: [raw.price, raw.qty], id: id', 'total: [raw.price], key: id'));
    await until(async () => (await here.dataphin())[0]?.columns.some(([, to]) => to === 'key') === true);
    await until(async () => (await here.dataphin())[0]?.columns.length === 2);
    const sent = (await here.writes('dataphin')).map((call) => [
      call.operation,
      (JSON.stringify(call.request).match(/\.orders_(raw|clean)\.\w+/g) ?? []).join(' '),
    ]);
    expect(sent).toHaveLength(2);
    expect(sent[0]).toEqual(['AddRegisterLineage', '.orders_raw.id .orders_clean.key']);
    expect(sent[1]?.[0]).toBe('DeleteRegisterLineage');
    expect(sent[1]?.[1]?.split(' ').sort()).toEqual([
      '.orders_clean.id',
      '.orders_clean.total',
      '.orders_raw.id',
      '.orders_raw.qty',
    ]);

    await until(async () => (await here.status(OWNER))?.state === 'converged');
    await here.forgetCalls();
    await here.drop(OWNER, ORDERS.replace('total: [raw.price, raw.qty], id: id', 'total: [raw.price], key: id'));
    await here.runtime.reconcile();
    expect(await here.calls('dataphin')).toEqual([]);
    expect(await here.calls('dataarts')).toEqual([]);
  });

  it('is withdrawn when the file goes; what DataArts cannot delete is reported, not forgotten', async () => {
    const here = await local();
    await here.drop(OWNER, ORDERS);
    await here.statusWhen(OWNER, (each) => each.state === 'converged');
    await here.remove(OWNER);
    const status = await here.statusWhen(OWNER, (each) => each.state === 'withdrawn', 2_000);
    expect(await here.dataphin()).toEqual([]);
    expect(await here.dataarts()).toHaveLength(1);
    expect(outcomes(status, 'dataphin')).toEqual(['deleted']);
    const left = status.edges.find((edge) => edge.target === 'dataarts');
    expect(left).toMatchObject({
      outcome: 'unsupported',
      reason: expect.stringMatching(/by hand/),
      receipt: expect.stringMatching(/^manual\./),
    });

    await here.drop(OWNER, ORDERS);
    await here.statusWhen(OWNER, (each) => each.state === 'converged');
    expect(await here.dataarts()).toHaveLength(1);
    expect(await here.dataphin()).toHaveLength(1);
  });

  it('lives the same life through the function URLs', async () => {
    const here = await local();
    const put = await here.request('PUT', '/manifests/orders.yaml', ORDERS);
    expect(put.status).toBe(200);
    expect(((await put.json()) as { counts: object }).counts).toEqual({ registered: 2 });
    const asked = await here.request(
      'GET',
      `/lineage?dataset=${encodeURIComponent(`dataphin:${CLEAN}`)}&direction=upstream&level=column`,
    );
    const graph = (await asked.json()) as { edges: { declaredBy: string[]; columns: unknown[] }[] };
    expect(graph.edges).toHaveLength(1);
    expect(graph.edges[0]?.declaredBy).toEqual([OWNER]);
    expect(graph.edges[0]?.columns).toHaveLength(3);
    const removed = await here.request('DELETE', '/manifests/orders.yaml');
    expect(removed.status).toBe(200);
    expect(((await removed.json()) as { state: string }).state).toBe('withdrawn');
    expect(await here.dataphin()).toEqual([]);
    expect((await here.request('DELETE', '/manifests/orders.yaml')).status).toBe(404);
    expect(
      (await here.request('GET', `/lineage?dataset=${encodeURIComponent('dataphin:odps.1.p.nothing')}`)).status,
    ).toBe(404);
  });

  it('takes a manifest by POST: with a job, a new one replaces the old', async () => {
    const here = await local();
    const body = (to: string) => manifest([['a', to]]).replace('{', '{"job":{"namespace":"ci","name":"load/a"},');
    expect((await here.request('POST', '/lineage', body('b'))).status).toBe(200);
    expect((await here.request('POST', '/lineage', body('c'))).status).toBe(200);
    expect((await here.dataphin()).map((edge) => edge.target)).toEqual(['odps.300000001.p.c']);
    const status = await here.request('GET', '/status/http/ci/load%252Fa.json');
    expect(status.status).toBe(200);
    expect((await here.request('GET', '/manifests')).status).toBe(200);
  });

  it('remembers across a restart, and sees what happened meanwhile', async () => {
    const first = await local();
    await first.drop('manifests/a.json', manifest([['a', 'b']]));
    await first.drop('manifests/c.json', manifest([['c', 'd']]));
    await first.statusWhen('manifests/c.json', (each) => each.state === 'converged');
    await first.statusWhen('manifests/a.json', (each) => each.state === 'converged');
    await first.close();
    await first.remove('manifests/a.json');
    await first.drop('manifests/c.json', manifest([['c', 'e']]));
    const second = await local({}, first.dataDir);
    await until(async () => (await second.dataphin()).map((edge) => edge.target).join() === 'odps.300000001.p.e');
    await second.statusWhen('manifests/a.json', (each) => each.state === 'withdrawn');
  });

  it('lets the last content win when one key is dropped again and again', async () => {
    const here = await local();
    for (let turn = 0; turn < 12; turn += 1) {
      await Promise.all([
        here.request('PUT', '/manifests/a.json', manifest([['a', `x${turn}`]])),
        here.request('PUT', '/manifests/a.json', manifest([['a', `y${turn}`]])),
      ]);
    }
    await here.drop('manifests/a.json', manifest([['a', 'last']]));
    await until(async () => (await here.dataphin()).map((edge) => edge.target).join() === 'odps.300000001.p.last');
    await here.runtime.reconcile();
    expect((await here.dataphin()).map((edge) => edge.target)).toEqual(['odps.300000001.p.last']);
  });
});
