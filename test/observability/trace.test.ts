import { afterEach, describe, expect, test, vi } from 'vitest';
import { createLog, memoryLog } from '../../shared/log.ts';
import { edgeMetric, gathered, METRICS, memoryMetrics, type Told } from '../../shared/metrics.ts';
import { emfMetrics } from '../../shared/metrics-emf.ts';
import { isSampled, traced } from '../../shared/trace.ts';
import { local, manifest, pairs, until } from '../functions/local.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** What is printed on stdout meanwhile, line by line. */
function printed(run: () => void): Record<string, unknown>[] {
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => lines.push(String(chunk)) > 0);
  run();
  vi.restoreAllMocks();
  return lines.flatMap((line) => line.trim().split('\n')).map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log', () => {
  test('carries the fields of its trace, those inside it too, and nobody else’s', async () => {
    const log = memoryLog();
    await Promise.all(
      ['one', 'two'].map((request_id) =>
        traced({ request_id }, async () => {
          await null;
          await traced({ owner: `of ${request_id}` }, async () => log.info('inner', { n: 1 }));
          log.info('outer');
        }),
      ),
    );
    log.info('outside');
    expect(log.lines.map(({ message, fields }) => [message, fields])).toEqual([
      ['inner', { request_id: 'one', owner: 'of one', n: 1 }],
      ['inner', { request_id: 'two', owner: 'of two', n: 1 }],
      ['outer', { request_id: 'one' }],
      ['outer', { request_id: 'two' }],
      ['outside', {}],
    ]);
  });

  test('prints debug lines of what was sampled, whatever its level, and no rate of Powertools', () => {
    const log = createLog({ service: 's', level: 'info' });
    const lines = printed(() => {
      log.debug('no');
      traced({ request_id: 'r' }, () => log.debug('no'));
      traced({ request_id: 'r' }, () => traced({ owner: 'o' }, () => log.debug('yes')), true);
      log.info('too');
    });
    expect(lines).toMatchObject([{ level: 'DEBUG', message: 'yes', request_id: 'r', owner: 'o' }, { message: 'too' }]);
    for (const line of lines) expect(line).not.toHaveProperty('sampling_rate');
    expect(printed(() => traced({}, () => createLog({ service: 's', level: 'silent' }).error('no'), true))).toEqual([]);
  });

  test('takes the share that it is told to, the same for the same request', () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `request-${index}`);
    const share = ids.filter((id) => isSampled(id, 0.1)).length / ids.length;
    expect(share).toBeGreaterThan(0.08);
    expect(share).toBeLessThan(0.12);
    expect(ids.some((id) => isSampled(id, 0))).toBe(false);
    expect(ids.every((id) => isSampled(id, 1))).toBe(true);
    expect(ids.map((id) => isSampled(id, 0.5))).toEqual(ids.map((id) => isSampled(id, 0.5)));
  });
});

test('who asked can be followed to every call of a vendor, and each convergence is told once', async () => {
  const at = await local();
  const answer = await at.request('PUT', '/manifests/a.json', manifest(pairs('a', 3)));
  expect(answer.status).toBe(200);
  const of = (message: string) => at.log.lines.filter((line) => line.message === message).map((line) => line.fields);
  const calls = of('vendor call').filter((fields) => fields['operation'] === 'AddRegisterLineage');
  expect(calls).toHaveLength(3);
  const [{ request_id: id } = {}] = calls;
  // Of the request, or of whoever saw the manifest first: its notification, or a pass.
  expect(id).toMatch(/^\S{10,}$/);
  for (const fields of calls)
    expect(fields).toMatchObject({ request_id: id, owner: 'manifests/a.json', target: 'dataphin', status: 200 });
  const converged = of('converged').filter((fields) => fields['request_id'] === id);
  expect(converged).toHaveLength(1);
  expect(converged).toMatchObject([{ owner: 'manifests/a.json', state: 'converged' }]);

  await at.drop('manifests/b.json', manifest(pairs('b', 1)));
  await at.statusWhen('manifests/b.json', ({ state }) => state === 'converged');
  await until(async () => of('converged').some((fields) => fields['owner'] === 'manifests/b.json'));
  const told = of('converged').find((fields) => fields['owner'] === 'manifests/b.json');
  expect(told).toMatchObject({ request_id: expect.any(String), message_id: expect.any(String) });
});

