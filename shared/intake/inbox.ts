import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { Failure } from '../core/failure.ts';
import { saidInflated } from '../core/gzip.ts';
import type { JsonObject } from '../core/json.ts';
import type { IntakeMessage } from '../queue/queue.ts';
import type { Services } from '../wiring.ts';
import { inLargeTurn } from './large-turn.ts';

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** Well under what one queue message may hold (AWS, SQS quotas, read 2026-11: 262,144 bytes at the least), in characters of ASCII. */
const MESSAGE_CHARACTERS = 180_000;
/** Written as `\uXXXX`; numbers grow less when they are written out. */
const MOST_PER_CHARACTER = 6;
/** Holds events that are too large for a message. No notifications exist for it. */
export const INBOX = 'inbox/';
const INBOX_BYTES = 64 * 1024 * 1024;

/**
 * Stores events durably before they are acknowledged: as queue messages, several to one where they are small, and by pointer to an object
 * where one is too large. `characters`: of the JSON they were read from, if known. What is stored twice, because an answer was lost, is taken in twice, which changes nothing.
 */
export async function storeEvents(
  events: readonly JsonObject[],
  options: { readonly confined: boolean; readonly replayed?: boolean; readonly characters?: number },
  services: Services,
): Promise<void> {
  const { deps } = services;
  const common = {
    kind: 'events' as const,
    at: new Date(deps.now()).toISOString(),
    ...(options.confined ? { confined: true } : {}),
    ...(options.replayed ? { replayed: true } : {}),
  };
  // However they are escaped, so few bytes fit into one message.
  if ((options.characters ?? Number.POSITIVE_INFINITY) * MOST_PER_CHARACTER <= MESSAGE_CHARACTERS) {
    return deps.queue.send({ ...common, events });
  }
  const sends: Promise<void>[] = [];
  let batch: JsonObject[] = [];
  let size = 0;
  const flush = () => {
    if (batch.length > 0) sends.push(deps.queue.send({ ...common, events: batch }));
    batch = [];
    size = 0;
  };
  for (const event of events) {
    const length = asciiLength(event);
    if (length > MESSAGE_CHARACTERS) {
      sends.push(storeLarge(event, common, services));
      continue;
    }
    if (size + length > MESSAGE_CHARACTERS) flush();
    batch.push(event);
    size += length;
  }
  flush();
  await Promise.all(sends);
}

async function storeLarge(event: JsonObject, common: { readonly kind: 'events' }, { deps }: Services): Promise<void> {
  const day = new Date(deps.now()).toISOString().slice(0, 10);
  const ref = `${INBOX}${day}/${deps.id()}.json.gz`;
  await deps.manifests.put(ref, await zip(JSON.stringify([event])), 'application/gzip');
  await deps.queue.send({ ...common, ref });
}

/** Queues write other characters as `\uXXXX`. */
function asciiLength(event: JsonObject): number {
  const json = JSON.stringify(event);
  let length = json.length;
  for (let at = 0; at < json.length; at += 1) if (json.charCodeAt(at) > 126) length += 5;
  return length;
}

/**
 * Hands the events of a message to `use`; does nothing when they have been taken in before and are gone. Events that are too large for a
 * message wait for their turn (`inLargeTurn`).
 */
export async function withEvents(
  message: IntakeMessage & { readonly kind: 'events' },
  services: Services,
  use: (events: readonly JsonObject[]) => Promise<void>,
): Promise<void> {
  if ('events' in message) return use(message.events);
  const object = await services.deps.manifests.get(message.ref, { maxBytes: INBOX_BYTES });
  if (!object) return;
  const { bytes } = object;
  await inLargeTurn(saidInflated(bytes), services, async () => {
    const events: unknown = JSON.parse((await unzip(bytes)).toString('utf8'));
    if (!Array.isArray(events)) throw new Failure('invalid', `${message.ref} holds no events`);
    await use(events as readonly JsonObject[]);
  });
}

export async function forgetEvents(
  message: IntakeMessage & { readonly kind: 'events' },
  { deps }: Services,
): Promise<void> {
  if ('ref' in message && message.ref.startsWith(INBOX)) await deps.manifests.delete(message.ref);
}
