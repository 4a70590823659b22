import { stat } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { watch } from 'chokidar';
import { Failure } from '../core/failure.ts';
import { OWNER_PREFIXES } from '../core/owner-key.ts';
import { segmentOf } from './folder-keys.ts';
import { codeOf, folderFailure } from './folder-root.ts';

/** A hint that an object may have come, changed or gone. It can be late, doubled, or missing: a reconcile pass sees all. */
export interface Change {
  readonly key: string;
  readonly kind: 'created' | 'removed';
}

export interface FolderWatch {
  close(): Promise<void>;
}

export interface WatchOptions {
  /** Told when watching fails; what it missed is found by the next reconcile pass. */
  readonly onFailure?: (failure: Failure) => void;
  /** Editors write, rename and touch in bursts: how long one is waited out, so that it gives one hint per object. Default 50. */
  readonly burstMs?: number;
  /** Of the owner prefixes, those that are watched; all by default. */
  readonly prefixes?: readonly string[];
}

const NAMING = 'naming.yaml';

/**
 * Watches the owner prefixes (made if they are missing) and `naming.yaml` in the folder `root`. Resolves when changes from
 * now on are seen. What is already there is not reported. Throws `Failure` when the folder cannot be watched.
 */
export async function watchFolder(
  root: string,
  onChange: (change: Change) => void,
  options: WatchOptions = {},
): Promise<FolderWatch> {
  const rootPath = resolve(root);
  const prefixes = options.prefixes ?? OWNER_PREFIXES;
  try {
    for (const prefix of OWNER_PREFIXES) await mkdir(join(rootPath, prefix), { recursive: true });
  } catch (thrown) {
    throw folderFailure(thrown, rootPath);
  }

  const bursts = new Map<string, NodeJS.Timeout>();
  const announce = (path: string): void => {
    const key = keyOf(rootPath, path, prefixes);
    if (key === undefined || bursts.has(key)) return;
    bursts.set(
      key,
      setTimeout(() => {
        bursts.delete(key);
        // The event's own word may be out of date by now.
        stat(path, (error) => {
          if (!closed) onChange({ key, kind: error === null ? 'created' : 'removed' });
        });
      }, options.burstMs ?? 50),
    );
  };

  // The whole root, so that a prefix folder that is removed and made again is noticed.
  const watcher = watch(rootPath, {
    ignoreInitial: true,
    followSymlinks: false,
    atomic: false,
    ignored: (path) => resolve(path) !== rootPath && keyOf(rootPath, path, prefixes) === undefined,
  });
  let closed = false;
  watcher.on('add', announce).on('change', announce).on('unlink', announce);
  watcher.on('error', (thrown) => options.onFailure?.(watchFailure(thrown, rootPath)));
  await new Promise<void>((done) => watcher.once('ready', () => done()));

  return {
    async close() {
      closed = true;
      for (const timer of bursts.values()) clearTimeout(timer);
      await watcher.close();
    },
  };
}

/** The key at a path; undefined for paths outside the prefixes and for droppings. Folders have keys here, too. */
function keyOf(root: string, path: string, prefixes: readonly string[]): string | undefined {
  const names = relative(root, path).split(sep);
  const [first] = names;
  const ours = prefixes.includes(`${first}/`) || (first === NAMING && names.length === 1);
  if (!ours) return undefined;
  const segments = names.map(segmentOf);
  return segments.includes(undefined) ? undefined : segments.join('/');
}

function watchFailure(thrown: unknown, root: string): Failure {
  const code = codeOf(thrown);
  if (code === 'ENOSPC') {
    const message = `Too many files to watch below ${root}; raise fs.inotify.max_user_watches. Reconcile passes go on.`;
    return new Failure('unavailable', message, { code, cause: thrown });
  }
  return folderFailure(thrown, root);
}
