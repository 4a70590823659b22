import { describe, expect, it, onTestFinished } from 'vitest';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import { startFlink } from '../../local/simulators/flink/index.ts';
import type { Simulator } from '../../local/simulators/simulator.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { dataarts } from '../../shared/vendors/dataarts/index.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import { flink } from '../../shared/vendors/flink/index.ts';
import type { Vendor, VendorClient } from '../../shared/vendors/vendor.ts';
import { sandbox } from '../simulators/callers.ts';
import { dataartsCall, dataphinCall, surroundings } from './loopback.ts';

const TOKEN = 'simulatedSecurityToken';
const credentials = { security_token: TOKEN };
type Verb = (client: VendorClient, options: { deadlineMs: number }) => Promise<unknown> | undefined;

const VENDORS: [string, Vendor, () => Promise<Simulator>, Verb][] = [
  [
    'Dataphin',
    dataphin,
    () => startDataphin({ credentials }),
    (client, options) => client.register?.(dataphinCall, options),
  ],
  [
    'DataArts',
    dataarts,
    () => startDataArts({ credentials }),
    (client, options) => client.register?.(dataartsCall, options),
  ],
  [
    'Flink',
    flink,
    async () => {
      const simulator = await startFlink({ credentials });
      await sandbox(simulator.url, 'PUT', 'seed', { jobs: [{ jobId: 'j', deploymentId: 'd' }] });
      return simulator;
    },
    (client, options) =>
      client.lineage?.(
        { start: { jobId: 'j' }, direction: 'both', depth: 1, level: 'table', temporary: false },
        options,
      ),
  ],
];

describe.each(VENDORS)('temporary keys at %s', (_name, vendor, start, verb) => {
  async function calling(change: (secret: JsonObject) => JsonObject) {
    const simulator = await start();
    const { io, close } = surroundings(2_000);
    onTestFinished(async () => {
      await close();
      await simulator.close();
    });
    const client = vendor.connect(change(simulator.secret()), { ...io, now: Date.now, permit: async () => {} });
    return verb(client, { deadlineMs: Date.now() + 10_000 });
  }
  it('are taken', async () => {
    await expect(calling((secret) => secret)).resolves.toBeDefined();
  });
  it('are refused without their token, or with another one, which no message shows', async () => {
    const without = calling(({ security_token: _none, ...secret }) => secret);
    await expect(without).rejects.toMatchObject({ kind: 'denied' });
    const other = calling((secret) => ({ ...secret, security_token: 'expiredSecurityToken' }));
    await expect(other).rejects.toMatchObject({ kind: 'denied' });
    await expect(other).rejects.toThrow(/security.?token/i);
    await expect(other).rejects.not.toThrow(/expiredSecurityToken|simulatedSecurityToken/);
  });
});
