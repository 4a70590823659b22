import { expect, test } from 'vitest';
import { manifest, until } from './local.ts';
import { type OnAws, onAws } from './on-aws.ts';

const OWNER = 'manifests/a.json';

async function writes({ vendors }: OnAws): Promise<string[]> {
  const calls = (await (await fetch(`${vendors['dataphin']}/_sandbox/calls`)).json()) as { operation: string }[];
  return calls.map((call) => call.operation).filter((operation) => operation.includes('RegisterLineage'));
}

async function shown({ vendors }: OnAws): Promise<string[]> {
  const held = (await (await fetch(`${vendors['dataphin']}/_sandbox/lineage`)).json()) as { target: string }[];
  return held.map((edge) => edge.target.replace('odps.300000001.p.', '')).sort();
}

/** All messages have been worked on, none of them twice. */
async function quiet(place: OnAws): Promise<void> {
  await until(place.idle, 15_000, () => 'the queues are empty');
  expect(place.deliveredMoreOftenThan(1)).toBe(0);
}

test('twice, out of order, or at once with others: one call, and no message comes back', {
  timeout: 40_000,
}, async () => {
  const place = await onAws();
  await place.drop(OWNER, manifest([['x', 'y']]));
  await Promise.all([
    ...Array.from({ length: 4 }, () => place.notify('ObjectCreated:Put', OWNER)),
    place.notify('ObjectRemoved:DeleteMarkerCreated', OWNER),
    ...Array.from({ length: 8 }, () => place.send({ kind: 'converge', owner: OWNER })),
  ]);
  await quiet(place);
  expect([await shown(place), await writes(place)]).toEqual([['y'], ['AddRegisterLineage']]);
});

test('after its object is gone, and long after: nothing comes back to life', { timeout: 40_000 }, async () => {
  const place = await onAws();
  await place.drop(OWNER, manifest([['x', 'y']]));
  await until(async () => (await shown(place)).join() === 'y');
  await place.remove(OWNER);
  await until(async () => (await shown(place)).length === 0);
  await quiet(place);
  const before = await writes(place);
  await place.notify('ObjectCreated:Put', OWNER);
  await place.send({ kind: 'converge', owner: OWNER });
  await place.send({ kind: 'converge', owner: OWNER, ticket: 'an old one' });
  await place.send({ kind: 'judge', target: 'dataphin', ticket: 'an old one' });
  await quiet(place);
  expect([await shown(place), await writes(place)]).toEqual([[], before]);

  // Taking a delete marker away brings the object back; S3 calls that a removal.
  await place.drop(OWNER, manifest([['x', 'y']]));
  await place.notify('ObjectRemoved:Delete', OWNER);
  await until(async () => (await shown(place)).join() === 'y');
  await quiet(place);
});

test('about keys that are no owner: nobody minds', { timeout: 40_000 }, async () => {
  const place = await onAws();
  await place.notify('ObjectCreated:Put', 'status/manifests/a.json.json');
  await place.notify('ObjectCreated:Put', 'manifests/folder/');
  await place.drop(OWNER, manifest([['x', 'y']]));
  await quiet(place);
  expect(await shown(place)).toEqual(['y']);
});
