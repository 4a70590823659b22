import { join, resolve } from 'node:path';
import { Failure } from '../shared/core/failure.ts';
import { isOwnerKey } from '../shared/core/owner-key.ts';
import { openSqliteFile } from '../shared/ledger/sqlite-file.ts';
import type { DeadLetters } from '../shared/queue/dead-letters.ts';
import { sqliteQueue } from '../shared/queue/sqlite.ts';
import type { Settings } from '../shared/settings.ts';
import { notedReason } from '../shared/triggers/letter.ts';
import { changedKeys } from '../shared/triggers/s3-event.ts';

/** Body of the letter that stands for a pass that failed. */
export const FAILED_PASS = 'scheduled-reconcile';

/** The dead letters of this place: in AWS with its settings, else in DATA_DIR, also while a service runs there. `pass` makes a pass now. */
export async function openLetters(settings: Settings, pass: () => Promise<void>): Promise<DeadLetters> {
  const { aws } = settings;
  if (aws === undefined) return inFolder(resolve(settings.dataDir), pass);
  const { deadLetterUrls = [], queueUrl, table } = aws;
  if (deadLetterUrls.length === 0 || queueUrl === undefined || table === undefined) {
    throw new Failure(
      'invalid',
      'Set TABLE, QUEUE_URL and DEAD_LETTER_URLS; npx serverless info --verbose shows them (DeadLetters).',
    );
  }
  const { dynamodbLedger } = await import('../shared/ledger/dynamodb.ts');
  const { sqsDeadLetters } = await import('../shared/queue/sqs-dead-letters.ts');
  const ledger = dynamodbLedger(table);
  return sqsDeadLetters({
    urls: deadLetterUrls,
    workUrl: queueUrl,
    reasonOf: (id) => notedReason(id, ledger),
    workOf,
  });
}

/** Messages of the work queue that do what this body would have led to. */
export function workOf(body: string): readonly string[] | undefined {
  const kind = kindOf(body);
  if (kind !== undefined) return kind === FAILED_PASS ? undefined : [body];
  try {
    // A hint that an object came or went: converging its owner looks what is there now.
    const owners = changedKeys(body).filter(isOwnerKey);
    return owners.map((owner) => JSON.stringify({ kind: 'converge', owner }));
  } catch {
    return undefined;
  }
}

export function kindOf(body: string): string | undefined {
  try {
    const { kind } = JSON.parse(body) as { readonly kind?: unknown };
    return typeof kind === 'string' ? kind : undefined;
  } catch {
    return undefined;
  }
}

/** The database may have another user: each of these is one short transaction. */
function inFolder(dataDir: string, pass: () => Promise<void>): DeadLetters {
  const file = openSqliteFile(join(dataDir, 'lineage.db'));
  const queue = sqliteQueue(file, { now: Date.now });
  return {
    list: (limit) => queue.deadLetters(limit),
    async replay(id) {
      const letter = (await queue.deadLetters()).find((each) => each.id === id);
      if (letter === undefined || kindOf(letter.body) !== FAILED_PASS) return queue.replay(id);
      await pass();
      return queue.drop(id);
    },
    drop: (id) => queue.drop(id),
    close: async () => file.close(),
  };
}
