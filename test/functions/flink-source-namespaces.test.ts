import { describe, expect, it } from 'vitest';
import { Failure } from '../../shared/core/failure.ts';
import { CIRCUIT_OPEN } from '../../shared/http/circuit.ts';
import { names, ORDERS, plant, scan, seed } from './flink-world.ts';
import { type Local, local } from './local.ts';

const BOTH = { FLINK_SOURCE_NAMESPACES: 'finance, default-namespace' };
const finance = (name: string) => ({ [`f-${name}`]: { ...ORDERS, namespace: 'finance' } });
const plain = (name: string) => ({ [name]: ORDERS });
const DENIED = () => new Failure('denied', 'not a member', { status: 403 });

/** One scan in which the list of some namespaces fails. */
async function failing(
  here: Local,
  failures: Readonly<Record<string, () => Error>>,
  environment: Record<string, string> = BOTH,
) {
  const { list, problems } = await here.runtime.services.deps.targets();
  const targets = list.map((target) => {
    const { pipelines } = target.client;
    if (!pipelines) return target;
    const client: typeof target.client = {
      ...target.client,
      pipelines: (filter, options) => {
        const failure = failures[filter.namespace ?? ''];
        if (failure) throw failure();
        return pipelines(filter, options);
      },
    };
    return { ...target, client };
  });
  return scan(here, environment, 30_000, { list: targets, problems });
}

async function settled(): Promise<Local> {
  const here = await local();
  await plant(here, seed({ ...plain('a'), ...plain('b'), ...finance('a'), ...finance('b') }));
  expect(await scan(here, BOTH)).toMatchObject({ scanned: 4, written: 4, complete: true, problems: [] });
  return here;
}

describe('a namespace that cannot be listed', () => {
  it.each([
    ['denied', DENIED],
    ['odd', () => new Failure('unavailable', 'data that cannot be read')],
    ['in error', () => new Failure('unavailable', '503', { status: 503 })],
  ])('(%s) is told by its name, and the others are read', async (_, failure) => {
    const here = await local();
    await plant(here, seed({ ...plain('a'), ...finance('a') }));
    const result = await failing(here, { finance: failure });
    expect(result).toMatchObject({ scanned: 1, written: 1, complete: false });
    expect(result.problems).toMatchObject([
      { target: 'flink', message: expect.stringMatching(/^namespace "finance" could not be listed.*withdrawn/) },
    ]);
    expect(await names(here)).toEqual(['default-namespace/a']);
  });

  it('loses nothing, while what is gone from the others goes, in pass after pass', async () => {
    const here = await settled();
    await plant(here, seed({ ...plain('b'), ...plain('c') }));
    expect(await failing(here, { finance: DENIED })).toMatchObject({ scanned: 2, absent: 1, withdrawn: 0 });
    expect(await failing(here, { finance: DENIED })).toMatchObject({ scanned: 2, absent: 0, withdrawn: 1 });
    await plant(here, seed(plain('b')));
    for (let pass = 0; pass < 3; pass += 1) await failing(here, { finance: DENIED });
    expect(await names(here)).toEqual(['default-namespace/b', 'finance/f-a', 'finance/f-b']);
  });

  it('needs two whole lists again before something of it goes', async () => {
    const here = await settled();
    await plant(here, seed({ ...plain('a'), ...plain('b'), ...finance('b') }));
    expect(await scan(here, BOTH)).toMatchObject({ absent: 1, complete: true });
    expect(await failing(here, { finance: DENIED })).toMatchObject({ withdrawn: 0, complete: false });
    expect(await scan(here, BOTH)).toMatchObject({ absent: 1, withdrawn: 0, complete: true });
    expect(await scan(here, BOTH)).toMatchObject({ absent: 0, withdrawn: 1, complete: true });
    expect(await names(here)).toEqual(['default-namespace/a', 'default-namespace/b', 'finance/f-b']);
  });

  it('needs them, too, when the time of that pass was over before the others were listed', async () => {
    const here = await settled();
    await plant(here, seed({ ...plain('a'), ...plain('b'), ...finance('b') }));
    expect(await scan(here, BOTH)).toMatchObject({ absent: 1, complete: true });
    const late = () => new Failure('throttled', 'no call left', { retryAfterMs: 600_000 });
    const ended = await failing(here, { finance: DENIED, 'default-namespace': late });
    expect(ended.problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/no time left; the next pass goes on/),
      expect.stringMatching(/^namespace "finance"/),
    ]);
    expect(await scan(here, BOTH)).toMatchObject({ absent: 1, withdrawn: 0, complete: true });
    expect(await scan(here, BOTH)).toMatchObject({ withdrawn: 1, complete: true });
  });

  it('needs two scans again before less is believed of a deployment in it', async () => {
    const here = await local();
    const say = (...from: string[]) =>
      plant(
        here,
        seed({
          ...plain('a'),
          f: { pairs: from.map((name) => [name, 'clean'] as const), namespace: 'finance' },
        }),
      );
    await say('raw', 'more');
    await scan(here, BOTH);
    await say('raw');
    expect(await scan(here, BOTH)).toMatchObject({ written: 0, complete: true });
    await failing(here, { finance: DENIED });
    expect(await scan(here, BOTH)).toMatchObject({ written: 0, complete: true });
    expect(await scan(here, BOTH)).toMatchObject({ written: 1, complete: true });
  });

  it('because no path can hold its name is one of these', async () => {
    const here = await local();
    await plant(here, seed(plain('a')));
    const result = await scan(here, { FLINK_SOURCE_NAMESPACES: '..,default-namespace' });
    expect(result).toMatchObject({ scanned: 1, complete: false });
    expect(result.problems).toMatchObject([{ message: expect.stringMatching(/^namespace "\.\.".*not "\." or/) }]);
    const lists = (await here.calls('flink')).filter(({ operation }) => operation === 'ListDeployments');
    expect(lists).toHaveLength(1);
  });
});

describe('an account', () => {
  it.each([
    ['all whose namespaces are refused', { finance: DENIED, 'default-namespace': DENIED }],
    [
      'that is not called, because it refuses us',
      { finance: () => new Failure('denied', 'no', { code: CIRCUIT_OPEN }) },
    ],
    ['that throttles', { finance: () => new Failure('throttled', 'slowly', { status: 429 }) }],
  ])('%s is not read at all', async (_, failures) => {
    const here = await settled();
    const result = await failing(here, failures);
    expect(result).toMatchObject({ scanned: 0, withdrawn: 0, complete: false });
    expect(result.problems[0]?.message).toMatch(/^Flink could not be read to the end, nothing is withdrawn/);
    expect(await names(here)).toHaveLength(4);
  });
});
