import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import { cachedSecrets } from '../../shared/secrets/cached.ts';
import { fileSecrets } from '../../shared/secrets/file.ts';
import { brokenJsonLine } from '../../shared/secrets/json-line.ts';
import type { Secrets } from '../../shared/secrets/secrets.ts';
import { temporaryFolder } from './opened.ts';
import { type OpenSecrets, secretsSuite } from './secrets-suite.ts';

const openFiles: OpenSecrets = async (held) => {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(held)) await hold(folder.path, name, text);
  return { subject: fileSecrets(folder.path), close: () => folder.remove() };
};

async function hold(folder: string, name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(folder, `${name}.json`);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

secretsSuite('files', openFiles);
secretsSuite('files behind the cache', async (held) => {
  const opened = await openFiles(held);
  return { subject: cachedSecrets(opened.subject, { ttlMs: 1_000, now: () => 0 }), close: () => opened.close() };
});

describe('secrets in files', () => {
  test.each([0o644, 0o640, 0o604, 0o660, 0o700, 0o601])('mode %o is denied with the chmod to run', async (mode) => {
    const folder = await temporaryFolder();
    const path = await hold(folder.path, 'lineage/dataphin', '{}', mode);
    const failure = await fileSecrets(folder.path)
      .get('lineage/dataphin')
      .catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ kind: 'denied', message: expect.stringContaining(`chmod 600 '${path}'`) });
    await folder.remove();
  });

  test.each([0o600, 0o400])('mode %o is good', async (mode) => {
    const folder = await temporaryFolder();
    await hold(folder.path, 'lineage/dataphin', '{"a":1}', mode);
    expect(await fileSecrets(folder.path).get('lineage/dataphin')).toEqual({ a: 1 });
    await folder.remove();
  });

  test('a mistake in the JSON is reported with file and line', async () => {
    const folder = await temporaryFolder();
    const path = await hold(folder.path, 'lineage/flink', '{\n  "a": 1,\n  "secret": hunter2\n}\n');
    await expect(fileSecrets(folder.path).get('lineage/flink')).rejects.toThrow(
      `${path} is not valid JSON, see line 3; correct it there.`,
    );
    await folder.remove();
  });

  test('no folder at all is no secrets; hidden files, other files and folders are none either', async () => {
    const folder = await temporaryFolder();
    const nowhere = fileSecrets(join(folder.path, 'secrets'));
    expect(await nowhere.get('lineage/flink')).toBeUndefined();
    expect(await nowhere.list('')).toEqual([]);
    for (const name of ['.hidden', 'lineage/a']) await hold(folder.path, name, '{}');
    await writeFile(join(folder.path, 'README.md'), '');
    await mkdir(join(folder.path, 'folder.json'));
    expect(await fileSecrets(folder.path).list('')).toEqual(['lineage/a']);
    await expect(fileSecrets(folder.path).get('folder')).rejects.toMatchObject({ kind: 'invalid' });
    await folder.remove();
  });

  test('an oversized file is refused, and a byte order mark is not held against anybody', async () => {
    const folder = await temporaryFolder();
    await hold(folder.path, 'big', `{"a":"${'x'.repeat(70_000)}"}`);
    await hold(folder.path, 'bom', '\ufeff{"a":1}');
    await expect(fileSecrets(folder.path).get('big')).rejects.toMatchObject({ kind: 'invalid' });
    expect(await fileSecrets(folder.path).get('bom')).toEqual({ a: 1 });
    await folder.remove();
  });
});

test('the line of a mistake is found wherever it is, and only where there is one', () => {
  const lines: [string, number | undefined][] = [
    ['{"a":[1,-2.5e3,true,null,"x\\n\\u00e4"],\n"b":{}}\n', undefined],
    ['\n\n', 3],
    ['{\n"a":1\n"b":2}', 3],
    ['{"a":1,\n}', 2],
    ['[1,\n2,\n03]', 3],
    ['{"a":"line\nbreak"}', 1],
    ['{\n"a":"\\x"}', 2],
    ['{}\n{}', 2],
    ['{\n\na:1}', 3],
  ];
  for (const [text, line] of lines) expect([text, brokenJsonLine(text)]).toEqual([text, line]);
});

describe('cached secrets', () => {
  /** An inner store whose answers the test sets, and that counts how often it is asked. */
  function inner() {
    const state = { answer: (): Promise<JsonObject | undefined> => Promise.resolve({ v: 1 }), reads: 0, nowMs: 0 };
    const store: Secrets = {
      get: () => {
        state.reads++;
        return state.answer();
      },
      list: async () => ['x'],
    };
    return { state, secrets: cachedSecrets(store, { ttlMs: 1_000, now: () => state.nowMs }) };
  }

  test('a secret is read once per ttl, absence too, and a rotation is seen after it', async () => {
    const { state, secrets } = inner();
    expect([await secrets.get('a'), await secrets.get('a')]).toEqual([{ v: 1 }, { v: 1 }]);
    expect(state.reads).toBe(1);
    state.answer = async () => undefined;
    state.nowMs = 999;
    expect(await secrets.get('a')).toEqual({ v: 1 });
    state.nowMs = 1_000;
    expect(await secrets.get('a')).toBeUndefined();
    expect(await secrets.get('a')).toBeUndefined();
    expect(state.reads).toBe(2);
  });

  test('names are apart, and concurrent callers share one read', async () => {
    const { state, secrets } = inner();
    await Promise.all([secrets.get('a'), secrets.get('a'), secrets.get('b')]);
    expect(state.reads).toBe(2);
  });

  test('refresh reads now, and what it finds is kept', async () => {
    const { state, secrets } = inner();
    await secrets.get('a');
    state.answer = async () => ({ v: 2 });
    expect(await secrets.refresh('a')).toEqual({ v: 2 });
    expect(await secrets.get('a')).toEqual({ v: 2 });
    expect(state.reads).toBe(2);
  });

  test('a failure is passed on and not kept', async () => {
    const { state, secrets } = inner();
    state.answer = () => Promise.reject(new Error('away'));
    await expect(secrets.get('a')).rejects.toThrow('away');
    state.answer = async () => ({ v: 3 });
    expect(await secrets.get('a')).toEqual({ v: 3 });
  });

  test('a slow read that began before a refresh does not replace what the refresh found', async () => {
    const { state, secrets } = inner();
    let finish: (value: JsonObject) => void = () => {};
    state.answer = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    const slow = secrets.get('a');
    state.answer = async () => ({ v: 'new' });
    await secrets.refresh('a');
    finish({ v: 'old' });
    await slow;
    expect(await secrets.get('a')).toEqual({ v: 'new' });
  });

  test('a list is asked for each time', async () => {
    expect(await inner().secrets.list('')).toEqual(['x']);
  });
});

test('a file that is removed is gone, as soon as it is asked for', async () => {
  const folder = await temporaryFolder();
  const path = await hold(folder.path, 'a', '{}');
  const secrets = fileSecrets(folder.path);
  expect(await secrets.get('a')).toEqual({});
  await rm(path);
  expect(await secrets.get('a')).toBeUndefined();
  await folder.remove();
});
