import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDataDir } from '../../local/lock.ts';
import { startChild } from './child.ts';
import { eventually, temporaryFolder } from './opened.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let dataDir: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  dataDir = join(folder.path, 'new', 'data');
});
afterEach(() => folder.remove());

test('another process holds it until kill -9, and is named', async () => {
  const child = startChild('./lock-child.ts', [dataDir]);
  await eventually(() => child.lines[0], 10_000);
  expect(() => lockDataDir(dataDir)).toThrow(
    expect.objectContaining({
      kind: 'conflict',
      message: `${dataDir} is in use by process ${child.process.pid}. Stop it, or give this one another DATA_DIR.`,
    }),
  );
  child.process.kill('SIGKILL');
  await child.ended;
  lockDataDir(dataDir).release();
});

test('of several processes that start at once, one gets it', async () => {
  const children = [1, 2, 3, 4].map(() => startChild('./lock-child.ts', [dataDir]));
  await eventually(() => (children.every((child) => child.lines.length > 0) ? true : undefined), 15_000);
  expect(children.filter((child) => child.lines[0]?.startsWith('locked'))).toHaveLength(1);
  expect(children.filter((child) => child.lines[0]?.includes('is in use by'))).toHaveLength(3);
  for (const child of children) child.process.kill('SIGKILL');
  await Promise.all(children.map((child) => child.ended));
});

test('within one process it excludes as well, and release gives it back, once', () => {
  const lock = lockDataDir(dataDir);
  expect(() => lockDataDir(dataDir)).toThrow(/in use by process/);
  lock.release();
  const again = lockDataDir(dataDir);
  lock.release();
  expect(() => lockDataDir(dataDir)).toThrow(/in use/);
  again.release();
});

test('it is held although nobody keeps the handle', async () => {
  lockDataDir(dataDir);
  collectGarbage();
  const child = startChild('./lock-child.ts', [dataDir]);
  expect(await child.ended).toBe(0);
  expect(child.lines[0]).toContain(`in use by process ${process.pid}`);
});

test('a number that is left over from a dead process is not named', async () => {
  const lock = lockDataDir(dataDir, 4_194_305);
  expect(() => lockDataDir(dataDir)).toThrow(/in use by another process/);
  await rm(join(dataDir, 'lock.json'));
  expect(() => lockDataDir(dataDir)).toThrow(/in use by another process/);
  lock.release();
});

test('a folder that cannot be made is a failure', async () => {
  await writeFile(join(folder.path, 'file'), '');
  expect(() => lockDataDir(join(folder.path, 'file'))).toThrow(expect.objectContaining({ name: 'Failure' }));
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
