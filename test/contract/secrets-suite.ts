import { describe, expect, test } from 'vitest';
import type { Secrets } from '../../shared/secrets/secrets.ts';
import type { Opened } from './opened.ts';

/** Opens a store that holds exactly these secrets: name to text, as somebody typed it. */
export type OpenSecrets = (held: Readonly<Record<string, string>>) => Promise<Opened<Secrets>> | Opened<Secrets>;

const CANARY = 'hunter2-canary';

/** What every store of secrets must do. */
export function secretsSuite(name: string, open: OpenSecrets): void {
  const on =
    (held: Readonly<Record<string, string>>, check: (secrets: Secrets) => Promise<void>) => async (): Promise<void> => {
      const opened = await open(held);
      try {
        await check(opened.subject);
      } finally {
        await opened.close();
      }
    };

  describe(`${name} keeps the secrets contract`, () => {
    test(
      'a secret is its JSON object',
      on({ 'lineage/dataphin': `{"access_key_secret":"${CANARY} ä😀","n":{"x":[1,null]}}` }, async (secrets) => {
        expect(await secrets.get('lineage/dataphin')).toEqual({
          access_key_secret: `${CANARY} ä😀`,
          n: { x: [1, null] },
        });
      }),
    );

    test(
      'a secret that nobody made is undefined',
      on({ 'lineage/dataarts/finance': '{}' }, async (secrets) => {
        expect(await secrets.get('lineage/flink')).toBeUndefined();
        expect(await secrets.get('lineage/dataarts')).toBeUndefined();
        expect(await secrets.get('lineage/dataarts/finance')).toEqual({});
        expect(await secrets.get('lineage/dataarts/finance/more')).toBeUndefined();
      }),
    );

    const wrong: readonly string[] = [
      `{"a": "${CANARY}",}`,
      `{"a": "${CANARY}"`,
      CANARY,
      `"${CANARY}"`,
      `["${CANARY}"]`,
      '12',
      'null',
      `{'a': '${CANARY}'}`,
    ];
    test.each(wrong)('%j is invalid, and the message does not repeat it', async (text) => {
      await on({ 'lineage/flink': text }, async (secrets) => {
        const failure = await secrets.get('lineage/flink').catch((thrown: unknown) => thrown);
        expect(failure).toMatchObject({ name: 'Failure', kind: 'invalid' });
        const { message, stack, cause } = failure as Error;
        expect(message).toContain('lineage/flink');
        expect(`${message} ${stack} ${String(cause)} ${JSON.stringify(failure)}`).not.toContain('hunter2');
      })();
    });

    test.each(['', '..', '../x', 'lineage/../../x', '/etc/passwd', 'lineage//x', 'lineage/x/', 'a\\b', 'a\0b', 'ä b'])(
      'the name %j is invalid',
      async (bad) => {
        await on({}, async (secrets) => {
          await expect(secrets.get(bad)).rejects.toMatchObject({ name: 'Failure', kind: 'invalid' });
        })();
      },
    );

    test(
      'names are listed by their beginning, sorted, whatever the secrets hold',
      on(
        {
          'lineage/flink': '{}',
          'lineage/dataarts/finance': 'not json',
          'lineage/dataarts': '{}',
          'other/dataphin': '{}',
          'lineage-old': '{}',
        },
        async (secrets) => {
          expect(await secrets.list('lineage/')).toEqual([
            'lineage/dataarts',
            'lineage/dataarts/finance',
            'lineage/flink',
          ]);
          expect(await secrets.list('lineage/dataarts')).toEqual(['lineage/dataarts', 'lineage/dataarts/finance']);
          expect(await secrets.list('none/')).toEqual([]);
        },
      ),
    );
  });
}
