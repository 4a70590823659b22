import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cachedSecrets } from '../../shared/secrets/cached.ts';
import { secretsManagerClient, secretsManagerSecrets } from '../../shared/secrets/secrets-manager.ts';
import { at } from './aws-emulators.ts';
import { type SecretsManagerStub, startSecretsManagerStub } from './secrets-manager-stub.ts';
import { type OpenSecrets, secretsSuite } from './secrets-suite.ts';

let stub: SecretsManagerStub;
let client: SecretsManagerClient;

beforeAll(async () => {
  stub = await startSecretsManagerStub();
  client = secretsManagerClient(at(stub.url));
});
afterAll(async () => {
  client.destroy();
  await stub.close();
});
beforeEach(() => {
  stub.refuse = undefined;
  stub.requests.length = 0;
});

const CANARY = 'hunter2-canary';
const quick = { sleep: async () => {}, random: () => 0 };
const secretsOf = (prefix: string) => secretsManagerSecrets(prefix, { client, ...quick });

function open(prefix: string): OpenSecrets {
  return (held) => {
    stub.held = {
      'elsewhere/lineage/flink': '{}',
      ...Object.fromEntries(Object.entries(held).map(([name, text]) => [prefix + name, text])),
    };
    return { subject: secretsOf(prefix), close: () => {} };
  };
}

secretsSuite('Secrets Manager', open(''));
secretsSuite('Secrets Manager with a prefix', open('prod/team-'));

describe('Secrets Manager', () => {
  test('a list goes on to its last page, and passes over what the filter should not have let through', async () => {
    stub.held = Object.fromEntries(['e', 'a', 'd', 'b', 'c'].map((name) => [`p/lineage/${name}`, '{}']));
    expect(await secretsOf('p/').list('lineage/')).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => `lineage/${name}`));
    expect(stub.requests).toEqual(['ListSecrets', 'ListSecrets', 'ListSecrets']);
  });

  test('a binary secret is invalid', async () => {
    stub.held = { 'lineage/flink': new TextEncoder().encode(CANARY) };
    const failure = await secretsOf('')
      .get('lineage/flink')
      .catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ kind: 'invalid', message: expect.stringContaining('lineage/flink') });
    expect(String((failure as Error).stack)).not.toContain('hunter2');
  });

  test('what AWS refuses is never absence, and its words, which could quote anything, are not repeated', async () => {
    const cases = [
      [400, 'AccessDeniedException', 'denied'],
      [400, 'DecryptionFailure', 'denied'],
      [400, 'InvalidRequestException', 'denied'],
      [400, 'UnrecognizedClientException', 'denied'],
      [400, 'ThrottlingException', 'throttled'],
      [500, 'InternalServiceError', 'unavailable'],
    ] as const;
    for (const [status, code, kind] of cases) {
      stub.refuse = { status, code, message: `about ${CANARY}` };
      const failure = await secretsOf('')
        .get('lineage/flink')
        .catch((thrown: unknown) => thrown);
      expect(failure, code).toMatchObject({ kind, code });
      const { message, stack, cause } = failure as Error;
      expect(`${message} ${stack} ${String(cause)} ${JSON.stringify(failure)}`).not.toContain('hunter2');
    }
    stub.refuse = { status: 400, code: 'AccessDeniedException' };
    await expect(secretsOf('').list('lineage/')).rejects.toMatchObject({ kind: 'denied' });
  });

  test('an answer that cannot be read is not quoted either', async () => {
    stub.refuse = { status: 200, code: '', raw: `{"SecretString":"${CANARY}` };
    const failure = await secretsOf('')
      .get('lineage/flink')
      .catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ kind: 'unavailable' });
    const { message, stack, cause } = failure as Error;
    expect(`${message} ${stack} ${String(cause)} ${JSON.stringify(failure)}`).not.toContain('hunter2');
  });

  test('lists are kept as long as their own ttl says', async () => {
    let nowMs = 0;
    stub.held = { 'lineage/flink': '{}' };
    const secrets = cachedSecrets(secretsOf(''), { ttlMs: 0, listTtlMs: 1_000, now: () => nowMs });
    await secrets.list('lineage/');
    await secrets.list('lineage/');
    expect(stub.requests).toHaveLength(1);
    nowMs = 1_000;
    stub.held = {};
    expect(await secrets.list('lineage/')).toEqual([]);
  });
});
