import { expect, it } from 'vitest';
import { work } from '../../functions/register/register.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import type { IntakeMessage, Message } from '../../shared/queue/queue.ts';
import type { Services } from '../../shared/wiring.ts';
import { machine } from './wire-machine.ts';

const event = (run: string, input: string) => ({
  eventType: 'COMPLETE',
  eventTime: `2026-11-20T02:00:0${run}Z`,
  run: { runId: run },
  job: { namespace: 'n', name: 'load' },
  inputs: [{ namespace: 'hive://m', name: input }],
  outputs: [{ namespace: 'hive://m', name: 'out' }],
});

it('publishes what was taken in, although the message that publishes it was worked on before the row was written', async () => {
  const { services: bare, objects } = machine();
  const waiting: (Message | IntakeMessage)[] = [];
  const { ledger } = bare.deps;
  let early: (() => Promise<void>) | undefined;
  const write = async (row: Row, expected: string | null) => {
    const first = row.key.startsWith('ol/subject/') ? early : undefined;
    if (first) {
      early = undefined;
      await first();
    }
    return ledger.write(row, expected);
  };
  const queue = {
    send: async (message: Message | IntakeMessage) => {
      waiting.push(message);
    },
    sendMany: async () => {},
  };
  const services = { ...bare, deps: { ...bare.deps, queue, ledger: { ...ledger, write } } } as unknown as Services;
  const deliver = async () => {
    for (let message = waiting.shift(); message; message = waiting.shift())
      if (message.kind === 'publish') await work(message, services, Date.now() + 20_000);
  };
  const take = (run: string, input: string) =>
    work(
      { kind: 'events', events: [event(run, input)], replayed: true } as IntakeMessage,
      services,
      Date.now() + 20_000,
    );
  const declared = () => Buffer.from(objects.get('openlineage/n/load.json') ?? []).toString('utf8');

  await take('1', 'one');
  await deliver();
  expect(declared()).toContain('"one"');
  early = deliver;
  await take('2', 'two');
  await deliver();
  expect(declared()).toContain('"two"');
  await take('3', 'three');
  await deliver();
  expect(declared()).toContain('"three"');
});
