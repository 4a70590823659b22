import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type Runtime, startRuntime } from '../../local/runtime.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { memoryLog } from '../../shared/log.ts';
import { memoryMetrics } from '../../shared/metrics.ts';
import { readSettings } from '../../shared/settings.ts';

export interface DataphinHeld {
  readonly source: string;
  readonly target: string;
  readonly columns: readonly (readonly [string, string])[];
}

export interface DataArtsHeld {
  readonly jobId: string;
  readonly nodeName: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly columns: readonly (readonly [string, string])[];
}

export interface RecordedCall {
  readonly operation: string;
  readonly outcome: string;
  readonly request: unknown;
}

/** A runtime of its own in a temporary folder, with what a test asks of it. Ends with the test. */
export async function local(environment: Readonly<Record<string, string>> = {}, folder?: string) {
  const opened = await openLocal(environment, folder);
  onTestFinished(() => opened.end());
  return opened;
}

/** The same for more than one test: whoever opens it ends it. */
export async function openLocal(environment: Readonly<Record<string, string>> = {}, folder?: string) {
  const dataDir = folder ?? (await mkdtemp(join(tmpdir(), 'lineage-test-')));
  const log = memoryLog();
  const metrics = memoryMetrics(environment['DEPLOYMENT']);
  const settings = readSettings({
    PORT: '0',
    DATA_DIR: dataDir,
    VANISH_GRACE: '0.3',
    UNKNOWN_WAIT: '1',
    RECONCILE_EVERY: '3600',
    DRIFT_DETECT: '0',
    FLINK_SOURCE: 'off',
    ...environment,
  });
  const runtime: Runtime = await startRuntime(settings, { log, metrics });
  let closed = false;
  const close = async () => {
    if (!closed) await runtime.close();
    closed = true;
  };
  const end = async () => {
    await close();
    if (folder === undefined) await rm(dataDir, { recursive: true, force: true });
  };

  const url = (vendor: string, path: string) => `${runtime.vendors[vendor]}/_sandbox/${path}`;
  const read = async <T>(vendor: string, path: string): Promise<T> =>
    (await fetch(url(vendor, path))).json() as Promise<T>;
  const send = async (vendor: string, method: string, path: string, body?: unknown): Promise<void> => {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const answer = await fetch(url(vendor, path), { method, ...init });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  const path = (key: string) => join(runtime.bucket, key);

  return {
    runtime,
    log,
    /** What was told so far; an invocation tells when it ends. */
    told: metrics.told,
    dataDir,
    close,
    end,
    dataphin: () => read<DataphinHeld[]>('dataphin', 'lineage'),
    dataarts: () => read<DataArtsHeld[]>('dataarts', 'lineage'),
    calls: (vendor: string) => read<RecordedCall[]>(vendor, 'calls'),
    writes: async (vendor: string) =>
      (await read<RecordedCall[]>(vendor, 'calls')).filter((call) => /Register|CreateLineage/.test(call.operation)),
    forgetCalls: async () => {
      for (const vendor of Object.keys(runtime.vendors)) await send(vendor, 'DELETE', 'calls');
    },
    fault: (vendor: string, fault: object) => send(vendor, 'POST', 'faults', fault),
    clearFaults: (vendor: string) => send(vendor, 'DELETE', 'faults'),
    sandbox: send,
    async drop(key: string, text: string) {
      await mkdir(dirname(path(key)), { recursive: true });
      await writeFile(path(key), text);
    },
    remove: (key: string) => rm(path(key), { recursive: true }),
    async status(owner: string): Promise<StatusDocument | undefined> {
      try {
        return JSON.parse(await readFile(path(`status/${owner}.json`), 'utf8')) as StatusDocument;
      } catch {
        return undefined;
      }
    },
    async statusWhen(
      owner: string,
      done: (status: StatusDocument) => boolean,
      withinMs = 8_000,
    ): Promise<StatusDocument> {
      let last: StatusDocument | undefined;
      await until(
        async () => {
          last = await this.status(owner);
          return last !== undefined && done(last);
        },
        withinMs,
        () => `status of ${owner}: ${JSON.stringify(last)?.slice(0, 2_000)}`,
      );
      return last as StatusDocument;
    },
    request: (method: string, at: string, body?: string | Uint8Array, headers: Record<string, string> = {}) =>
      fetch(`${runtime.url}${at}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: body as string | Buffer<ArrayBuffer> }),
      }),
  };
}

export type Local = Awaited<ReturnType<typeof local>>;

export async function until(
  done: () => Promise<boolean>,
  withinMs = 8_000,
  what: () => string = () => 'condition',
): Promise<void> {
  const end = Date.now() + withinMs;
  while (Date.now() < end) {
    if (await done()) return;
    await sleep(25);
  }
  throw new Error(`not within ${withinMs} ms: ${what()}`);
}

export const outcomes = (status: StatusDocument, target?: string): string[] =>
  status.edges.filter((edge) => target === undefined || edge.target === target).map((edge) => edge.outcome);

/** A manifest of pairs between Dataphin tables (and DataArts ones of the same names). */
export function manifest(
  pairs: readonly (readonly [string, string])[],
  options: { targets?: readonly string[]; columns?: readonly string[] } = {},
): string {
  const { targets = ['dataphin'], columns = ['id'] } = options;
  const names = [...new Set(pairs.flat())];
  return JSON.stringify({
    version: 1,
    targets,
    datasets: Object.fromEntries(
      names.map((name) => [
        name,
        { dataphin: { guid: `odps.300000001.p.${name}` }, dataarts: { database: 'db', table: name } },
      ]),
    ),
    lineage: pairs.map(([from, to]) => ({
      from,
      to,
      columns: Object.fromEntries(columns.map((column) => [column, column])),
    })),
  });
}

/** `count` pairs `<prefix>0 -> <prefix>t0` … */
export const pairs = (prefix: string, count: number): [string, string][] =>
  Array.from({ length: count }, (_, index) => [`${prefix}${index}`, `${prefix}t${index}`]);
