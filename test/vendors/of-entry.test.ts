import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import { DATAPHIN_SECRET, dataphinCall, gatewayBody, loopback, surroundings } from './loopback.ts';

let server: Awaited<ReturnType<typeof loopback>>;
beforeAll(async () => {
  server = await loopback();
});
afterAll(() => server.close());

/** What becomes of both verbs when Dataphin refuses them, for an entry with these options. */
async function refused(options: JsonObject, status = 403) {
  server.answers({ status, body: gatewayBody('Forbidden', 'not in this tenant') });
  const { io, options: within, close } = surroundings(5_000);
  const client = dataphin.connect({ ...DATAPHIN_SECRET, tenant_id: 7, endpoint: server.url }, io);
  const call = { ...dataphinCall, options };
  const failures = await Promise.allSettled([
    client.register?.(call, within),
    client.withdraw?.({ ...call, cascade: true }, within),
  ]);
  await close();
  return failures.map((each) => (each.status === 'rejected' ? each.reason : undefined));
}

it('is what Dataphin refuses of an entry that names a tenant or user of its own, and closes no account', async () => {
  for (const options of [{ tenantId: 8 }, { userId: 'somebody' }]) {
    for (const failure of await refused(options)) {
      expect(failure).toMatchObject({ kind: 'missing', status: 403, code: 'Forbidden', maybeApplied: false });
      expect(failure.message).toContain(`${Object.keys(options)[0]} ${Object.values(options)[0]}`);
    }
  }
});

it('is nothing else: the tenant of the secret, another refusal', async () => {
  for (const options of [{}, { tenantId: 7 }, { tenantId: '7' }])
    for (const failure of await refused(options)) expect(failure).toMatchObject({ kind: 'denied' });
  for (const failure of await refused({ tenantId: 8 }, 401)) expect(failure).toMatchObject({ kind: 'denied' });
});