describe('numbers', () => {
  const dimensionsOf = (told: readonly Told[]) => new Set(told.flatMap((each) => Object.keys(each.dimensions)));

  test('are counted per target, and told once', () => {
    const metrics = memoryMetrics('dev');
    metrics.addFor(edgeMetric('registered'), 'dataphin', 2);
    metrics.addFor(edgeMetric('registered'), 'dataphin', 3);
    metrics.addFor(edgeMetric('registered'), 'dataarts', 1);
    metrics.addFor('VendorLatency', 'dataphin', 12);
    metrics.addFor('VendorLatency', 'dataphin', 8);
    metrics.add('HeldPlans', 0);
    expect(metrics.told).toEqual([]);
    metrics.flush();
    metrics.flush();
    const service = 'lineage-functions';
    const dimensions = (target: string) => ({ service, stage: 'dev', target });
    expect(metrics.told).toEqual([
      { name: 'EdgesRegistered', unit: 'Count', values: [5], dimensions: dimensions('dataphin') },
      { name: 'EdgesRegistered', unit: 'Count', values: [1], dimensions: dimensions('dataarts') },
      { name: 'VendorLatency', unit: 'Milliseconds', values: [12, 8], dimensions: dimensions('dataphin') },
      { name: 'HeldPlans', unit: 'Count', values: [0], dimensions: { service, stage: 'dev' } },
    ]);
    expect([...dimensionsOf(metrics.told)].sort()).toEqual(['service', 'stage', 'target']);
  });

  test('stay few however many were measured, and the worst stays among them', () => {
    const told: Told[] = [];
    const metrics = gathered('dev', (all) => told.push(...all));
    for (let ms = 0; ms < 10_000; ms += 1) metrics.addFor('VendorLatency', 'dataphin', ms);
    metrics.flush();
    expect(told).toHaveLength(1);
    expect(told[0]?.values.length).toBeLessThan(100);
    expect(Math.max(...(told[0]?.values ?? []))).toBe(9_999);
  });

  test('of how many there are do not add up', () => {
    const metrics = memoryMetrics('dev');
    for (const open of [1, 2, 0]) metrics.add('CircuitsOpen', open);
    metrics.flush();
    expect(metrics.told).toMatchObject([{ name: 'CircuitsOpen', values: [1, 2, 0] }]);
  });

  test('are printed in the format that CloudWatch reads, with what they are about beside them', () => {
    const lines = printed(() => {
      const metrics = emfMetrics('dev');
      metrics.flush();
      metrics.addFor('VendorCalls', 'dataphin', 7);
      metrics.addFor('VendorLatency', 'dataphin', 12);
      metrics.addFor('VendorLatency', 'dataphin', 9);
      metrics.addFor('VendorCalls', 'dataarts', 1);
      metrics.add('HeldPlans', 0);
      metrics.flush({ function: 'f', request_id: 'r' });
    });
    const common = { service: 'lineage-functions', stage: 'dev', function: 'f', request_id: 'r' };
    expect(lines).toMatchObject([
      { ...common, target: 'dataphin', VendorCalls: 7, VendorLatency: [12, 9] },
      { ...common, target: 'dataarts', VendorCalls: 1 },
      { ...common, HeldPlans: 0 },
    ]);
    expect(lines.map((line) => (line['_aws'] as { CloudWatchMetrics: object[] }).CloudWatchMetrics)).toMatchObject([
      [
        {
          Namespace: 'LineageFunctions',
          Dimensions: [['service', 'stage', 'target']],
          Metrics: [
            { Name: 'VendorCalls', Unit: 'Count' },
            { Name: 'VendorLatency', Unit: 'Milliseconds' },
          ],
        },
      ],
      [{ Dimensions: [['service', 'stage', 'target']] }],
      [{ Dimensions: [['service', 'stage']], Metrics: [{ Name: 'HeldPlans', Unit: 'Count' }] }],
    ]);
  });

  test('have names that edges’ outcomes lead to', () => {
    for (const outcome of [
      'registered',
      'unchanged',
      'deleted',
      'held',
      'unsupported',
      'unresolved',
      'conflict',
      'pending',
      'unknown',
      'failed',
    ] as const)
      expect(METRICS).toHaveProperty(edgeMetric(outcome));
  });
});

test('an account that refuses us is told at once, without a pass, and so is that it takes our calls again', async () => {
  const at = await local();
  const open = () => at.told.filter((each) => each.name === 'CircuitsOpen');
  const values = () =>
    open()
      .flatMap((each) => each.values)
      .join('');
  await at.fault('dataphin', { kind: 'denied', times: 1 });
  await at.request('PUT', '/manifests/a.json', manifest(pairs('a', 1)));
  // Passes of before tell zero.
  expect(values()).toMatch(/^0*1+$/);
  expect(new Set(open().flatMap((each) => Object.keys(each.dimensions)))).toEqual(new Set(['service', 'stage']));
  // Asked by a person, so that it is tried now; unless the manifest's own notification is at it.
  await until(async () => {
    await at.request('POST', '/reconcile', JSON.stringify({ owners: ['manifests/a.json'] }));
    return (await at.status('manifests/a.json'))?.state === 'converged';
  });
  expect(values()).toMatch(/^0*1+0+$/);
});
