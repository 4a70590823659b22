import { work } from '../../functions/register/register.ts';
import type { IntakeMessage, Message } from '../../shared/queue/queue.ts';
import type { Services } from '../../shared/wiring.ts';
import { machine } from './wire-machine.ts';

export const GRACE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** Events taken in and published with everything in memory and a time that only the test moves on. */
export function intakeWorld(environment: Readonly<Record<string, string>> = {}) {
  const { services: bare, objects } = machine(environment);
  const clock = { now: Date.UTC(2026, 10, 20, 12) };
  let waiting: { readonly message: Message | IntakeMessage; readonly dueMs: number }[] = [];
  const queue = {
    send: async (message: Message | IntakeMessage, { delayMs = 0 } = {}) =>
      void waiting.push({ message, dueMs: clock.now + delayMs }),
    sendMany: async () => {},
  };
  const settings = { ...bare.deps.settings, graceMs: GRACE_MS };
  const deps = { ...bare.deps, queue, settings, now: () => clock.now };
  const services = { ...bare, deps } as unknown as { -readonly [Key in keyof Services]: Services[Key] };
  const take = (events: readonly object[], at = new Date(clock.now).toISOString()) =>
    work({ kind: 'events', events, at, replayed: true } as IntakeMessage, services, clock.now + 20_000);
  /** Everything that is due within this time. */
  const pass = async (ms: number) => {
    const untilMs = clock.now + ms;
    for (;;) {
      const [next] = waiting.filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs);
      if (!next) break;
      waiting = waiting.filter((each) => each !== next);
      clock.now = Math.max(clock.now, next.dueMs);
      if (next.message.kind === 'publish') await work(next.message, services, clock.now + 20_000);
    }
    clock.now = untilMs;
  };
  const declared = (job = 'load'): string[] => {
    const { datasets = {}, lineage = [] } = JSON.parse(
      Buffer.from(objects.get(`openlineage/n/${job}.json`) ?? []).toString('utf8') || '{}',
    ) as { datasets?: Record<string, { name: string }>; lineage?: { from: string[]; to: string }[] };
    return lineage.flatMap(({ from, to }) => from.map((each) => `${datasets[each]?.name} > ${datasets[to]?.name}`));
  };
  return { services, deps: services.deps, objects, clock, take, pass, declared };
}

export const table = (name: string, facets: object = {}) => ({ namespace: 'hive://m', name, facets });
export const renamed = (from: string, to: string) =>
  table(to, { lifecycleStateChange: { lifecycleStateChange: 'RENAME', previousIdentifier: table(from) } });
export const dropped = (name: string) => table(name, { lifecycleStateChange: { lifecycleStateChange: 'DROP' } });
export const time = (clock: string) => `2026-11-20T${clock}:00Z`;
export const run = (at: string, inputs: object[], outputs: object[], more: object = {}) => ({
  eventType: 'COMPLETE',
  eventTime: time(at),
  run: { runId: 'r1' },
  job: { namespace: 'n', name: 'load' },
  inputs,
  outputs,
  ...more,
});
export const alter = (at: string, ...outputs: object[]) =>
  run(at, [], outputs, { run: { runId: at }, job: { namespace: 'n', name: 'alter' } });
export const jobEvent = (eventTime: string, inputs: object[], outputs: object[]) => ({
  eventTime,
  job: { namespace: 'n', name: 'load' },
  inputs,
  outputs,
});
