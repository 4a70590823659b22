import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { Failure } from '../core/failure.ts';
import { folderFailure, isAbsent } from './folder-root.ts';
import { tooLarge } from './manifests.ts';

export interface Clock {
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** People copy big files in place: one that changed less than this ago may be half there. */
const STABLE_MS = 250;
/** How long a reader waits for a file to become stable. */
const PATIENCE_MS = 10_000;
/** Etags kept at most; the oldest go first and cost one more reading. */
const KEPT_ETAGS = 200_000;
const CHUNK_BYTES = 1_048_576;

export interface Content {
  readonly etag: string;
  readonly size: number;
}

/**
 * Files by their real path, read whole and only when complete. Etags are remembered by what `stat` says about the file, so
 * an unchanged file costs one `stat`.
 */
export interface FileReader {
  /** undefined: there is no such file (a folder counts as none). */
  head(path: string): Promise<Content | undefined>;
  /** `key` is what messages call the file. */
  read(
    path: string,
    key: string,
    maxBytes: number | undefined,
  ): Promise<(Content & { readonly bytes: Uint8Array }) | undefined>;
  /** Without waiting: the known or freshly computed etag of a stable file, otherwise one that starts with `~`. */
  glance(path: string): Promise<Content | undefined>;
  /** What we wrote ourselves and renamed into place is complete: `handle` is still open on it. */
  remember(path: string, handle: FileHandle, content: Content): Promise<void>;
  forget(path: string): void;
}

interface Kept {
  readonly print: string;
  readonly etag: string;
}

export function fileReader(clock: Clock): FileReader {
  const kept = new Map<string, Kept>();

  function keep(path: string, print: string, etag: string): void {
    kept.delete(path);
    kept.set(path, { print, etag });
    const oldest = kept.keys().next();
    if (kept.size > KEPT_ETAGS && oldest.done !== true) kept.delete(oldest.value);
  }

  function known(path: string, found: BigIntStats): Content | undefined {
    const entry = kept.get(path);
    return entry?.print === fingerprint(found) ? { etag: entry.etag, size: Number(found.size) } : undefined;
  }

  async function find(path: string): Promise<BigIntStats | undefined> {
    try {
      return await statFile(path);
    } catch (thrown) {
      if (!isAbsent(thrown)) throw folderFailure(thrown, path);
      kept.delete(path);
      return undefined;
    }
  }

  /** The file's stat once it is complete, as far as one can tell from outside. */
  async function settled(path: string, deadlineMs: number): Promise<BigIntStats | undefined> {
    let found = await find(path);
    while (found !== undefined && known(path, found) === undefined && ageMs(found, clock.now()) < STABLE_MS) {
      if (clock.now() >= deadlineMs) throw stillChanging(path);
      await clock.sleep(STABLE_MS);
      const again = await find(path);
      // Also true for a file from the future, after the clock was set back: it has kept still for as long as it must.
      if (again !== undefined && fingerprint(again) === fingerprint(found)) return again;
      found = again;
    }
    return found;
  }

  /** Runs `consume` on the complete file, and again when the file changed meanwhile. */
  async function consume<T>(path: string, use: (handle: FileHandle, found: BigIntStats) => Promise<T>) {
    const deadlineMs = clock.now() + PATIENCE_MS;
    for (;;) {
      const found = await settled(path, deadlineMs);
      if (found === undefined) return undefined;
      const result = await unchanged(path, found, use);
      if (result !== undefined) return { found, result };
      if (clock.now() >= deadlineMs) throw stillChanging(path);
    }
  }

  return {
    async head(path) {
      const at = await find(path);
      if (at === undefined) return undefined;
      const content = known(path, at);
      if (content !== undefined) return content;
      const done = await consume(path, hashOf);
      if (done === undefined) return undefined;
      keep(path, fingerprint(done.found), done.result);
      return { etag: done.result, size: Number(done.found.size) };
    },

    async read(path, key, maxBytes) {
      const done = await consume(path, async (handle, found) => {
        if (maxBytes !== undefined && found.size > maxBytes) throw tooLarge(key, Number(found.size), maxBytes);
        const bytes = await handle.readFile();
        return { etag: etagOf(bytes), bytes };
      });
      if (done === undefined) return undefined;
      keep(path, fingerprint(done.found), done.result.etag);
      return { ...done.result, size: done.result.bytes.length };
    },

    async glance(path) {
      const found = await find(path);
      if (found === undefined) return undefined;
      const content = known(path, found);
      if (content !== undefined) return content;
      const size = Number(found.size);
      const passing = { etag: `~${createHash('sha256').update(fingerprint(found)).digest('hex').slice(0, 31)}`, size };
      if (ageMs(found, clock.now()) < STABLE_MS) return passing;
      try {
        const etag = await unchanged(path, found, hashOf);
        if (etag === undefined) return passing;
        keep(path, fingerprint(found), etag);
        return { etag, size };
      } catch {
        // One file that cannot be read must not hide all others: whoever asks for it will be told why.
        return passing;
      }
    },

    async remember(path, handle, content) {
      const found = await handle.stat({ bigint: true });
      if (Number(found.size) === content.size) keep(path, fingerprint(found), content.etag);
    },

    forget(path) {
      kept.delete(path);
    },
  };
}

/** The first 32 hex digits of the content's SHA-256. */
export function etagOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** `use` of the file at `path` if it is, before and after, the one that was `found`; otherwise undefined. */
async function unchanged<T>(
  path: string,
  found: BigIntStats,
  use: (handle: FileHandle, found: BigIntStats) => Promise<T>,
): Promise<T | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (thrown) {
    if (isAbsent(thrown)) return undefined;
    throw folderFailure(thrown, path);
  }
  try {
    if (fingerprint(await handle.stat({ bigint: true })) !== fingerprint(found)) return undefined;
    const result = await use(handle, found);
    return fingerprint(await handle.stat({ bigint: true })) === fingerprint(found) ? result : undefined;
  } catch (thrown) {
    throw folderFailure(thrown, path);
  } finally {
    await handle.close();
  }
}

async function hashOf(handle: FileHandle, found: BigIntStats): Promise<string> {
  const hash = createHash('sha256');
  // Most files are small: a large buffer for each would cost more than reading them.
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Number(found.size) + 1));
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length);
    if (bytesRead === 0) return hash.digest('hex').slice(0, 32);
    hash.update(chunk.subarray(0, bytesRead));
  }
}

/** undefined for a folder; throws for pipes, sockets and devices, which would block a reader. */
async function statFile(path: string): Promise<BigIntStats | undefined> {
  const found = await stat(path, { bigint: true });
  if (found.isFile()) return found;
  if (found.isDirectory()) return undefined;
  throw new Failure('unavailable', `${path} is neither a file nor a folder; remove it.`);
}

function fingerprint(found: BigIntStats): string {
  return `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
}

/** Milliseconds since the last change; ctime, because copying programs set mtime back. Negative ages are new, too. */
function ageMs(found: BigIntStats, nowMs: number): number {
  return nowMs - Number(found.ctimeNs / 1_000_000n);
}

function stillChanging(path: string): Failure {
  return new Failure('unavailable', `${path} keeps changing; it is read once it has been still for ${STABLE_MS} ms.`);
}
