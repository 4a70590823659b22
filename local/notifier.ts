import type { Log } from '../shared/log.ts';
import { watchFolder } from '../shared/manifests/watch.ts';
import type { QueueHandler } from '../shared/triggers/queue.ts';
import { invocation } from './invocation.ts';
import { sqsEvent } from './worker.ts';

const TIMEOUT_MS = 60_000;

/** Tells the bucket function of every change in the folder, as S3 does through its queue. A lost hint is made good by the next pass. */
export async function startNotifier(
  bucket: string,
  handler: QueueHandler,
  log: Log,
): Promise<{ close(): Promise<void> }> {
  let count = 0;
  const running = new Set<Promise<unknown>>();
  const watch = await watchFolder(
    bucket,
    ({ key, kind }) => {
      const body = JSON.stringify({
        Records: [
          {
            eventSource: 'aws:s3',
            eventName: kind === 'created' ? 'ObjectCreated:Put' : 'ObjectRemoved:Delete',
            s3: {
              bucket: { name: 'local' },
              object: { key: encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/') },
            },
          },
        ],
      });
      count += 1;
      const id = `notification-${count}`;
      const run = handler(sqsEvent(id, body, 1, 'notifications'), invocation('register-bucket', TIMEOUT_MS, id))
        .catch((thrown: unknown) =>
          log.error('notification failed; the next pass sees the change', { reason: String(thrown) }),
        )
        .finally(() => running.delete(run));
      running.add(run);
    },
    { onFailure: (failure) => log.error('the bucket folder is not watched', { reason: failure.message }) },
  );
  return {
    async close() {
      await watch.close();
      await Promise.race([Promise.allSettled(running), new Promise((done) => setTimeout(done, 5_000).unref())]);
    },
  };
}
