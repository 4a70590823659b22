import { cp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OWNER_PREFIXES } from '../../shared/core/owner-key.ts';
import { folderManifests } from '../../shared/manifests/folder.ts';
import { type Change, type FolderWatch, watchFolder } from '../../shared/manifests/watch.ts';
import { eventually, pause, temporaryFolder } from './opened.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let root: string;
let watching: FolderWatch;
let changes: Change[];

beforeEach(async () => {
  folder = await temporaryFolder();
  root = join(folder.path, 'bucket');
  changes = [];
  watching = await watchFolder(root, (change) => changes.push(change));
});
afterEach(async () => {
  await watching.close();
  await folder.remove();
});

const at = (key: string) => join(root, ...key.split('/'));

/** Waits, at most one second, for hints about all of these; then forgets what was seen. */
async function expectChanges(...expected: readonly `${Change['kind']} ${string}`[]): Promise<void> {
  const missing = () => expected.filter((text) => !changes.some(({ kind, key }) => text === `${kind} ${key}`));
  await eventually(() => (missing().length === 0 ? true : undefined), 1_000).catch(() => {
    throw new Error(`not reported within a second: ${missing().join(', ')}; reported: ${JSON.stringify(changes)}`);
  });
  changes.length = 0;
}

test('makes the folders of the owners, so that there is a place to drop files', async () => {
  for (const prefix of OWNER_PREFIXES) expect((await stat(join(root, prefix))).isDirectory()).toBe(true);
});

test('a file that is dropped, edited and removed is reported each time', async () => {
  await writeFile(at('manifests/a.yaml'), 'one');
  await expectChanges('created manifests/a.yaml');
  await writeFile(at('manifests/a.yaml'), 'two');
  await expectChanges('created manifests/a.yaml');
  await rm(at('manifests/a.yaml'));
  await expectChanges('removed manifests/a.yaml');
});

test('naming.yaml is reported, too, and a file that is renamed into place as editors do', async () => {
  await writeFile(at('naming.yaml'), 'version: 1');
  await expectChanges('created naming.yaml');
  await writeFile(at('naming.yaml~'), 'version: 2');
  await rename(at('naming.yaml~'), at('naming.yaml'));
  await expectChanges('created naming.yaml');
});

test('what the bucket puts and deletes is reported by its key', async () => {
  const bucket = folderManifests(root);
  const key = 'openlineage/ns%3A/.daily.json';
  await bucket.put(key, new TextEncoder().encode('{}'), '');
  await expectChanges(`created ${key}`);
  await bucket.delete(key);
  await expectChanges(`removed ${key}`);
});

test('a folder that is copied in, renamed and removed is reported file by file', async () => {
  const source = join(folder.path, 'source');
  const names = Array.from({ length: 40 }, (_, number) => `deep/er/${number % 5}/${number}.yaml`);
  for (const name of names) {
    await mkdir(join(source, name, '..'), { recursive: true });
    await writeFile(join(source, name), name);
  }
  await cp(source, at('manifests/team'), { recursive: true });
  await expectChanges(...names.map((name) => `created manifests/team/${name}` as const));
  await rename(at('manifests/team'), at('manifests/group'));
  await expectChanges(
    ...names.map((name) => `removed manifests/team/${name}` as const),
    ...names.map((name) => `created manifests/group/${name}` as const),
  );
  await rm(at('manifests/group/deep'), { recursive: true });
  await expectChanges(...names.map((name) => `removed manifests/group/${name}` as const));
});

test('an owner folder that is removed and made again is still watched', async () => {
  await writeFile(at('manifests/a.yaml'), 'x');
  await expectChanges('created manifests/a.yaml');
  await rm(at('manifests'), { recursive: true });
  await expectChanges('removed manifests/a.yaml');
  await mkdir(at('manifests'));
  await writeFile(at('manifests/b.yaml'), 'x');
  await expectChanges('created manifests/b.yaml');
});

test('what the functions write for themselves, and droppings, wake nobody', async () => {
  const bucket = folderManifests(root);
  await bucket.put('status/manifests/a.yaml.json', new TextEncoder().encode('{}'), '');
  await bucket.put('plans/1.json', new TextEncoder().encode('{}'), '');
  for (const name of ['.a.yaml.swp', 'a.yaml~', '.DS_Store', 'a.tmp']) await writeFile(at(`manifests/${name}`), 'x');
  await writeFile(at('other.yaml'), 'x');
  await mkdir(at('manifests/empty'));
  await writeFile(at('manifests/last.yaml'), 'x');
  await eventually(() => changes.find(({ key }) => key === 'manifests/last.yaml'), 1_000);
  await pause(200);
  expect(changes.map(({ key }) => key)).toEqual(['manifests/last.yaml']);
});

test('a burst of writes is one hint', async () => {
  const hints: Change[] = [];
  const patient = await watchFolder(root, (change) => hints.push(change), { burstMs: 400 });
  for (let time = 0; time < 4; time++) {
    await writeFile(at('manifests/a.yaml'), `${time}`);
    await pause(60);
  }
  await pause(500);
  expect(hints).toEqual([{ key: 'manifests/a.yaml', kind: 'created' }]);
  await patient.close();
});

test('nothing is reported after close', async () => {
  await writeFile(at('manifests/a.yaml'), 'x');
  await watching.close();
  await writeFile(at('manifests/b.yaml'), 'x');
  await pause(200);
  expect(changes.filter(({ key }) => key === 'manifests/b.yaml')).toEqual([]);
});
