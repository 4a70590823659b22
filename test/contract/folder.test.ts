import { execFileSync } from 'node:child_process';
import {
  appendFile,
  copyFile,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { folderManifests } from '../../shared/manifests/folder.ts';
import { folderFailure } from '../../shared/manifests/folder-root.ts';
import type { Manifests } from '../../shared/manifests/manifests.ts';
import { startChild } from './child.ts';
import { eventually, pause, temporaryFolder } from './opened.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let root: string;
let bucket: Manifests;
let slept: number[];

beforeEach(async () => {
  folder = await temporaryFolder();
  root = join(folder.path, 'bucket');
  await mkdir(join(root, 'manifests'), { recursive: true });
  slept = [];
  bucket = folderManifests(root, {
    sleep: (ms) => {
      slept.push(ms);
      return pause(ms);
    },
  });
});
afterEach(() => folder.remove());

const text = (content: string) => new TextEncoder().encode(content);
const at = (key: string) => join(root, ...key.split('/'));
const content = async (key: string) => {
  const object = await bucket.get(key);
  return object === undefined ? undefined : new TextDecoder().decode(object.bytes);
};
const keys = async (prefix = '') => (await bucket.list(prefix)).items.map((item) => item.key);

describe('files that people drop', () => {
  test('a dropped file is an object like any other', async () => {
    await writeFile(at('manifests/a.yaml'), 'version: 1\n');
    const head = await bucket.head('manifests/a.yaml');
    expect(await content('manifests/a.yaml')).toBe('version: 1\n');
    expect(head).toEqual({ key: 'manifests/a.yaml', size: 11, etag: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect((await bucket.list('')).items).toEqual([head]);
    expect(await bucket.put('manifests/b.yaml', text('version: 1\n'), '')).toMatchObject({ etag: head?.etag });
  });

  test('a file that is copied in slowly is read only when it is whole', async () => {
    const path = at('manifests/big.yaml');
    await writeFile(path, 'part 0\n');
    const copying = (async () => {
      for (let part = 1; part < 5; part++) {
        await pause(100);
        await appendFile(path, `part ${part}\n`);
      }
    })();
    const whole = 'part 0\npart 1\npart 2\npart 3\npart 4\n';
    const [head, got] = await Promise.all([bucket.head('manifests/big.yaml'), content('manifests/big.yaml')]);
    expect(got).toBe(whole);
    expect(head?.size).toBe(whole.length);
    await copying;
  });

  test('a copy that keeps the old modification time is waited for all the same', async () => {
    const path = at('manifests/a.yaml');
    await writeFile(path, 'half');
    await utimes(path, 1_000, 1_000);
    const later = pause(120).then(() => appendFile(path, ' and half'));
    expect(await content('manifests/a.yaml')).toBe('half and half');
    await later;
  });

  test('a file that never stops changing is unavailable after ten seconds', async () => {
    const path = at('manifests/log.yaml');
    await writeFile(path, 'more\n');
    // A clock of the test's own, in the past: to it the file is new, however long this takes.
    let nowMs = Date.now() - 3_600_000;
    const reader = folderManifests(root, {
      now: () => nowMs,
      sleep: async (ms) => {
        slept.push(ms);
        nowMs += ms;
        await appendFile(path, 'more\n');
      },
    });
    await expect(reader.head('manifests/log.yaml')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/keeps changing/),
    });
    expect(slept).toEqual(Array(40).fill(250));
  });

  test('a file from the future (the clock was set back) is read once it has kept still', async () => {
    await writeFile(at('manifests/a.yaml'), 'x');
    const past = folderManifests(root, { now: () => Date.now() - 3_600_000 });
    expect(new TextDecoder().decode((await past.get('manifests/a.yaml'))?.bytes)).toBe('x');
  });

  test('what we put ourselves is whole at once: nobody waits for it', async () => {
    const { etag } = await bucket.put('manifests/a.yaml', text('x'), '');
    expect(await bucket.head('manifests/a.yaml')).toMatchObject({ etag });
    expect(await content('manifests/a.yaml')).toBe('x');
    expect((await bucket.list('')).items).toMatchObject([{ etag }]);
    expect(slept).toEqual([]);
  });

  test('an edit of what we put is seen, also at the same size and modification time', async () => {
    await bucket.put('manifests/a.yaml', text('one'), '');
    await utimes(at('manifests/a.yaml'), 1_000, 1_000);
    const before = await bucket.get('manifests/a.yaml');
    await writeFile(at('manifests/a.yaml'), 'two');
    await utimes(at('manifests/a.yaml'), 1_000, 1_000);
    expect((await bucket.head('manifests/a.yaml'))?.etag).not.toBe(before?.etag);
    expect(await content('manifests/a.yaml')).toBe('two');
  });

  test('the head of an unchanged file is known from its stat: the file is not opened', async () => {
    await writeFile(at('manifests/a.yaml'), 'x');
    const path = at('manifests/a.yaml');
    const head = await bucket.head('manifests/a.yaml');
    const { atimeNs } = await stat(path, { bigint: true });
    await pause(20);
    for (let again = 0; again < 3; again++) expect(await bucket.head('manifests/a.yaml')).toEqual(head);
    expect((await stat(path, { bigint: true })).atimeNs).toBe(atimeNs);
    expect(slept).toHaveLength(1);
  });

  test('a listing does not wait for a file that changes; its etag there is provisional', async () => {
    await writeFile(at('manifests/a.yaml'), 'x');
    const [listed] = (await bucket.list('')).items;
    expect(slept).toEqual([]);
    expect(listed?.etag).toMatch(/^~[0-9a-f]{31}$/);
    const head = await bucket.head('manifests/a.yaml');
    expect((await bucket.list('')).items).toEqual([head]);
  });

  test('what editors and copying programs leave behind is no object', async () => {
    const droppings = [
      '.a.yaml.swp',
      'a.yaml~',
      '.DS_Store',
      'a.yaml.tmp',
      '#a.yaml#',
      '.#a.yaml',
      'a.yaml.swx',
      'a.SWP',
    ];
    await mkdir(at('manifests/.git'), { recursive: true });
    await writeFile(at('manifests/.git/config.yaml'), 'x');
    for (const name of droppings) await writeFile(at(`manifests/${name}`), 'x');
    await writeFile(at('manifests/a.yaml'), 'x');
    expect(await keys()).toEqual(['manifests/a.yaml']);
    for (const name of droppings) expect(await bucket.head(`manifests/${name}`)).toBeUndefined();
  });

  test('a pipe is refused, not waited for', async () => {
    execFileSync('mkfifo', [at('manifests/pipe.yaml')]);
    await expect(bucket.head('manifests/pipe.yaml')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await keys()).toEqual([]);
  });
});

describe('links', () => {
  test('a link inside the folder is followed', async () => {
    await writeFile(at('manifests/a.yaml'), 'x');
    await mkdir(at('manifests/real'));
    await writeFile(at('manifests/real/c.yaml'), 'c');
    await symlink('a.yaml', at('manifests/b.yaml'));
    await symlink('real', at('manifests/linked'));
    expect(await content('manifests/b.yaml')).toBe('x');
    expect(await content('manifests/linked/c.yaml')).toBe('c');
    expect(await keys()).toEqual([
      'manifests/a.yaml',
      'manifests/b.yaml',
      'manifests/linked/c.yaml',
      'manifests/real/c.yaml',
    ]);
  });

  test('a link that leads out of the folder is denied, for files, folders and writing', async () => {
    const outside = join(folder.path, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'x.yaml'), 'not yours');
    await symlink(join(outside, 'x.yaml'), at('manifests/file.yaml'));
    await symlink(outside, at('manifests/out'));
    const denied = { kind: 'denied' };
    await expect(bucket.get('manifests/file.yaml')).rejects.toMatchObject(denied);
    await expect(bucket.head('manifests/out/x.yaml')).rejects.toMatchObject(denied);
    await expect(bucket.put('manifests/out/y.yaml', text('y'), '')).rejects.toMatchObject(denied);
    await expect(bucket.put('manifests/out/new/y.yaml', text('y'), '')).rejects.toMatchObject(denied);
    await expect(bucket.delete('manifests/out/x.yaml')).rejects.toMatchObject(denied);
    expect(await readdir(outside)).toEqual(['x.yaml']);
    // Listed, so that it is not taken for removed; what is behind it is not looked at.
    expect((await bucket.list('')).items).toEqual([{ key: 'manifests/file.yaml', etag: '~', size: 0 }]);
  });

  test('putting over a link replaces the link, not what it leads to', async () => {
    const outside = join(folder.path, 'x.yaml');
    await writeFile(outside, 'theirs');
    await symlink(outside, at('manifests/a.yaml'));
    await bucket.put('manifests/a.yaml', text('ours'), '');
    expect(await content('manifests/a.yaml')).toBe('ours');
    expect((await stat(outside)).size).toBe(6);
  });

  test('a link whose target is missing leaves a doubt, so it is not absent', async () => {
    await symlink('gone.yaml', at('manifests/a.yaml'));
    await expect(bucket.head('manifests/a.yaml')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await keys()).toEqual(['manifests/a.yaml']);
  });

  test('a link to a folder above does not make a listing endless', async () => {
    await symlink('..', at('manifests/loop'));
    await writeFile(at('manifests/a.yaml'), 'x');
    expect(await keys()).toEqual(['manifests/a.yaml']);
  });
});

