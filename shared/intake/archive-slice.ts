import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import pMap, { pMapIterable } from 'p-map';
import { digest } from '../core/digest.ts';
import type { Manifests } from '../manifests/manifests.ts';
import type { Services } from '../wiring.ts';
import { BATCHES } from './archive.ts';
import { archivedLines } from './archive-read.ts';
import type { Slice, Turn } from './archive-window.ts';

export interface SliceLimits {
  /** Objects in one slice. */
  readonly objects: number;
  /** Bytes of them, as they are stored; a larger object is a slice of its own. */
  readonly bytes: number;
}

const AT_ONCE = 8;
const CHUNK_CHARACTERS = 65_536;

/** A window's objects behind `after`, in slices. */
export async function* slicesOf(
  prefix: string,
  after: string | undefined,
  limits: SliceLimits,
  manifests: Manifests,
): AsyncGenerator<Slice> {
  let names: string[] = [];
  let bytes = 0;
  const slice = (): Slice => ({ names, through: names.at(-1) ?? '' });
  let last = after === undefined ? undefined : `${prefix}${after}`;
  do {
    const page = await manifests.list(prefix, {
      limit: limits.objects,
      ...(last === undefined ? {} : { after: last }),
    });
    for (const { key, size } of page.items) {
      if (names.length >= limits.objects || (names.length > 0 && bytes + size > limits.bytes)) {
        yield slice();
        names = [];
        bytes = 0;
      }
      names.push(key.slice(prefix.length));
      bytes += size;
    }
    last = page.next;
  } while (last !== undefined);
  if (names.length > 0) yield slice();
}

/** `late`: time was up before its batch was written, or before all of its objects were removed. `lost`: another run has taken over. */
export type Finished = 'done' | 'late' | 'lost';

/**
 * Writes the batch of a slice that the turn has written down, then removes its objects. A batch is named after its objects and written
 * only with all of them, so that writing it twice changes nothing, and only what stands in one is removed. What can never be read stays
 * where it is. `found`: another run has begun this slice.
 */
export async function finishSlice(
  slice: Slice,
  found: boolean,
  turn: Turn,
  services: Services,
  late: () => boolean,
): Promise<Finished> {
  const { manifests } = services.deps;
  const batch = batchKey(turn.window, slice.names);
  let { names } = slice;
  if (!slice.stored && !(found && (await manifests.head(batch)))) {
    const read = await readAll(turn.prefix, names, services, late);
    if (read === undefined) return 'late';
    // Whoever removes objects has written their batch before.
    const elsewhere = read.gone && (await manifests.head(batch)) !== undefined;
    if (!elsewhere) {
      if (read.names.length < names.length) {
        names = read.names;
        if (!(await turn.save({ ...turn.state(), slice: { ...slice, names } }))) return 'lost';
      }
      if (names.length > 0) await manifests.put(batchKey(turn.window, names), read.zipped, 'application/gzip');
    }
  }
  const left = await removeAll(turn.prefix, names, manifests, late);
  if (left.length === 0) return 'done';
  return (await turn.save({ ...turn.state(), slice: { ...slice, names: left, stored: true } })) ? 'late' : 'lost';
}

const batchKey = (window: string, names: readonly string[]): string =>
  `${BATCHES}${window}-${digest(names.join('\n'))}.jsonl.gz`;

interface Read {
  /** Objects whose lines are in `zipped`. */
  readonly names: readonly string[];
  readonly zipped: Uint8Array;
  /** Some were no longer there. */
  readonly gone: boolean;
}

/** Each line once, in the order of the names. Undefined when time was up. */
async function readAll(
  prefix: string,
  names: readonly string[],
  services: Services,
  late: () => boolean,
): Promise<Read | undefined> {
  const good: string[] = [];
  const seen = new Set<string>();
  let gone = false;
  let stopped = false;
  const reading = pMapIterable(
    names,
    async (name) => (late() ? ('late' as const) : { name, lines: await archivedLines(`${prefix}${name}`, services) }),
    { concurrency: AT_ONCE },
  );
  // Compressing a line at a time would take several times as long.
  let text = '';
  const take = () => {
    const taken = text;
    text = '';
    return taken;
  };
  async function* fresh(): AsyncGenerator<string> {
    for await (const each of reading) {
      if (each === 'late') {
        stopped = true;
        return;
      }
      if (each.lines === undefined) gone = true;
      if (each.lines === undefined || each.lines === 'unreadable') continue;
      good.push(each.name);
      const news = each.lines.filter((line) => {
        const id = digest(line);
        return !seen.has(id) && seen.add(id);
      });
      text += news.map((line) => `${line}\n`).join('');
      if (text.length >= CHUNK_CHARACTERS) yield take();
    }
    yield take();
  }
  const zipped = await pipeline(fresh(), createGzip(), (bytes) => buffer(bytes));
  return stopped ? undefined : { names: good, zipped, gone };
}

/** Those that there was no time for. */
async function removeAll(
  prefix: string,
  names: readonly string[],
  manifests: Manifests,
  late: () => boolean,
): Promise<readonly string[]> {
  const left = await pMap(
    names,
    async (name) => {
      if (late()) return name;
      await manifests.delete(`${prefix}${name}`);
      return undefined;
    },
    { concurrency: AT_ONCE },
  );
  return left.filter((name) => name !== undefined);
}
