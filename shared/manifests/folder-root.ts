import { accessSync, constants, lstatSync, statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { Failure, type FailureKind } from '../core/failure.ts';

/** The folder that is the bucket. Its checks keep trouble with the folder from looking like missing objects. */
export interface FolderRoot {
  /** Throws `unavailable` or `denied` unless the folder is there, readable, and on the disk it was on at first. */
  check(): Promise<void>;
  /**
   * The real path of what lies at `path`, links followed; undefined if there certainly is nothing: it was looked for twice, and in
   * between the folder was in order.
   * Throws `denied` for a link that leaves the folder and `unavailable` for one whose target is missing.
   */
  locate(path: string): Promise<string | undefined>;
}

export function folderRoot(root: string): FolderRoot {
  let device: bigint | undefined;
  let realRoot: string | undefined;

  // In one go: three looks that go out one after the other cost ten times as much, and a bucket without naming.yaml is asked at each turn.
  function check(): void {
    try {
      const found = statSync(root, { bigint: true });
      if (!found.isDirectory())
        throw new Failure('unavailable', `${root} is not a folder; put the bucket's folder there.`);
      accessSync(root, constants.R_OK | constants.X_OK);
      device ??= found.dev;
      // An empty mount point must not read as an emptied bucket.
      if (found.dev !== device) {
        throw new Failure(
          'unavailable',
          `${root} is not on the disk it was on; mount that again, or restart to use this one.`,
        );
      }
    } catch (thrown) {
      if (isAbsent(thrown))
        throw new Failure('unavailable', `The folder ${root} is missing; put it back.`, { cause: thrown });
      throw folderFailure(thrown, root);
    }
  }

  async function locate(path: string): Promise<string | undefined> {
    try {
      const real = await realpath(path);
      if (realRoot !== undefined && isInside(real, realRoot)) return real;
      // At first, or because the folder itself is a link that leads elsewhere by now.
      realRoot = await realpath(root);
      if (isInside(real, realRoot)) return real;
    } catch (thrown) {
      if (!isAbsent(thrown)) throw folderFailure(thrown, path);
      check();
      if (isLink(path)) {
        throw new Failure('unavailable', `${path} is a link to something that is missing; restore or remove it.`);
      }
      return undefined;
    }
    throw new Failure('denied', `${path} leads out of ${root}; replace the link by a copy.`);
  }

  return { check: async () => check(), locate };
}

/** Whether the link itself is there; what appeared only now is left to the next look, as if it had come a moment later. */
function isLink(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  } catch (thrown) {
    if (isAbsent(thrown)) return false;
    throw folderFailure(thrown, path);
  }
}

/** Whether a real path is a folder's or lies below it. */
export function isInside(real: string, folder: string): boolean {
  return real === folder || real.startsWith(folder + sep);
}

/** The nearest folder above `path` that exists, by its real path. */
export async function existingParent(root: FolderRoot, path: string): Promise<string> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const real = await root.locate(folder);
    if (real !== undefined) return real;
  }
}

/** There is nothing of that name: `ENOENT`, or `ENOTDIR` where a parent is a file. */
export function isAbsent(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

const KINDS: Readonly<Record<string, { readonly kind: FailureKind; readonly says: string }>> = {
  EACCES: { kind: 'denied', says: 'may not be accessed; give this user the right to' },
  EPERM: { kind: 'denied', says: 'may not be accessed; give this user the right to' },
  EROFS: { kind: 'denied', says: 'is on a read-only disk; mount it writable' },
  ENAMETOOLONG: { kind: 'invalid', says: 'has a name that is too long for this disk; shorten it' },
  EISDIR: { kind: 'conflict', says: 'is a folder, so no object can have that key; use another key' },
  ENOTEMPTY: { kind: 'conflict', says: 'is a folder, so no object can have that key; use another key' },
  ENOTDIR: { kind: 'conflict', says: 'would lie below an object, which a folder cannot hold; use another key' },
  EEXIST: { kind: 'conflict', says: 'would lie below an object, which a folder cannot hold; use another key' },
  ENOSPC: { kind: 'unavailable', says: 'could not be written, the disk is full; free some space' },
  EDQUOT: { kind: 'unavailable', says: "could not be written, this user's quota is used up; free some space" },
  EMFILE: { kind: 'unavailable', says: 'could not be opened, too many files are open; raise ulimit -n' },
  ELOOP: { kind: 'unavailable', says: 'is a link that leads back to itself; remove it' },
};

/** What the file system threw, as a Failure. */
export function folderFailure(thrown: unknown, path: string): Failure {
  if (thrown instanceof Failure) return thrown;
  const code = codeOf(thrown);
  const known = KINDS[code];
  if (known !== undefined) return new Failure(known.kind, `${path} ${known.says}.`, { code, cause: thrown });
  return new Failure('unavailable', `${path} could not be used (${code}); check the disk.`, { code, cause: thrown });
}

export function codeOf(thrown: unknown): string {
  return String((thrown as { readonly code?: unknown } | null | undefined)?.code ?? thrown);
}
