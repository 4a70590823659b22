import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import type { CallOptions, VendorClient } from '../../shared/vendors/vendor.ts';
import { DATAPHIN_SECRET, dataphinCall, gatewayBody, loopback, type Scripted, surroundings } from './loopback.ts';

/** What is read as "no lineage" makes an edge of others look like ours, and ours are deleted some day. */
let server: Awaited<ReturnType<typeof loopback>>;
beforeAll(async () => {
  server = await loopback();
});
afterAll(() => server.close());

const ok = { RequestId: 'R1', Message: 'successful', HttpStatusCode: 200, Code: 'OK', Success: true };
const { RequestId: _id, ...anonymous } = ok;
const TABLE = 'odps.300000001.project1.table2';

const READS: Record<string, (client: Required<VendorClient>, options: CallOptions) => Promise<unknown>> = {
  present: (client, options) => client.present(dataphinCall, options),
  verify: (client, options) => client.verify([dataphinCall], options),
  lineage: (client, options) =>
    client.lineage(
      { start: { table: TABLE }, direction: 'upstream', depth: 1, level: 'column', temporary: false },
      options,
    ),
};
const EMPTY: Record<string, unknown> = {
  present: { edge: false, columns: [] },
  verify: [{ readable: true, edge: false, columns: [], others: [] }],
  lineage: { tables: [{ name: TABLE, block: { guid: TABLE } }], edges: [], jobs: [] },
};

async function using(verb: string, answer: Scripted): Promise<unknown> {
  const { io, options, close } = surroundings();
  server.answers(answer);
  const client = dataphin.connect({ ...DATAPHIN_SECRET, endpoint: server.url }, io) as Required<VendorClient>;
  try {
    return await READS[verb]?.(client, options);
  } finally {
    await close();
  }
}

describe.each(Object.keys(READS))('%s', (verb) => {
  it.each<[string, Scripted]>([
    ['an unknown table', { status: 404, body: gatewayBody('TableNotFound') }],
    ['an unknown table inside 200', { body: { ...ok, Success: false, Code: 'TableNotExist', HttpStatusCode: 404 } }],
    ['an unknown table in the words of the gateway', { status: 404, body: gatewayBody('InvalidTableGuid.NotFound') }],
    ['a project that is not there', { status: 404, body: gatewayBody('ProjectNotExist') }],
    ['empty lists', { body: { ...anonymous, TableLineageList: [], TableColumnLineageList: [] } }],
    ['lists that are null', { body: { ...ok, TableLineageList: null, TableColumnLineageList: null } }],
    ['lists that are left out', { body: ok }],
  ])('shows no lineage for %s', async (_what, answer) => {
    expect(await using(verb, answer)).toMatchObject(EMPTY[verb] as object);
  });

  it.each<[string, Scripted, RegExp]>([
    [
      '404 as HTML',
      { status: 404, body: '<html><h1>404 Not Found</h1><hr>nginx</html>' },
      /HTTP 404.*somebody else.*"endpoint"/,
    ],
    [
      '404 of another server',
      { status: 404, body: { message: 'no Route matched with those values' } },
      /somebody else/,
    ],
    ['404 with its own status as a code', { status: 404, body: { code: '404', message: 'no route' } }, /somebody else/],
    ['404 that is empty', { status: 404, body: '' }, /somebody else/],
    [
      'an unknown tenant',
      { status: 404, body: gatewayBody('TenantNotExist') },
      /TenantNotExist: "vendor words".*op_tenant_id/,
    ],
    [
      'an unknown user inside 200',
      { body: { ...ok, Success: false, Code: 'UserNotExist', HttpStatusCode: 404 } },
      /UserNotExist/,
    ],
    [
      'another "not found" of the gateway',
      { status: 404, body: gatewayBody('InvalidRegion.NotFound') },
      /not about the table/,
    ],
    ['200 of another server', { body: { success: true, data: null } }, /neither a list nor a request id.*"endpoint"/],
  ])('learns nothing from %s', async (_what, answer, words) => {
    const failure = await using(verb, answer).then(
      (value) => ({ value }),
      (thrown: unknown) => thrown,
    );
    expect(failure).toMatchObject({ kind: 'unavailable', maybeApplied: false, message: expect.stringMatching(words) });
  });
});

it('a refused register does not count as done because of an answer of somebody else', async () => {
  const { io, options, close } = surroundings();
  server.answers(
    { status: 409, body: gatewayBody('LineageAlreadyExists') },
    { status: 404, body: '<html>nginx</html>' },
  );
  const client = dataphin.connect({ ...DATAPHIN_SECRET, endpoint: server.url }, io);
  await expect(client.register?.(dataphinCall, options)).rejects.toMatchObject({ kind: 'unavailable', status: 404 });
  await close();
});
