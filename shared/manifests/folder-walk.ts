import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareUtf8 } from '../ledger/keys.ts';
import { segmentOf } from './folder-keys.ts';
import { folderFailure, isAbsent, isInside } from './folder-root.ts';

export interface Found {
  readonly key: string;
  readonly path: string;
}

/**
 * Files below `folder` whose keys start with `prefix` and come after `after`, in UTF-8 byte order of their keys.
 * Only what is on the way is read, so a page costs its own folders. Links to folders are followed, except out of `folder`
 * and back to one that is being walked. Throws `Failure` when a folder cannot be read; one that is gone by now is empty.
 */
export async function* walkFolder(folder: string, prefix: string, after: string): AsyncGenerator<Found> {
  yield* walk({ path: folder, key: '' }, [], prefix, after);
}

interface Place {
  readonly path: string;
  /** Key of the folder with its slash; empty for the root. */
  readonly key: string;
}

async function* walk(place: Place, above: readonly string[], prefix: string, after: string): AsyncGenerator<Found> {
  const real = await realOf(place.path);
  if (real === undefined || above.includes(real) || !isInside(real, above[0] ?? real)) return;
  for (const entry of await entriesOf(place)) {
    // Everything below a folder starts with its key, so this skips whole folders.
    if (entry.folder ? !mayHold(entry.key, prefix) : !entry.key.startsWith(prefix)) continue;
    const later = compareUtf8(entry.key, after) > 0;
    if (entry.folder && (later || after.startsWith(entry.key))) {
      yield* walk(entry, [...above, real], prefix, after);
    } else if (!entry.folder && later) {
      yield { key: entry.key, path: entry.path };
    }
  }
}

function mayHold(folderKey: string, prefix: string): boolean {
  return folderKey.startsWith(prefix) || prefix.startsWith(folderKey);
}

interface Entry extends Place {
  readonly folder: boolean;
}

/** What a folder holds of the bucket, in key order: a folder sorts as its name with a slash. */
async function entriesOf(place: Place): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (const found of await read(place.path)) {
    const segment = segmentOf(found.name);
    if (segment === undefined) continue;
    const path = join(place.path, found.name);
    const folder = found.isSymbolicLink() ? await leadsToFolder(path) : found.isDirectory();
    if (!folder && !found.isFile() && !found.isSymbolicLink()) continue;
    entries.push({ path, key: `${place.key}${segment}${folder ? '/' : ''}`, folder });
  }
  return entries.sort((a, b) => compareUtf8(a.key, b.key));
}

async function read(path: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (thrown) {
    if (isAbsent(thrown)) return [];
    throw folderFailure(thrown, path);
  }
}

async function realOf(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (thrown) {
    if (isAbsent(thrown)) return undefined;
    throw folderFailure(thrown, path);
  }
}

/** A link that leads nowhere is listed as an object: asking for it tells what is wrong. */
async function leadsToFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
