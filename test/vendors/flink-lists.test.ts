import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flink } from '../../shared/vendors/flink/index.ts';
import type { PipelineFilter } from '../../shared/vendors/vendor.ts';
import { FLINK_SECRET, gatewayBody, loopback, type Scripted, surroundings } from './loopback.ts';

let server: Awaited<ReturnType<typeof loopback>>;
beforeAll(async () => {
  server = await loopback();
});
afterAll(() => server.close());

const list = (data: unknown, totalSize?: number): Scripted => ({
  body: { success: true, data, ...(totalSize === undefined ? {} : { totalSize }) },
});
const page = (from: number, count: number, totalSize?: number) =>
  list(
    Array.from({ length: count }, (_, at) => ({ deploymentId: `d${from + at}`, name: 'n' })),
    totalSize,
  );
const noJobs = (count: number) => Array.from({ length: count }, () => list([], 0));

async function ids(
  answers: readonly Scripted[],
  filter: PipelineFilter = { jobs: 'later' },
): Promise<readonly string[]> {
  const { io, options, close } = surroundings();
  const client = flink.connect({ ...FLINK_SECRET, endpoint: server.url }, io);
  server.answers(...answers);
  const found: string[] = [];
  try {
    for await (const { id } of client.pipelines?.(filter, options) ?? []) found.push(id);
    return found;
  } finally {
    await close();
  }
}

async function jobsOf(answers: readonly Scripted[], namespace = 'default-namespace'): Promise<readonly string[]> {
  const { io, options, close } = surroundings();
  const client = flink.connect({ ...FLINK_SECRET, endpoint: server.url }, io);
  server.answers(...answers);
  try {
    return (await client.jobsOf?.({ id: 'd', namespace }, options)) ?? [];
  } finally {
    await close();
  }
}

const numbered = (count: number) => Array.from({ length: count }, (_, at) => `d${at}`).sort();

describe('a list that changes while it is read', () => {
  it('is read again when it shrank, each row once', async () => {
    // d0 went away after the first page, so d100 moved onto it.
    const found = await ids(
      [
        page(0, 100, 102),
        ...noJobs(100),
        page(101, 1, 101),
        ...noJobs(1),
        page(1, 100, 101),
        ...noJobs(1),
        page(101, 1, 101),
      ],
      {},
    );
    expect([...found].sort()).toEqual(numbered(102));
  });
  it('ends with a failure when it keeps shrinking', async () => {
    const walk = [page(0, 1, 2), page(0, 0, 1)];
    await expect(ids([...walk, ...walk, ...walk])).rejects.toMatchObject({ kind: 'unavailable' });
  });
});

describe('a list that does not come whole', () => {
  it.each([
    ['an empty page', page(0, 0, 3)],
    ['an empty page that no longer says how many there are', page(0, 0)],
  ])('because of %s is read again', async (_, empty) => {
    expect(await ids([page(0, 2, 3), empty, page(0, 2, 3), page(2, 1, 3)])).toEqual(numbered(3));
  });
  it.each([
    ['an empty page', page(0, 0, 3)],
    ['an empty page that no longer says how many there are', page(0, 0)],
  ])('because of %s, again and again, is a failure and no short list', async (_, empty) => {
    const walk = [page(0, 2, 3), empty];
    const failing = ids([...walk, ...walk, ...walk]);
    await expect(failing).rejects.toMatchObject({ kind: 'unavailable', retryable: true });
    await expect(failing).rejects.toThrow(/ListDeployments.*never came whole/);
    expect(server.seen).toHaveLength(6);
  });
  it.each([
    ['null', null, 3],
    ['null, however many there are', null, undefined],
    ['nothing', undefined, undefined],
    ['an object', {}, 0],
    ['a text', '', 0],
  ])('because of %s in place of its rows is a failure', async (_, data, total) => {
    await expect(ids([list(data, total)])).rejects.toMatchObject({ kind: 'unavailable', retryable: true });
  });
  it('is whole when it has no rows, however it says so', async () => {
    for (const data of [null, undefined, []]) expect(await ids([list(data, 0)])).toEqual([]);
    expect(await ids([list([])])).toEqual([]);
  });
});

describe('the latest job', () => {
  const job = (jobId: string, startTime?: unknown) => ({ jobId, status: 'FINISHED', startTime });

  it.each([
    ['the one that started last, wherever it stands', [job('a', 5), job('b', 90), job('c', 7)], 'b'],
    ['so, too, where times are texts', [job('a', '5'), job('b', '90'), job('c', '')], 'b'],
    ['one that started before one that did not', [job('a'), job('b', 1), job('c', null)], 'b'],
    ['the first where none says when it started', [job('a'), job('b', 'soon'), job('c')], 'a'],
    ['the first of two that started together', [job('a', 3), job('b', 3)], 'a'],
  ])('is %s', async (_, jobs, expected) => {
    expect(await jobsOf([list(jobs, jobs.length)])).toEqual([expected]);
  });
  it('is asked for newest first', async () => {
    await jobsOf(noJobs(1));
    const { searchParams } = new URL(server.seen[0]?.target ?? '', server.url);
    expect([searchParams.get('sortName'), searchParams.get('sortOrder')]).toEqual(['gmt_create', 'DESC']);
  });
  it.each([
    ['at the gateway', { status: 400, body: gatewayBody('InvalidSortOrder') }],
    ['by the service', { body: { success: false, errorCode: '990300', errorMessage: 'sortOrder' } }],
  ])('is asked for in any order where that one is refused %s', async (_, refusal) => {
    expect(await jobsOf([refusal, list([job('a', 1), job('b', 2)], 2)])).toEqual(['b']);
    expect(server.seen.map(({ target }) => target.includes('sort'))).toEqual([true, false]);
  });
  it('is not asked for twice where something else was refused', async () => {
    const denied = { status: 403, body: gatewayBody('Forbidden.RAM') };
    await expect(jobsOf([denied])).rejects.toMatchObject({ kind: 'denied' });
    expect(server.seen).toHaveLength(1);
  });
});

it.each(['.', '..', ''])('a namespace %j, which no path can hold, is not asked for', async (namespace) => {
  const failing = jobsOf(noJobs(1), namespace);
  await expect(failing).rejects.toMatchObject({ kind: 'invalid' });
  await expect(failing).rejects.toThrow(/namespace "\.{0,2}" cannot be asked for/);
  expect(server.seen).toEqual([]);
});
