import { randomUUID } from 'node:crypto';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../core/failure.ts';
import { pageSize } from '../ledger/keys.ts';
import type { Page } from '../ledger/ledger.ts';
import { checkKey, checkPrefix, pathOf } from './folder-keys.ts';
import { type Clock, etagOf, fileReader } from './folder-read.ts';
import { codeOf, existingParent, folderFailure, folderRoot, isAbsent, isInside } from './folder-root.ts';
import { folderSyncs } from './folder-sync.ts';
import { type Found, walkFolder } from './folder-walk.ts';
import type { Manifests, ObjectHead } from './manifests.ts';

export interface FolderOptions extends Partial<Clock> {
  /** Makes the name of a temporary file; a random one by default. */
  readonly uniqueName?: () => string;
}

/** On the same file system as everything else, and hidden: no key, no event. */
const TEMPORARY = '.tmp';
/** A temporary file this old belongs to a process that died. */
const ABANDONED_MS = 3_600_000;
const HEADS_AT_ONCE = 8;
/** Listings that are in the middle of a folder, so that the next page goes on there; a page from the start would read it again. */
const OPEN_LISTINGS = 4;
const LISTING_MS = 60_000;

/**
 * A folder as a bucket. The folder must exist (`unavailable` otherwise, never "nothing there"); folders below it are made
 * as needed. Droppings of editors are not objects (folder-keys.ts), links that lead out of the folder are refused, and a
 * file that somebody is still writing is waited for (up to 10 s, then `unavailable`). `contentType` is not kept.
 *
 * `list` does not wait: while a file changes, or if it cannot be read, its etag there starts with `~`; `head` gives the
 * real one, or says what is wrong. A key below another object's key (`a.yaml/b.yaml`) is a `conflict`.
 */
