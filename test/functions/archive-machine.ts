import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { putTogether, type RunLimits } from '../../shared/intake/archive-batch.ts';
import { compareUtf8 } from '../../shared/ledger/keys.ts';
import type { Manifests } from '../../shared/manifests/manifests.ts';
import type { Services } from '../../shared/wiring.ts';
import { machine } from './wire-machine.ts';

export const WINDOW = '2026-11-20/02-10';
export const PREFIX = `archive/new/${WINDOW}/`;
export const LIMITS: RunLimits = { objects: 4, bytes: 1_000_000, slices: 3, runMs: 60_000 };
export const NO_DEADLINE = Number.MAX_SAFE_INTEGER;

/** One archived event as it is written. */
export const line = (n: number): string =>
  JSON.stringify({ at: '2026-11-20T02:10:00.000Z', event: { n, text: randomBytes(20).toString('hex') } });

/** What a test sees of each call, and puts in its way. */
export interface Between {
  before?(what: string): Promise<void>;
  after?(what: string): Promise<void>;
}

/** A window of small objects in memory, and the services of a process that works on it. */
export function archiveMachine(count: number) {
  const { services, objects, log } = machine();
  const lines = Array.from({ length: count }, (_, n) => line(n));
  for (const [n, text] of lines.entries()) objects.set(`${PREFIX}${String(n).padStart(6, '0')}`, gzipSync(`${text}\n`));
  const sent: { readonly message: object; readonly delayMs: number }[] = [];
  const size = (key: string) => objects.get(key)?.byteLength ?? 0;
  const manifests: Manifests = {
    ...services.deps.manifests,
    async list(prefix, { after = '', limit = 1_000 } = {}) {
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && compareUtf8(key, after) > 0);
      const shown = keys.sort(compareUtf8).slice(0, limit);
      const items = shown.map((key) => ({ key, etag: '', size: size(key) }));
      const last = shown.at(-1);
      return { items, ...(keys.length > shown.length && last !== undefined ? { next: last } : {}) };
    },
  };
  const queue = {
    send: async (message: object, { delayMs = 0 }: { readonly delayMs?: number } = {}) => {
      sent.push({ message, delayMs });
    },
    sendMany: async () => {},
  };

  /** A process: its own life, the same stores. */
  function process(between: Between = {}, more: Partial<Services['deps']> = {}): Services {
    const watched = <Port extends object>(name: string, port: Port): Port =>
      Object.fromEntries(
        Object.entries(port).map(([method, call]) => [
          method,
          async (...given: unknown[]) => {
            await between.before?.(`${name}.${method}`);
            const answer: unknown = await (call as (...given: unknown[]) => unknown)(...given);
            await between.after?.(`${name}.${method}`);
            return answer;
          },
        ]),
      ) as Port;
    const deps = {
      ...services.deps,
      // No lease of another life counts, as after a restart.
      alive: () => false,
      ledger: watched('ledger', services.deps.ledger),
      manifests: watched('manifests', manifests),
      queue: watched('queue', queue),
      ...more,
    };
    return { ...services, deps } as unknown as Services;
  }

  return {
    process,
    objects,
    log,
    lines,
    sent,
    ledger: services.deps.ledger,
    /** Every message that is waiting, until none is; the number of runs. */
    async drain(on: Services, deadlineMs = NO_DEADLINE, limits = LIMITS): Promise<number> {
      let runs = 0;
      while (sent.length > 0) {
        sent.shift();
        runs += 1;
        if (runs > 1_000) throw new Error('never done');
        await putTogether(WINDOW, on, deadlineMs, limits);
      }
      return runs;
    },
    left: () => [...objects.keys()].filter((key) => key.startsWith('archive/new/')),
    batches: () => [...objects.keys()].filter((key) => key.startsWith('archive/batches/')),
    /** Lines of all batches, in order of their text. */
    archived(): string[] {
      return this.batches()
        .flatMap((key) =>
          gunzipSync(objects.get(key) ?? '')
            .toString('utf8')
            .split('\n'),
        )
        .filter((text) => text !== '')
        .sort();
    },
  };
}
