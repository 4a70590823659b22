import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { checkSecretName, parseSecret, SECRET_BYTES } from './document.ts';
import type { Secrets } from './secrets.ts';

/** Anything beyond reading and writing by the owner. */
const TOO_OPEN = 0o177;

/**
 * Secrets as files, `<folder>/<name>.json` (`secrets/lineage/dataphin.json`), readable by their owner alone.
 * `denied` says which chmod to run; on Windows, which has no such modes, that check does not exist.
 */
export function fileSecrets(folder: string, platform: NodeJS.Platform = process.platform): Secrets {
  const root = resolve(folder);

  return {
    async get(name) {
      checkSecretName(name);
      const path = `${join(root, ...name.split('/'))}.json`;
      const handle = await openIfThere(path);
      if (handle === undefined) return undefined;
      try {
        return await readSecret(handle, path, platform);
      } catch (thrown) {
        throw fileFailure(thrown, path);
      } finally {
        await handle.close();
      }
    },

    async list(prefix) {
      const names: string[] = [];
      await collect(root, '', names);
      return names.filter((name) => name.startsWith(prefix)).sort();
    },
  };
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (thrown) {
    if (isAbsent(thrown)) return undefined;
    throw fileFailure(thrown, path);
  }
}

async function readSecret(handle: FileHandle, path: string, platform: NodeJS.Platform): Promise<JsonObject> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new Failure('invalid', `${path} is not a file; put the secret's JSON there.`);
  if (platform !== 'win32' && (stat.mode & TOO_OPEN) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
    throw new Failure('denied', `${path} has mode ${mode}, so others may read it; run: chmod 600 '${path}'`);
  }
  if (stat.size > SECRET_BYTES) {
    throw new Failure('invalid', `${path} is larger than ${SECRET_BYTES} bytes, which is no secret; shorten it.`);
  }
  return parseSecret(await handle.readFile('utf8'), path);
}

/** Adds the names of all secrets below `folder` to `names`; a folder that is not there holds none. */
async function collect(folder: string, prefix: string, names: string[]): Promise<void> {
  let entries: Awaited<ReturnType<typeof readEntries>>;
  try {
    entries = await readEntries(folder);
  } catch (thrown) {
    if (isAbsent(thrown)) return;
    throw fileFailure(thrown, folder);
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) await collect(join(folder, entry.name), `${prefix}${entry.name}/`, names);
    else if (entry.name.endsWith('.json')) names.push(`${prefix}${entry.name.slice(0, -'.json'.length)}`);
  }
}

function readEntries(folder: string) {
  return readdir(folder, { withFileTypes: true });
}

function isAbsent(thrown: unknown): boolean {
  const { code } = thrown as { readonly code?: unknown };
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function fileFailure(thrown: unknown, path: string): Failure {
  if (thrown instanceof Failure) return thrown;
  const code = String((thrown as { readonly code?: unknown }).code ?? 'unknown error');
  if (code === 'EACCES' || code === 'EPERM') {
    return new Failure('denied', `${path} may not be read; make the user that runs this its owner.`, { code });
  }
  return new Failure('unavailable', `${path} could not be read (${code}); check the disk and try again.`, { code });
}
