import { join } from 'node:path';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { expect, it, onTestFinished } from 'vitest';
import { workOf } from '../../local/letters.ts';
import { startWorker } from '../../local/worker.ts';
import { Failure } from '../../shared/core/failure.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';
import { sqliteQueue } from '../../shared/queue/sqlite.ts';
import { sqsClient } from '../../shared/queue/sqs.ts';
import { sqsDeadLetters } from '../../shared/queue/sqs-dead-letters.ts';
import { notedReason, noteReason } from '../../shared/triggers/letter.ts';
import { queued } from '../../shared/triggers/queue.ts';
import { at, startFauxqs } from '../contract/aws-emulators.ts';
import { local, manifest, until } from '../functions/local.ts';
import { opened } from '../triggers/opened.ts';
import { folder, script } from './script.ts';

const objectEvent = (key: string) =>
  JSON.stringify({ Records: [{ eventSource: 'aws:s3', s3: { bucket: { name: 'b' }, object: { key } } }] });

it('keeps with a dead letter what the function said when it failed last', async () => {
  const file = openSqliteFile(join(await folder(), 'queue.db'));
  const queue = sqliteQueue(file, { now: Date.now, maxAttempts: 1 });
  const services = await opened();
  const entry = queued(async () => {
    throw new Failure('invalid', 'the true reason');
  });
  const worker = startWorker(queue, entry.open(services), (id) => notedReason(id, services.deps.ledger));
  onTestFinished(() => worker.close());
  await queue.send({ kind: 'converge', owner: 'manifests/a.yaml' });
  await until(async () => (await queue.deadLetters()).length === 1);
  expect(await queue.deadLetters()).toMatchObject([{ reason: 'the true reason', attempts: 1 }]);
});

it('a pass that fails leaves one letter, however often it fails', async () => {
  const file = openSqliteFile(join(await folder(), 'queue.db'));
  const queue = sqliteQueue(file, { now: Date.now });
  await queue.bury('{"kind":"scheduled-reconcile"}', 'first');
  await queue.bury('{"kind":"scheduled-reconcile"}', 'second');
  expect(await queue.deadLetters()).toMatchObject([{ reason: 'second', attempts: 2 }]);
  file.close();
});

it('npm run dead-letters shows, drops and replays them while the service runs; a change in the bucket converges its owner', async () => {
  const one = await local();
  const { queue } = one.runtime.services;
  const environment = { DATA_DIR: one.dataDir };
  expect((await script('dead-letters', ['list'], environment)).out).toMatch(/no dead letters/);
  // A manifest that nobody has told anybody of, as after a lost notification.
  const owner = 'manifests/lost.json';
  await one.drop(owner, manifest([['a', 'b']]));
  await one.statusWhen(owner, (each) => each.state === 'converged');
  await queue.bury(JSON.stringify({ kind: 'converge', owner }), 'it was late');
  await queue.bury('not ours', 'who sends this?');
  await queue.bury('{"kind":"scheduled-reconcile"}', 'no time');
  const listed = JSON.parse((await script('dead-letters', ['list', '--json'], environment)).out) as {
    id: string;
    body: string;
    reason: string;
  }[];
  expect(listed.map((each) => each.reason)).toEqual(['it was late', 'who sends this?', 'no time']);
  const [first, second, third] = listed.map((each) => each.id);
  const shown = await script('dead-letters', ['show', first ?? ''], environment);
  expect(shown.out).toMatch(/converge manifests\/lost\.json[\s\S]*it was late/);
  const status = `status/${owner}.json`;
  await one.remove(status);
  await one.forgetCalls();
  expect(await script('dead-letters', ['replay', first ?? '', third ?? ''], environment)).toMatchObject({ code: 0 });
  expect(await script('dead-letters', ['drop', second ?? ''], environment)).toMatchObject({ code: 0 });
  expect(await queue.deadLetters()).toEqual([]);
  expect(await script('dead-letters', ['drop', '9999'], environment)).toMatchObject({
    code: 1,
    err: 'there is no dead letter 9999\n',
  });
  expect((await script('dead-letters', ['replay'], environment)).code).toBe(2);
  expect((await script('dead-letters', ['list'], { DATA_DIR: await folder() })).code).toBe(1);
});

it('turns a notification of the bucket into the convergence of its owners, and leaves the rest alone', () => {
  expect(workOf(objectEvent('manifests/a+b.yaml'))).toEqual([
    JSON.stringify({ kind: 'converge', owner: 'manifests/a b.yaml' }),
  ]);
  expect(workOf('{"kind":"judge","target":"t","ticket":"1"}')).toEqual(['{"kind":"judge","target":"t","ticket":"1"}']);
  expect(workOf('{}')).toBeUndefined();
  expect(workOf('{"kind":"scheduled-reconcile"}')).toBeUndefined();
});

it('does the same with SQS, and lets go of what it only looked at', async () => {
  const fauxqs = await startFauxqs();
  const client = sqsClient(at(fauxqs.url));
  onTestFinished(async () => {
    client.destroy();
    await fauxqs.close();
  });
  const queue = async (QueueName: string) => (await client.send(new CreateQueueCommand({ QueueName }))).QueueUrl ?? '';
  const [objects, work, dead] = [await queue('objects-dead'), await queue('work'), await queue('schedule-dead')];
  const send = async (QueueUrl: string, MessageBody: string, message?: string) => {
    const attributes = message === undefined ? {} : { ERROR_MESSAGE: { DataType: 'String', StringValue: message } };
    const sent = await client.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageAttributes: attributes }));
    return sent.MessageId ?? '';
  };
  const object = await send(objects, objectEvent('manifests/a.yaml'));
  const scheduled = await send(dead, '{}', 'the role was not allowed');
  const thrown = await send(
    dead,
    JSON.stringify({ requestContext: { condition: 'RetriesExhausted' }, responsePayload: { errorMessage: 'no time' } }),
  );
  const services = await opened();
  await noteReason(object, 'the bucket said 403', services);
  const ledger = services.deps.ledger;
  const letters = sqsDeadLetters({
    client,
    urls: [objects, dead],
    workUrl: work,
    reasonOf: (id) => notedReason(id, ledger),
    workOf,
  });
  const found = new Map((await letters.list(10)).map((each) => [each.id, each]));
  expect(found.get(object)).toMatchObject({ reason: 'the bucket said 403', from: 'objects-dead' });
  expect(found.get(scheduled)?.reason).toBe('the role was not allowed');
  expect(found.get(thrown)?.reason).toBe('RetriesExhausted: no time');
  expect(await letters.replay(object)).toBe(true);
  const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl: work }));
  expect(Messages.map((each) => each.Body)).toEqual([JSON.stringify({ kind: 'converge', owner: 'manifests/a.yaml' })]);
  await expect(letters.replay(scheduled)).rejects.toMatchObject({ kind: 'unsupported' });
  expect(await letters.drop(scheduled)).toBe(true);
  expect(await letters.drop('gone')).toBe(false);
  expect((await letters.list(10)).map((each) => each.id)).toEqual([thrown]);
  const names = ['ApproximateNumberOfMessages' as const];
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: dead, AttributeNames: names }));
  expect(Attributes?.['ApproximateNumberOfMessages']).toBe('1');
});

it('a reason that cannot be noted changes nothing', async () => {
  const ledger = { ...memoryLedger(), get: () => Promise.reject(new Error('away')) };
  const services = await opened();
  await noteReason('m1', 'x', { ...services, deps: { ...services.deps, ledger } });
  expect(await notedReason('m1', services.deps.ledger)).toBeUndefined();
});