export function folderManifests(folder: string, options: FolderOptions = {}): Manifests {
  const { now = Date.now, uniqueName = randomUUID } = options;
  const rootPath = resolve(folder);
  const root = folderRoot(rootPath);
  const files = fileReader({ now, sleep: options.sleep ?? ((ms) => sleep(ms)) });
  const syncFolder = folderSyncs();
  const durableFolders = new Set<string>();
  const listings = new Map<
    string,
    { readonly walk: AsyncGenerator<Found>; readonly first: Found; readonly at: number }
  >();
  let temporaryReady: Promise<string> | undefined;

  /** Runs `look` at the file of `key`, twice if it goes away meanwhile: in between, the folder was seen to be in order. */
  async function find<T>(key: string, look: (path: string) => Promise<T | undefined>): Promise<T | undefined> {
    checkKey(key);
    const path = pathOf(rootPath, key);
    for (const last of [false, true]) {
      const real = await root.locate(path);
      if (real === undefined) return undefined;
      const found = await look(real);
      if (found !== undefined || last) return found;
    }
    return undefined;
  }

  async function temporaryFolder(): Promise<string> {
    const path = join(rootPath, TEMPORARY);
    try {
      await mkdir(path);
    } catch (thrown) {
      if (codeOf(thrown) !== 'EEXIST') throw thrown;
    }
    await removeAbandoned(path, now());
    return path;
  }

  /** A new file under a name of its own; the folder for it is made again if somebody has cleaned it away. */
  async function openTemporary(): Promise<{ readonly path: string; readonly handle: FileHandle }> {
    for (const last of [false, true]) {
      temporaryReady ??= temporaryFolder();
      try {
        const path = join(await temporaryReady, uniqueName());
        return { path, handle: await open(path, 'wx') };
      } catch (thrown) {
        temporaryReady = undefined;
        if (last || !isAbsent(thrown)) throw thrown;
      }
    }
    throw new Failure('unavailable', `${rootPath} has no place for temporary files; try again.`);
  }

  /** A complete file on disk, not yet in its place, with its handle still open. */
  async function writeTemporary(bytes: Uint8Array): Promise<{ readonly path: string; readonly handle: FileHandle }> {
    const { path, handle } = await openTemporary();
    try {
      await handle.writeFile(bytes);
      await handle.sync();
      return { path, handle };
    } catch (thrown) {
      await handle.close();
      await rm(path, { force: true });
      throw thrown;
    }
  }

  /** Makes the folder of an object, and sees to it that it survives a power cut. */
  async function makeFolder(path: string): Promise<string> {
    await existingParent(root, path);
    const created = await mkdir(dirname(path), { recursive: true });
    if (created !== undefined) durableFolders.clear();
    const real = await existingParent(root, path);
    await syncAbove(real);
    return real;
  }

  async function syncAbove(real: string): Promise<void> {
    const top = (await root.locate(rootPath)) ?? rootPath;
    for (let at = real; at !== top && isInside(at, top) && !durableFolders.has(at); at = dirname(at)) {
      await syncFolder(dirname(at));
      durableFolders.add(at);
    }
  }

  async function headOf(found: Found): Promise<ObjectHead | undefined> {
    try {
      const real = await root.locate(found.path);
      const content = real === undefined ? undefined : await files.glance(real);
      return content === undefined ? undefined : { key: found.key, ...content };
    } catch {
      // One bad link must not hide all other objects: whoever asks for it will be told what is wrong.
      return { key: found.key, etag: '~', size: 0 };
    }
  }

  /** Where an earlier page of this listing stopped, if that was a moment ago; for one caller only. */
  function resumed(prefix: string, after: string | undefined) {
    const place = JSON.stringify([prefix, after]);
    const listing = listings.get(place);
    listings.delete(place);
    return listing !== undefined && now() - listing.at < LISTING_MS ? listing : undefined;
  }

  function suspend(prefix: string, after: string, walk: AsyncGenerator<Found>, first: Found): void {
    listings.set(JSON.stringify([prefix, after]), { walk, first, at: now() });
    const [oldest] = listings.keys();
    if (listings.size > OPEN_LISTINGS && oldest !== undefined) listings.delete(oldest);
  }

  return {
    async head(key) {
      const content = await find(key, (path) => files.head(path));
      return content === undefined ? undefined : { key, ...content };
    },

    async get(key, reading = {}) {
      const content = await find(key, (path) => files.read(path, key, reading.maxBytes));
      return content === undefined ? undefined : { key, ...content };
    },

    async put(key, bytes) {
      checkKey(key);
      const path = pathOf(rootPath, key);
      // The caller may change its bytes while this waits.
      const copy = new Uint8Array(bytes);
      const content = { etag: etagOf(copy), size: copy.length };
      await root.check();
      try {
        const temporary = await writeTemporary(copy);
        try {
          const parent = await makeFolder(path);
          await rename(temporary.path, path);
          await files.remember(join(parent, basename(path)), temporary.handle, content);
          await syncFolder(parent);
        } finally {
          await temporary.handle.close();
          await rm(temporary.path, { force: true });
        }
      } catch (thrown) {
        throw folderFailure(thrown, path);
      }
      return { key, ...content };
    },

    async delete(key) {
      checkKey(key);
      await root.check();
      const path = pathOf(rootPath, key);
      const parent = await root.locate(dirname(path));
      if (parent === undefined) return;
      try {
        await unlinkIfThere(path);
        files.forget(join(parent, basename(path)));
        // Also when it was gone already: an earlier attempt may have failed just here.
        await syncFolder(parent);
      } catch (thrown) {
        throw folderFailure(thrown, path);
      }
      await root.check();
    },

    async list(prefix, page = {}): Promise<Page<ObjectHead>> {
      checkPrefix(prefix);
      const limit = pageSize(page.limit);
      await root.check();
      const before = resumed(prefix, page.after);
      const walk = before?.walk ?? walkFolder(rootPath, prefix, page.after ?? '');
      const found: Found[] = before === undefined ? [] : [before.first];
      while (found.length <= limit) {
        const { value, done } = await walk.next();
        if (done === true) break;
        found.push(value);
      }
      const shown = found.slice(0, limit);
      const items = (await mapSome(shown, headOf)).filter((head) => head !== undefined);
      // Again: the folder may have gone while it was walked, which would look like an empty one.
      await root.check();
      const last = shown.at(-1);
      const first = found[limit];
      if (first === undefined || last === undefined) return { items };
      suspend(prefix, last.key, walk, first);
      return { items, next: last.key };
    },
  };
}

/** A folder of that name is no object, so there is nothing to remove then either. */
async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (thrown) {
    if (isAbsent(thrown)) return;
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) throw thrown;
  }
}

async function removeAbandoned(folder: string, nowMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    try {
      if (nowMs - (await stat(path)).mtimeMs > ABANDONED_MS) await rm(path, { force: true, recursive: true });
    } catch (thrown) {
      // Another process moved it into place or removed it first.
      if (!isAbsent(thrown)) throw thrown;
    }
  }
}

/** Like `Promise.all(items.map(use))`, a few at a time. */
async function mapSome<T, R>(items: readonly T[], use: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += HEADS_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(at, at + HEADS_AT_ONCE).map(use))));
  }
  return results;
}
