import { expect, it } from 'vitest';
import { local } from './local.ts';

it.each([
  ['throttle', 400, 'Throttling'],
  ['unavailable', 503, 'ServiceUnavailable'],
])('tells a caller of %s as the vendor would', async (kind, status, code) => {
  const here = await local({ WIRE_FLINK: 'relay' });
  await here.fault('flink', { kind, operation: 'GetLineageInfo', times: 100 });
  const { list } = await here.runtime.services.deps.targets();
  const workspace = String(list.find(({ name }) => name === 'flink')?.secret['workspace']);
  const body = { id: 'j', idType: 'JOB', namespace: 'default-namespace', workspace };
  const answer = await here.request('POST', '/meta/v2/lineage', JSON.stringify(body), { workspace });
  expect(answer.status).toBe(status);
  expect(await answer.json()).toMatchObject({ Code: code, RequestId: expect.any(String), Message: expect.any(String) });
});
