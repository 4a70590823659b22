import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../../shared/core/failure.ts';
import { BUDGET_SPENT } from '../../shared/http/budget.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import type { Call, VendorClient } from '../../shared/vendors/vendor.ts';
import { columnEdge } from './entries.ts';
import { DATAPHIN_SECRET, dataphinCall, gatewayBody, loopback, type Scripted, surroundings } from './loopback.ts';

/** An operation may be several calls: what one of them leaves in doubt must be told however the next ones end. */
let server: Awaited<ReturnType<typeof loopback>>;
beforeAll(async () => {
  server = await loopback();
});
afterAll(() => server.close());

const two: Call = { ...dataphinCall, columns: [columnEdge(['a', 0, 'b', 0]), columnEdge(['c', 0, 'd', 0])] };
const GUIDS = { InputTableGuid: 'odps.300000001.project1.table1', OutputTableGuid: 'odps.300000001.project1.table2' };
const ok = { RequestId: 'R1', Message: 'successful', HttpStatusCode: 200, Code: 'OK', Success: true };
const reset: Scripted = { reset: true };
const exists: Scripted = { status: 409, body: gatewayBody('LineageAlreadyExists') };
const absent: Scripted = { status: 404, body: gatewayBody('LineageNotFound') };
const refused: Scripted = { status: 403, body: gatewayBody('Forbidden.RAM', 'no right') };
const throttled: Scripted = { status: 400, body: gatewayBody('Throttling.User') };
const pair: Scripted = { body: { ...ok, TableLineageList: [GUIDS] } };
/** One of the two columns is shown. */
const column: Scripted = {
  body: {
    ...ok,
    TableColumnLineageList: [
      { ...GUIDS, InputColumnGuid: `${GUIDS.InputTableGuid}.a`, OutputColumnGuid: `${GUIDS.OutputTableGuid}.b` },
    ],
  },
};

async function failing(
  verb: 'register' | 'withdraw',
  answers: readonly Scripted[],
  permits = Number.POSITIVE_INFINITY,
): Promise<Failure> {
  const { io, options, close } = surroundings();
  server.answers(...answers);
  let left = permits;
  const permit: typeof io.permit = async (...about) => {
    left -= 1;
    if (left < 0) throw new Failure('throttled', 'The budget is spent.', { code: BUDGET_SPENT, retryAfterMs: 9_000 });
    await io.permit(...about);
  };
  const client = dataphin.connect(
    { ...DATAPHIN_SECRET, endpoint: server.url },
    { ...io, permit },
  ) as Required<VendorClient>;
  const run = verb === 'register' ? client.register(two, options) : client.withdraw({ ...two, cascade: true }, options);
  const thrown = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  await close();
  expect(thrown).toBeInstanceOf(Failure);
  return thrown as Failure;
}

const actions = () => server.seen.map((seen) => seen.headers['x-acs-action']);

describe.each(['register', 'withdraw'] as const)('%s', (verb) => {
  const operation = verb === 'register' ? 'AddRegisterLineage' : 'DeleteRegisterLineage';
  const already = verb === 'register' ? exists : absent;

  it.each<[string, Scripted[], object]>([
    ['the read is throttled', [throttled], { kind: 'throttled', code: 'Throttling.User' }],
    ['the second read is throttled', [pair, throttled], { kind: 'throttled', code: 'Throttling.User' }],
    [
      'the second call is refused',
      [pair, column, refused],
      { kind: 'denied', code: 'Forbidden.RAM', words: 'no right' },
    ],
    ['the second call is throttled', [pair, column, throttled], { kind: 'throttled', code: 'Throttling.User' }],
  ])('keeps the doubt of its first call when %s', async (_what, after, expected) => {
    expect(await failing(verb, [reset, already, ...after])).toMatchObject({ ...expected, maybeApplied: true });
    // Without a doubt before, there is none after.
    expect(await failing(verb, [already, ...after])).toMatchObject({ ...expected, maybeApplied: false });
  });

  it.each([
    ['read', 2, 2],
    ['second call', 4, 4],
  ])('keeps it when our own budget is spent before the %s', async (_what, permits, sent) => {
    const failure = await failing(verb, [reset, already, pair, column, { body: ok }], permits);
    // As the convergence needs it: it asks for the doubt before it takes the code for "nothing was sent".
    expect(failure).toMatchObject({ kind: 'throttled', code: BUDGET_SPENT, retryAfterMs: 9_000, maybeApplied: true });
    expect(server.seen).toHaveLength(sent);
    expect(actions().slice(0, 2)).toEqual([operation, operation]);
  });
});

it('register keeps it when the pair takes no further columns', async () => {
  const failure = await failing('register', [reset, exists, pair, column, exists]);
  expect(failure).toMatchObject({ kind: 'conflict', maybeApplied: true });
  expect(await failing('register', [exists, pair, column, exists])).toMatchObject({ maybeApplied: false });
});
