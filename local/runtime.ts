import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { asFailure } from '../shared/core/failure.ts';
import type { JsonObject } from '../shared/core/json.ts';
import type { Log } from '../shared/log.ts';
import type { Metrics } from '../shared/metrics.ts';
import type { Settings } from '../shared/settings.ts';
import { notedReason } from '../shared/triggers/letter.ts';
import { type EmbeddedServices, embeddedServices } from '../shared/wiring.ts';
import { entries } from './entries.ts';
import { startHost } from './host.ts';
import { invocation } from './invocation.ts';
import { FAILED_PASS } from './letters.ts';
import { ensureLinksKey } from './links-key.ts';
import { lockDataDir } from './lock.ts';
import { startNotifier } from './notifier.ts';
import { manifestParser } from './parser.ts';
import { startDataArts } from './simulators/dataarts/index.ts';
import { startDataphin } from './simulators/dataphin/index.ts';
import { startFlink } from './simulators/flink/index.ts';
import type { Simulator } from './simulators/simulator.ts';
import { startWorker } from './worker.ts';

export interface Runtime {
  readonly url: string;
  /** Folder to drop manifests into (below `manifests/`). */
  readonly bucket: string;
  readonly vendors: Readonly<Record<string, string>>;
  readonly services: EmbeddedServices;
  /** Runs one reconcile pass now. */
  reconcile(): Promise<void>;
  /**
   * Serves until everything else has stopped, then answers what came. `pauseMs`: how long connections without a request are left open
   * then; default 0.
   */
  close(pauseMs?: number): Promise<void>;
}

const RECONCILE_TIMEOUT_MS = 110_000;

/** All functions on this machine: HTTP host, bucket notifications, queue worker, schedule, and simulators for vendors without a secret. */
export async function startRuntime(
  settings: Settings,
  options: { readonly log?: Log; readonly metrics?: Metrics } = {},
): Promise<Runtime> {
  const dataDir = resolve(settings.dataDir);
  const closing: ((pauseMs: number) => Promise<void> | void)[] = [];
  const close = async (pauseMs = 0) => {
    for (const step of closing.reverse()) await step(pauseMs);
  };
  try {
    const lock = lockDataDir(dataDir);
    closing.push(() => lock.release());
    // A process that was killed has left it: until it is written anew, nobody is to be found here.
    await rm(join(dataDir, 'runtime.json'), { force: true });
    await ensureLinksKey(join(dataDir, 'secrets'));
    const simulators = await startSimulators(dataDir);
    closing.push(async () => {
      await Promise.all(simulators.map((each) => each.close()));
    });
    const simulated = Object.fromEntries(simulators.map((each) => [each.name, each.secret()]));
    const parser = manifestParser();
    closing.push(() => parser.close());
    const services = await embeddedServices(
      { ...settings, dataDir },
      {
        simulated,
        parse: parser.parse,
        lines: parser.lines,
        ...(options.log ? { log: options.log } : {}),
        ...(options.metrics ? { metrics: options.metrics } : {}),
      },
    );
    closing.push(() => services.close());
    await services.queue.releaseHeld();
    // First to serve, last to stop: callers may wait for a short time only.
    const host = await startHost(
      entries,
      services,
      settings.listenFd === undefined ? settings.port : { fd: settings.listenFd },
    );
    closing.push((pauseMs) => host.close(pauseMs));

    const worker = startWorker(
      services.queue,
      entries['register-worker'].open(services),
      (id) => notedReason(id, services.ledger),
      (failure) => services.log.error('the queue stands still; it is tried again', { reason: failure.message }),
    );
    closing.push(() => worker.close());
    const notifier = await startNotifier(services, entries['register-bucket'].open(services));
    closing.push(() => notifier.close());
    const schedule = entries['scheduled-reconcile'].open(services);
    const reconcile = async () => {
      await schedule({}, invocation('scheduled-reconcile', RECONCILE_TIMEOUT_MS, `pass-${Date.now()}`)).catch(
        async (thrown: unknown) => {
          await services.queue.bury(JSON.stringify({ kind: FAILED_PASS }), asFailure(thrown).message);
          throw thrown;
        },
      );
      // What a table's time to live does in AWS.
      await services.ledger.sweep(Math.floor(Date.now() / 1_000));
    };
    closing.push(every(settings.reconcileEveryMs, reconcile, services.log));

    const vendors = Object.fromEntries(simulators.map((each) => [each.name, each.url]));
    const runtime = { url: host.url, bucket: services.bucket, vendors };
    await writeRuntimeFile(dataDir, { ...runtime, pid: process.pid });
    closing.push(() => rm(join(dataDir, 'runtime.json'), { force: true }));
    return { ...runtime, services, reconcile, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function startSimulators(dataDir: string): Promise<Simulator[]> {
  const folder = join(dataDir, 'simulators');
  await mkdir(folder, { recursive: true });
  return Promise.all([
    startDataphin({ stateFile: join(folder, 'dataphin.jsonl') }),
    startDataArts({ stateFile: join(folder, 'dataarts.jsonl') }),
    startFlink({ stateFile: join(folder, 'flink.jsonl') }),
  ]);
}

/** Runs at once, then at intervals; never twice at a time. */
function every(intervalMs: number, run: () => Promise<void>, log: Log): () => Promise<void> {
  let closed = false;
  let wake: () => void = () => {};
  const loop = (async () => {
    while (!closed) {
      await run().catch((thrown: unknown) =>
        log.warn('pass failed; the next one tries again', { reason: String(thrown) }),
      );
      if (closed) return;
      await new Promise<void>((done) => {
        const timer = setTimeout(done, intervalMs);
        wake = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
  })();
  return async () => {
    closed = true;
    wake();
    await loop;
  };
}

async function writeRuntimeFile(dataDir: string, content: JsonObject): Promise<void> {
  const path = join(dataDir, 'runtime.json');
  await writeFile(`${path}.tmp`, `${JSON.stringify(content, null, 2)}\n`);
  await rename(`${path}.tmp`, path);
}
