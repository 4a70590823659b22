import { afterEach, expect, it } from 'vitest';
import { type DataArtsSimulator, startDataArts } from '../../local/simulators/dataarts/index.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { createTransport } from '../../shared/http/transport.ts';
import { vendors } from '../../shared/vendors/index.ts';
import type { Call, VendorIo } from '../../shared/vendors/vendor.ts';

const dataarts = vendors.find((vendor) => vendor.name === 'dataarts');
let simulator: DataArtsSimulator;
afterEach(() => simulator.close());

async function open() {
  simulator = await startDataArts();
  await sandbox('PUT', 'seed', { bulkRead: true });
  const io: VendorIo = {
    transport: createTransport(),
    now: Date.now,
    nonce: () => String(Math.random()),
    random: Math.random,
    sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
    permit: async () => {},
  };
  const {
    iam_user: _u,
    iam_password: _p,
    domain_name: _d,
    iam_endpoint: _e,
    ...secret
  } = simulator.secret() as Record<string, string>;
  const client = dataarts?.connect(secret as JsonObject, io);
  if (!client?.register || !client.locate) throw new Error('DataArts cannot be read back');
  return { register: client.register, locate: client.locate, verify: client.verify };
}

async function sandbox(method: string, path: string, body: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${simulator.url}/_sandbox/${path}`, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
}

const table = (name: string) => ({ database: 'db', schema: '', table: name });
const call = (name: string, inputs: readonly string[], jobId = 'j'): Call => ({
  from: inputs.map((each) => ({ name: each })),
  to: [{ name: 'out' }],
  spec: {
    workspaceId: (simulator.secret() as Record<string, string>)['workspace_id'] ?? '',
    jobId,
    nodeName: name,
    inputs: inputs.map(table),
    outputs: [table('out')],
  },
  columns: [],
  options: {},
});
const options = () => ({ deadlineMs: Date.now() + 5_000 });

it('finds a node by its name and tables, over all pages', async () => {
  const { register, locate } = await open();
  for (let index = 0; index < 230; index += 1) await register(call(`n${index}`, ['a'], `j${index}`), options());
  const { receipt } = await register(call('wanted', ['a', 'b']), options());
  expect(await locate(call('wanted', ['a', 'b']), options())).toEqual([receipt]);
  expect(await locate(call('wanted', ['a']), options())).toEqual([]);
  expect(await locate(call('other', ['a', 'b']), options())).toEqual([]);
  expect(await locate(call('n7', ['a']), options())).toHaveLength(1);
});

it('is not what registering is refused for: reading has a right of its own', async () => {
  const { register, locate, verify } = await open();
  await sandbox('POST', 'faults', { kind: 'denied', operation: 'ShowLineageBulk', times: 2 });
  await expect(locate(call('n', ['a']), options())).rejects.toMatchObject({ kind: 'missing', status: 403 });
  await expect(verify?.([call('n', ['a'])], options())).rejects.toMatchObject({ kind: 'missing', status: 403 });
  await sandbox('POST', 'faults', { kind: 'denied', operation: 'CreateLineageInfo', times: 1 });
  await expect(register(call('n', ['a']), options())).rejects.toMatchObject({ kind: 'denied', status: 403 });
});

it('proves nothing when it is refused or fails', async () => {
  const { locate } = await open();
  await sandbox('POST', 'faults', { kind: 'internal', operation: 'ShowLineageBulk', times: 9 });
  await expect(locate(call('n', ['a']), options())).rejects.toMatchObject({ name: 'Failure' });
  await sandbox('PUT', 'seed', { bulkRead: false });
  await expect(locate(call('n', ['a']), options())).rejects.toMatchObject({ kind: 'missing' });
});
