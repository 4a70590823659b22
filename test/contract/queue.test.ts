import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sqliteLedger } from '../../shared/ledger/sqlite.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';
import { type SqliteQueue, sqliteQueue } from '../../shared/queue/sqlite.ts';
import { startChild } from './child.ts';
import { eventually, temporaryFolder } from './opened.ts';
import { queueSuite } from './queue-suite.ts';

queueSuite('the sqlite queue', async ({ maxAttempts }) => {
  const folder = await temporaryFolder();
  const file = openSqliteFile(join(folder.path, 'queue.db'));
  let nowMs = 1_700_000_000_000;
  return {
    subject: sqliteQueue(file, { now: () => nowMs, maxAttempts }),
    advance: async (ms) => {
      nowMs += ms;
    },
    close: () => {
      file.close();
      return folder.remove();
    },
  };
});

interface Bench {
  readonly queue: SqliteQueue;
  readonly path: string;
  pass(ms: number): void;
  reopen(): SqliteQueue;
}

/** A queue with a clock that starts at 0 and three attempts. */
function on(check: (bench: Bench) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = await temporaryFolder();
    const path = join(folder.path, 'queue.db');
    let nowMs = 0;
    const files: ReturnType<typeof openSqliteFile>[] = [];
    const reopen = () => {
      for (const file of files) file.close();
      const file = openSqliteFile(path);
      files.push(file);
      return sqliteQueue(file, { now: () => nowMs, maxAttempts: 3 });
    };
    try {
      await check({
        queue: reopen(),
        path,
        pass: (ms) => {
          nowMs += ms;
        },
        reopen,
      });
    } finally {
      for (const file of files) file.close();
      await folder.remove();
    }
  };
}

/** Fails the only message until it is a dead letter. */
async function bury(queue: SqliteQueue, reason: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    for (const { id } of await queue.receive(10, 1_000)) await queue.retry(id, 0, `${reason} ${attempt}`);
  }
}

test(
  'a message that failed too often is a dead letter with its last reason, and can be replayed or dropped',
  on(async ({ queue, pass }) => {
    await queue.send({ kind: 'converge', owner: 'a' });
    await bury(queue, 'broken');
    const [letter] = await queue.deadLetters();
    expect(letter).toEqual({
      id: expect.any(String),
      body: '{"kind":"converge","owner":"a"}',
      reason: 'broken 2',
      attempts: 3,
    });
    expect(await queue.replay(letter?.id ?? '')).toBe(true);
    expect(await queue.deadLetters()).toEqual([]);
    expect(await queue.receive(10, 1_000)).toMatchObject([{ attempt: 1, body: letter?.body }]);
    pass(1_000);
    await bury(queue, 'again');
    const [second] = await queue.deadLetters();
    expect(await queue.drop(second?.id ?? '')).toBe(true);
    expect(await queue.deadLetters()).toEqual([]);
    expect(await queue.drop(second?.id ?? '')).toBe(false);
    expect(await queue.replay('no-such-id')).toBe(false);
  }),
);

test(
  'a message whose receivers die without an answer ends as a dead letter as well',
  on(async ({ queue, pass }) => {
    await queue.send({ kind: 'converge', owner: 'a' });
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(await queue.receive(10, 1_000)).toMatchObject([{ attempt }]);
      pass(1_000);
    }
    expect(await queue.receive(10, 1_000)).toEqual([]);
    expect(await queue.deadLetters()).toMatchObject([{ attempts: 3, reason: 'no answer after 3 deliveries' }]);
    expect(await queue.nextDueMs()).toBeUndefined();
  }),
);

test(
  'a retry that comes too late does not disturb the next delivery; a late acknowledgement still means done',
  on(async ({ queue, pass }) => {
    await queue.send({ kind: 'converge', owner: 'a' });
    const [first] = await queue.receive(1, 1_000);
    pass(1_000);
    const [second] = await queue.receive(1, 1_000);
    expect(second?.attempt).toBe(2);
    await queue.retry(first?.id ?? '', 0, 'late');
    expect(await queue.receive(1, 1_000)).toEqual([]);
    await queue.acknowledge(first?.id ?? '');
    await queue.retry(second?.id ?? '', 0, 'too');
    pass(5_000);
    expect(await queue.receive(1, 1_000)).toEqual([]);
    await queue.send({ kind: 'converge', owner: 'b' });
    await queue.acknowledge(second?.id ?? '');
    expect(await queue.receive(1, 1_000)).toHaveLength(1);
  }),
);

