import { isOwnerKey, OWNER_PREFIXES } from '../shared/core/owner-key.ts';
import type { Manifests } from '../shared/manifests/manifests.ts';
import { watchFolder } from '../shared/manifests/watch.ts';
import type { QueueHandler } from '../shared/triggers/queue.ts';
import type { EmbeddedServices } from '../shared/wiring.ts';
import { invocation } from './invocation.ts';
import { sqsEvent } from './worker.ts';

const TIMEOUT_MS = 60_000;
const AGAIN_MS = 1_000;

/** How often the folder is compared with what was announced: the watcher of the system may miss a change. */
const SWEEP_MS = 1_000;

const AT_ONCE = 32;

/**
 * Only this process writes here, thousands of files into one folder: each would have the watcher read all of that folder again. What
 * somebody drops here by hand, the sweep finds.
 */
const OWN_PREFIX = 'openlineage/';

interface Waiting {
  readonly key: string;
  readonly id: string;
  readonly body: string;
}

/**
 * Tells the bucket function of every change in the folder, as S3 does through its queue. What the system's watcher misses, a sweep
 * of the folder finds; what both miss, or the function fails on, the next reconcile pass.
 */
export async function startNotifier(
  services: EmbeddedServices,
  handler: QueueHandler,
): Promise<{ close(): Promise<void> }> {
  const { log, bucket } = services;
  let count = 0;
  const running = new Set<Promise<unknown>>();
  const waiting: Waiting[] = [];

  function notify(key: string, eventName: string): void {
    const object = { key: encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/') };
    const body = JSON.stringify({
      Records: [{ eventSource: 'aws:s3', eventName, s3: { bucket: { name: 'local' }, object } }],
    });
    count += 1;
    waiting.push({ key, id: `notification-${count}`, body });
    deliver();
  }

  /** Some at a time: all of a folder of thousands at once would only be in each other's way. */
  function deliver(): void {
    while (running.size < AT_ONCE) {
      const next = waiting.shift();
      if (next === undefined) return;
      run(next);
    }
  }

  function run({ key, id, body }: Waiting): void {
    const run = handler(sqsEvent(id, body, 1, 'notifications'), invocation('register-bucket', TIMEOUT_MS, id))
      .then(({ batchItemFailures }) => (batchItemFailures.length > 0 ? tryAgain(key) : undefined))
      .catch((thrown: unknown) =>
        log.error('notification failed; the next pass sees the change', { reason: String(thrown) }),
      )
      .finally(() => {
        running.delete(run);
        deliver();
      });
    running.add(run);
  }

  /** What S3's queue does: deliver again, and in the end keep it as a dead letter. */
  async function tryAgain(key: string): Promise<void> {
    if (isOwnerKey(key)) await services.queue.send({ kind: 'converge', owner: key }, { delayMs: AGAIN_MS });
  }

  const watch = await watchFolder(
    bucket,
    ({ key, kind }) => notify(key, kind === 'created' ? 'ObjectCreated:Put' : 'ObjectRemoved:Delete'),
    {
      prefixes: OWNER_PREFIXES.filter((prefix) => prefix !== OWN_PREFIX),
      onFailure: (failure) => log.error('the bucket folder is not watched', { reason: failure.message }),
    },
  );
  const sweep = startSweep(services, notify);
  const unheard = services.onWritten(({ key, etag }) => {
    if (!key.startsWith(OWN_PREFIX)) return;
    sweep.note(key, etag);
    notify(key, etag === undefined ? 'ObjectRemoved:Delete' : 'ObjectCreated:Put');
  });
  return {
    async close() {
      unheard();
      await sweep.close();
      await watch.close();
      // What is left, the next start's pass finds.
      waiting.length = 0;
      await Promise.race([Promise.allSettled(running), new Promise((done) => setTimeout(done, 5_000).unref())]);
    },
  };
}

/** Compares listings; takes at most a tenth of the time, however large the folder is. */
function startSweep({ deps, log }: EmbeddedServices, notify: (key: string, eventName: string) => void) {
  let seen = new Map<string, string>();
  /** What was told of since the listing began, which may not have it. */
  let meanwhile = new Map<string, string | undefined>();
  let closed = false;
  let first = true;
  let wake = () => {};
  const loop = (async () => {
    while (!closed) {
      const started = Date.now();
      try {
        meanwhile = new Map();
        const now = await listing(deps.manifests);
        for (const [key, etag] of meanwhile) change(now, key, etag);
        for (const [key, etag] of now) if (!first && seen.get(key) !== etag) notify(key, 'ObjectCreated:Put');
        for (const key of seen.keys()) if (!now.has(key)) notify(key, 'ObjectRemoved:Delete');
        seen = now;
        first = false;
      } catch (thrown) {
        log.warn('the bucket folder could not be listed', { reason: String(thrown) });
      }
      const pause = Math.max(SWEEP_MS, 9 * (Date.now() - started));
      await new Promise<void>((done) => {
        const timer = setTimeout(done, pause);
        wake = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
  })();
  return {
    /** This has been told of. */
    note(key: string, etag: string | undefined): void {
      meanwhile.set(key, etag);
      change(seen, key, etag);
    },
    async close() {
      closed = true;
      wake();
      await loop;
    },
  };
}

function change(listed: Map<string, string>, key: string, etag: string | undefined): void {
  if (etag === undefined) listed.delete(key);
  else listed.set(key, etag);
}

async function listing(manifests: Manifests): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const prefix of [...OWNER_PREFIXES, 'naming.yaml']) {
    let after: string | undefined;
    do {
      const page = await manifests.list(prefix, after === undefined ? {} : { after });
      for (const { key, etag } of page.items) found.set(key, etag);
      after = page.next;
    } while (after !== undefined);
  }
  return found;
}
