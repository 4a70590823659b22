import { expect, it } from 'vitest';
import type { Target } from '../../shared/converge/deps.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { Failure } from '../../shared/core/failure.ts';
import { memoryMetrics } from '../../shared/metrics.ts';
import type { Services } from '../../shared/wiring.ts';
import { manifest } from './local.ts';
import { Place } from './passes.ts';
import { vendorOf } from './steady.ts';

const OWNER = 'manifests/a.json';
const HOUR_MS = 3_600_000;

/** A place whose vendor never says whether it has created something, and cannot be asked. */
function doubtful() {
  const place = new Place();
  const vendor = vendorOf('dataarts');
  const register = async () => {
    throw new Failure('unknown-outcome', 'the connection broke', { maybeApplied: true });
  };
  const target: Target = { name: 'dataarts', vendor, account: 'd', secret: {}, client: { register } };
  const metrics = memoryMetrics();
  const plain = place.services({ spread: false });
  const deps = { ...plain.deps, metrics, targets: async () => ({ list: [target], problems: [] }) };
  const services: Services = { ...plain, deps };
  /** What a pass tells about the oldest unknown edge, in seconds. */
  const age = async () => {
    metrics.flush();
    const before = metrics.told.length;
    await place.pass(services);
    metrics.flush();
    return metrics.told.slice(before).find((each) => each.name === 'UnknownAge')?.values[0];
  };
  const status = async () =>
    JSON.parse(
      Buffer.from((await place.manifests.get(`status/${OWNER}.json`))?.bytes ?? []).toString('utf8'),
    ) as StatusDocument;
  const put = (text: string) => place.manifests.put(OWNER, Buffer.from(text), 'application/json');
  return { place, services, age, status, put };
}

it('an edge is unknown since its own call, however often its manifest is converged', async () => {
  const { place, services, age, status, put } = doubtful();
  await put(manifest([['a', 'b']], { targets: ['dataarts'] }));
  await place.pass(services);
  await place.drain(services);
  const [edge] = (await status()).edges;
  expect(edge?.outcome).toBe('unknown');
  const since = Date.parse(edge?.since ?? '');
  place.now = since + 2 * HOUR_MS;
  expect(await age()).toBe(7_200);
  // An edit that leaves the edge as it is has it converged again, by the pass itself.
  await put(`${manifest([['a', 'b']], { targets: ['dataarts'] })}\n`);
  place.now = since + 3 * HOUR_MS;
  expect(await age()).toBe(10_800);
  expect(Date.parse((await status()).at)).toBe(place.now);
  place.now = since + 4 * HOUR_MS;
  expect(await age()).toBe(14_400);
});