test(
  'nextDueMs is when to look again: the earliest of sent, delayed, failed and hidden messages',
  on(async ({ queue, pass }) => {
    expect(await queue.nextDueMs()).toBeUndefined();
    await queue.send({ kind: 'converge', owner: 'late' }, { delayMs: 5_000 });
    expect(await queue.nextDueMs()).toBe(5_000);
    await queue.send({ kind: 'converge', owner: 'now' });
    expect(await queue.nextDueMs()).toBe(0);
    const [delivery] = await queue.receive(1, 2_000);
    expect(await queue.nextDueMs()).toBe(2_000);
    pass(100);
    await queue.retry(delivery?.id ?? '', 300, 'x');
    expect(await queue.nextDueMs()).toBe(400);
  }),
);

test(
  'a start makes what a dead process held due at once, and leaves delayed and failed messages their time',
  on(async ({ queue, reopen }) => {
    await queue.send({ kind: 'converge', owner: 'held' });
    await queue.receive(1, 720_000);
    await queue.send({ kind: 'converge', owner: 'failed' });
    const [failed] = await queue.receive(1, 720_000);
    await queue.retry(failed?.id ?? '', 60_000, 'x');
    await queue.send({ kind: 'converge', owner: 'late' }, { delayMs: 60_000 });
    const after = reopen();
    expect(await after.receive(10, 1_000)).toEqual([]);
    expect(await after.releaseHeld()).toBe(1);
    const deliveries = await after.receive(10, 1_000);
    expect(deliveries.map(({ body, attempt }) => [JSON.parse(body).owner, attempt])).toEqual([['held', 2]]);
  }),
);

test(
  'messages that are due come oldest first',
  on(async ({ queue, pass }) => {
    await queue.send({ kind: 'converge', owner: 'third' }, { delayMs: 30 });
    await queue.send({ kind: 'converge', owner: 'first' }, { delayMs: 10 });
    await queue.send({ kind: 'converge', owner: 'second' }, { delayMs: 20 });
    pass(100);
    const deliveries = await queue.receive(2, 1_000);
    expect(deliveries.map(({ body }) => JSON.parse(body).owner)).toEqual(['first', 'second']);
  }),
);

test(
  'two receivers never hold one message',
  on(async ({ queue, path }) => {
    const file = openSqliteFile(path);
    const other = sqliteQueue(file, { now: () => 0, maxAttempts: 3 });
    await Promise.all(Array.from({ length: 40 }, (_, at) => queue.send({ kind: 'converge', owner: `${at}` })));
    const received = await Promise.all(
      Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? queue : other).receive(3, 1_000)),
    );
    const owners = received.flat().map(({ body }) => JSON.parse(body).owner as string);
    expect(owners).toHaveLength(40);
    expect(new Set(owners).size).toBe(40);
    file.close();
  }),
);

test('queue and ledger can share a file', async () => {
  const folder = await temporaryFolder();
  const file = openSqliteFile(join(folder.path, 'ledger.db'));
  const ledger = sqliteLedger(file);
  const queue = sqliteQueue(file, { now: () => 0 });
  await Promise.all([
    ledger.write({ key: 'a', rev: 'r', body: {} }, null),
    queue.send({ kind: 'converge', owner: 'a' }),
  ]);
  expect(await ledger.get('a')).toBeDefined();
  expect(await queue.receive(1, 1_000)).toHaveLength(1);
  file.close();
  await folder.remove();
});

test('every acknowledged send is there after kill -9', async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'queue.db');
  const child = startChild('./queue-child.ts', [path]);
  await eventually(() => (child.lines.length > 200 ? true : undefined), 15_000);
  child.process.kill('SIGKILL');
  expect(await child.ended).toBe('SIGKILL');
  const file = openSqliteFile(path);
  const queue = sqliteQueue(file, { now: Date.now });
  const deliveries = await queue.receive(1_000_000, 1_000);
  const owners = new Set(deliveries.map(({ body }) => JSON.parse(body).owner as string));
  expect(child.lines.filter((owner) => !owners.has(owner))).toEqual([]);
  file.close();
  await folder.remove();
});
