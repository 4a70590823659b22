import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import { memoryLog } from '../../shared/log.ts';
import { readSettings } from '../../shared/settings.ts';
import { admit, mayName, mayOwn } from '../../shared/triggers/access.ts';
import type { Services } from '../../shared/wiring.ts';

const AWS = { TABLE: 'table', BUCKET: 'bucket', QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/q' };

function services(environment: Readonly<Record<string, string>>, clients: JsonObject | Error | undefined): Services {
  const secrets = {
    get: async () => {
      if (clients instanceof Error) throw clients;
      return clients;
    },
    list: async () => [],
  };
  return {
    settings: readSettings(environment),
    secrets,
    log: memoryLog(),
    deps: { now: () => 0 },
  } as unknown as Services;
}

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const airflow = {
  name: 'airflow',
  scopes: ['ingest'],
  key_sha256: sha256('k').toUpperCase(),
  namespaces: ['airflow-*'],
  access_key_id: 'other',
};
const secret = { clients: [airflow] };
const status = (result: Awaited<ReturnType<typeof admit>>) =>
  'refused' in result ? result.refused.status : result.caller.name;

it('always wants a key where AWS lets everybody in, and never where AWS has asked already', async () => {
  expect(status(await admit(undefined, 'ingest', 'public', services(AWS, secret)))).toBe(401);
  expect(status(await admit('Bearer k', 'ingest', 'public', services(AWS, secret)))).toBe('airflow');
  expect(
    status(await admit('AWS4-HMAC-SHA256 …', 'register', 'iam', services({ ...AWS, AUTH: 'required' }, undefined))),
  ).toBe('trusted');
  expect(status(await admit(undefined, 'ingest', 'public', services({}, undefined)))).toBe('trusted');
  expect(status(await admit(undefined, 'fetch', 'iam', services({ AUTH: 'required' }, secret)))).toBe(401);
});

it('opens nothing without clients, without a scope, or with a key that has none', async () => {
  expect(status(await admit('Bearer k', 'ingest', 'public', services(AWS, undefined)))).toBe(401);
  expect(status(await admit('Bearer k', undefined, 'public', services(AWS, secret)))).toBe(403);
  expect(status(await admit('Bearer k', 'delete', 'public', services(AWS, secret)))).toBe(403);
  const keyless = { clients: [{ name: 'signer', scopes: ['ingest'] }] };
  expect(status(await admit('Bearer k', 'ingest', 'public', services(AWS, keyless)))).toBe(401);
  await expect(admit('Bearer k', 'ingest', 'public', services(AWS, new Error('no right')))).rejects.toMatchObject({
    kind: 'unavailable',
  });
});

it('counts what was refused, and takes a little longer each time', async () => {
  const one = services(AWS, secret);
  const took: number[] = [];
  for (let n = 0; n < 3; n += 1) {
    const started = performance.now();
    await admit('Bearer guess', 'ingest', 'public', one);
    took.push(performance.now() - started);
  }
  expect(took[2]).toBeGreaterThan(took[0] ?? 0);
  const { lines } = one.log as ReturnType<typeof memoryLog>;
  expect(
    lines.filter(({ message }) => message.startsWith('access refused')).map(({ fields }) => fields['failures']),
  ).toEqual([1, 2, 3]);
});

it('confines by globs', () => {
  const caller = { name: 'x', owners: ['manifests/a/*'], namespaces: ['airflow-*'] };
  expect([mayOwn(caller, 'manifests/a/b.yaml'), mayOwn(caller, 'manifests/b.yaml')]).toEqual([true, false]);
  expect([mayName(caller, 'airflow-prod'), mayName(caller, 'spark')]).toEqual([true, false]);
  expect(mayOwn({ name: 'free' }, 'anything')).toBe(true);
});
