import { describe, expect, test } from 'vitest';
import type { Delivery, Message, Queue, QueueReceiver } from '../../shared/queue/queue.ts';
import type { Opened } from './opened.ts';

export interface OpenedQueue extends Opened<Queue & QueueReceiver> {
  /** Lets this much time pass for the queue: a clock that is set, or a real wait. */
  advance(ms: number): Promise<void>;
}

/** Opens an empty queue that keeps a message as a dead letter after `maxAttempts` deliveries. */
export type OpenQueue = (options: { readonly maxAttempts: number }) => Promise<OpenedQueue> | OpenedQueue;

/** Long enough that no test outlives it, unless it lets that time pass. */
const VISIBILITY_MS = 4_000;

/** What every queue must do. Times are whole seconds, which is what queues can do; a receive may bring fewer than there are. */
export function queueSuite(name: string, open: OpenQueue): void {
  const on = (check: (queue: OpenedQueue) => Promise<void>) => async () => {
    const opened = await open({ maxAttempts: 3 });
    try {
      await check(opened);
    } finally {
      await opened.close();
    }
  };

  describe(`${name} keeps the queue contract`, () => {
    test(
      'messages arrive as they were sent, each once, with their first attempt',
      on(async ({ subject: queue }) => {
        const sent: Message[] = [
          { kind: 'converge', owner: 'manifests/ä "1" 😀.yaml' },
          { kind: 'converge', owner: 'manifests/2.yaml', ticket: 't' },
          { kind: 'judge', target: 'dataarts/finance', ticket: 't' },
        ];
        await Promise.all(sent.map((message) => queue.send(message)));
        const deliveries = await receiveAll(queue, 3);
        expect(deliveries.map(({ body }) => JSON.parse(body))).toEqual(expect.arrayContaining(sent));
        expect(deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
        expect(await queue.receive(10, VISIBILITY_MS)).toEqual([]);
      }),
    );

    test(
      'many messages in one call arrive, each once, and not before their delay',
      on(async ({ subject: queue, advance }) => {
        const sent = Array.from({ length: 25 }, (_, at) => `manifests/${at} ä😀.yaml`);
        await queue.sendMany([]);
        await queue.sendMany(sent.map(converge));
        await queue.sendMany([converge('late'), { kind: 'pass', id: 'late' }], { delayMs: 2_000 });
        const deliveries = await receiveAll(queue, 25);
        expect(owners(deliveries).sort()).toEqual([...sent].sort());
        expect(await queue.receive(10, VISIBILITY_MS)).toEqual([]);
        for (const { id } of deliveries) await queue.acknowledge(id);
        await advance(2_100);
        await receiveAll(queue, 2);
      }),
    );

    test(
      'an empty queue delivers nothing',
      on(async ({ subject: queue }) => {
        expect(await queue.receive(10, VISIBILITY_MS)).toEqual([]);
      }),
    );

    test(
      'no more than the limit arrive at once, and nothing is lost by that',
      on(async ({ subject: queue }) => {
        for (let at = 0; at < 5; at++) await queue.send(converge(`${at}`));
        expect((await queue.receive(2, VISIBILITY_MS)).length).toBeLessThanOrEqual(2);
        await receiveSome(queue, 3);
      }),
    );

    test(
      'an acknowledged message never comes again',
      on(async ({ subject: queue, advance }) => {
        await queue.send(converge('a'));
        for (const { id } of await receiveAll(queue, 1)) await queue.acknowledge(id);
        await advance(VISIBILITY_MS + 1_000);
        expect(await queue.receive(10, VISIBILITY_MS)).toEqual([]);
      }),
    );

    test(
      'a message without an answer comes again when its visibility ends, not before, as its next attempt',
      on(async ({ subject: queue, advance }) => {
        await queue.send(converge('a'));
        await receiveAll(queue, 1, 2_000);
        await advance(500);
        expect(await queue.receive(10, 2_000)).toEqual([]);
        await advance(2_000);
        expect(await receiveAll(queue, 1)).toMatchObject([{ attempt: 2 }]);
      }),
    );

    test(
      'a delayed message is not delivered before its time, others pass it',
      on(async ({ subject: queue, advance }) => {
        await queue.send(converge('late'), { delayMs: 2_000 });
        await queue.send(converge('now'));
        expect(owners(await receiveAll(queue, 1))).toEqual(['now']);
        expect(await queue.receive(10, VISIBILITY_MS)).toEqual([]);
        await advance(2_100);
        expect(owners(await receiveAll(queue, 1))).toEqual(['late']);
      }),
    );

    test(
      'a failed message is due again after the delay asked for',
      on(async ({ subject: queue, advance }) => {
        await queue.send(converge('a'));
        for (const { id } of await receiveAll(queue, 1)) await queue.retry(id, 2_000, 'vendor away');
        expect(await queue.receive(10, VISIBILITY_MS)).toEqual([]);
        await advance(2_100);
        expect(await receiveAll(queue, 1)).toMatchObject([{ attempt: 2 }]);
      }),
    );

    test(
      'a message that fails on its last attempt is not delivered any more',
      on(async ({ subject: queue, advance }) => {
        await queue.send(converge('a'));
        for (let attempt = 1; attempt <= 3; attempt++) {
          const [delivery] = await receiveAll(queue, 1);
          expect(delivery?.attempt).toBe(attempt);
          await queue.retry(delivery?.id ?? '', 0, 'broken');
        }
        await advance(1_000);
        expect(await queue.receive(10, VISIBILITY_MS)).toEqual([]);
      }),
    );
  });
}

function converge(owner: string): Message {
  return { kind: 'converge', owner };
}

function owners(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ body }) => (JSON.parse(body) as { owner: string }).owner);
}

/** Receives until there are `count`; fails if there are more, or fewer after some tries. */
async function receiveAll(queue: QueueReceiver, count: number, visibilityMs = VISIBILITY_MS): Promise<Delivery[]> {
  const deliveries = await receiveSome(queue, count, visibilityMs);
  expect(deliveries).toHaveLength(count);
  return deliveries;
}

/** Receives until there are at least `count`; fails after some tries. */
async function receiveSome(queue: QueueReceiver, count: number, visibilityMs = VISIBILITY_MS): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  for (let tries = 0; tries < 20 && deliveries.length < count; tries++) {
    deliveries.push(...(await queue.receive(10, visibilityMs)));
  }
  expect(deliveries.length).toBeGreaterThanOrEqual(count);
  return deliveries;
}