describe('trouble with the folder is never an empty bucket', () => {
  test('a missing folder throws, whatever is asked, and is not made again', async () => {
    await bucket.put('manifests/a.yaml', text('x'), '');
    await rename(root, `${root}-away`);
    const unavailable = { kind: 'unavailable', message: expect.stringMatching(/missing/) };
    await expect(bucket.head('manifests/a.yaml')).rejects.toMatchObject(unavailable);
    await expect(bucket.get('manifests/a.yaml')).rejects.toMatchObject(unavailable);
    await expect(bucket.list('manifests/')).rejects.toMatchObject(unavailable);
    await expect(bucket.delete('manifests/a.yaml')).rejects.toMatchObject(unavailable);
    await expect(bucket.put('manifests/b.yaml', text('x'), '')).rejects.toMatchObject(unavailable);
    await rename(`${root}-away`, root);
    expect(await content('manifests/a.yaml')).toBe('x');
  });

  test('a file in the place of the folder throws', async () => {
    await rm(root, { recursive: true });
    await writeFile(root, 'x');
    await expect(bucket.head('manifests/a.yaml')).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(bucket.list('')).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('what the system says becomes the failure that fits it', () => {
    const kind = (code: string) => folderFailure(Object.assign(new Error(code), { code }), '/x').kind;
    expect(['EACCES', 'EPERM', 'EROFS'].map(kind)).toEqual(['denied', 'denied', 'denied']);
    expect(['EIO', 'ENOSPC', 'EMFILE', 'ESTALE', 'ELOOP'].map(kind)).toEqual(Array(5).fill('unavailable'));
    expect(['ENAMETOOLONG', 'EISDIR'].map(kind)).toEqual(['invalid', 'conflict']);
  });

  test('a name that is too long for the disk is invalid', async () => {
    await expect(bucket.put(`manifests/${'n'.repeat(300)}.yaml`, text('x'), '')).rejects.toMatchObject({
      kind: 'invalid',
    });
  });

  test('an object below another object, or in the place of a folder, is a conflict', async () => {
    await bucket.put('manifests/a/b.yaml', text('x'), '');
    await expect(bucket.put('manifests/a', text('x'), '')).rejects.toMatchObject({ kind: 'conflict' });
    await expect(bucket.put('manifests/a/b.yaml/c.yaml', text('x'), '')).rejects.toMatchObject({ kind: 'conflict' });
    await bucket.delete('manifests/a');
    expect(await keys()).toEqual(['manifests/a/b.yaml']);
    expect(await readdir(join(root, '.tmp'))).toEqual([]);
  });
});

describe('temporary files', () => {
  test('they are hidden, on the same disk, gone after a put, and made again when somebody cleans up', async () => {
    await bucket.put('manifests/a.yaml', text('x'), '');
    expect(await readdir(join(root, '.tmp'))).toEqual([]);
    await rm(join(root, '.tmp'), { recursive: true });
    await bucket.put('manifests/b.yaml', text('x'), '');
    expect(await keys()).toEqual(['manifests/a.yaml', 'manifests/b.yaml']);
  });

  test('those of a process that died long ago are removed, younger ones are not', async () => {
    await mkdir(join(root, '.tmp'));
    for (const name of ['old', 'young']) await writeFile(join(root, '.tmp', name), 'x');
    await utimes(join(root, '.tmp', 'old'), Date.now() / 1_000 - 7_200, Date.now() / 1_000 - 7_200);
    await bucket.put('manifests/a.yaml', text('x'), '');
    expect(await readdir(join(root, '.tmp'))).toEqual(['young']);
  });
});

test('every acknowledged put is there, whole, after kill -9', async () => {
  const child = startChild('./folder-child.ts', [root]);
  await eventually(() => (child.lines.length > 100 ? true : undefined), 15_000);
  child.process.kill('SIGKILL');
  expect(await child.ended).toBe('SIGKILL');
  for (const key of child.lines) expect(await content(key)).toBe(key.repeat(100));
});

test('two openers of one folder see what the other puts and deletes', async () => {
  const other = folderManifests(root);
  await bucket.put('manifests/a.yaml', text('one'), '');
  expect((await other.get('manifests/a.yaml'))?.size).toBe(3);
  await other.put('manifests/a.yaml', text('three'), '');
  expect(await content('manifests/a.yaml')).toBe('three');
  await other.delete('manifests/a.yaml');
  expect(await content('manifests/a.yaml')).toBeUndefined();
});

test('renames and copies by hand are what they are', async () => {
  await bucket.put('manifests/a.yaml', text('a'), '');
  await copyFile(at('manifests/a.yaml'), at('manifests/b.yaml'));
  await rename(at('manifests/a.yaml'), at('manifests/c.yaml'));
  expect(await keys()).toEqual(['manifests/b.yaml', 'manifests/c.yaml']);
  await unlink(at('manifests/b.yaml'));
  expect(await bucket.head('manifests/b.yaml')).toBeUndefined();
  expect(await content('manifests/c.yaml')).toBe('a');
});

test('a file that changes while it is read is read again', async () => {
  const path = at('manifests/big.json');
  await writeFile(path, Buffer.alloc(48 * 1_048_576, 'a'));
  await pause(300);
  const [head] = await Promise.all([bucket.head('manifests/big.json'), pause(5).then(() => appendFile(path, 'b'))]);
  expect(head).toEqual(await folderManifests(root).head('manifests/big.json'));
  expect(head?.size).toBe(48 * 1_048_576 + 1);
});

test('a big file is hashed without being held in memory', async () => {
  const handle = await open(at('manifests/big.json'), 'w');
  await handle.truncate(64 * 1_048_576);
  await handle.close();
  expect((await bucket.head('manifests/big.json'))?.size).toBe(64 * 1_048_576);
  await expect(bucket.get('manifests/big.json', { maxBytes: 5_242_880 })).rejects.toMatchObject({ code: 'too-large' });
});
