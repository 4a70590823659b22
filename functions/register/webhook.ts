import type { Problem } from '../../shared/core/edge.ts';
import { asFailure } from '../../shared/core/failure.ts';
import type { Json } from '../../shared/core/json.ts';
import { isObject, type LineageEvent, readEvent } from '../../shared/formats/openlineage/event.ts';
import { largestFacet, redactEvent } from '../../shared/formats/openlineage/redact.ts';
import { storeEvents } from '../../shared/intake/inbox.ts';
import { type Held, hold, inTime } from '../../shared/intake/room.ts';
import { ownerOf } from '../../shared/intake/subject.ts';
import { type Caller, mayName, mayOwn } from '../../shared/triggers/access.ts';
import { INFLATED_BYTES, inflate } from '../../shared/triggers/body.ts';
import { type Answer, functionUrl, json, type Request } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { comeAgain, problem } from '../../shared/triggers/problem.ts';
import type { Services } from '../../shared/wiring.ts';
import { signedManifest } from './signed.ts';

/** What a function URL takes; the same here, so that what works on one machine works there. */
const BODY_BYTES = 6 * 1024 * 1024;
const MAX_BATCH = 10_000;

/** Marquez' answer (api/LineageResource, read 2026-11). Never 204: a common client reads the body of every answer. */
const CREATED: Answer = { status: 201, headers: { 'content-length': '0' }, body: '' };

/**
 * Where orchestrators send OpenLineage events, as Marquez has it. An event is stored durably, then answered; the worker takes it in.
 * Back-pressure is 503 with Retry-After, the one answer every client that tries again at all tries again on.
 */
export const entry = functionUrl(
  [
    { method: 'POST', path: '/api/v1/lineage', scope: 'ingest', handle: single },
    // For clients that are given the function's own URL. On one machine this path belongs to the register function.
    { method: 'POST', path: '/lineage', scope: 'ingest', handle: single },
    { method: 'POST', path: '/api/v1/lineage/batch', scope: 'ingest', handle: batch },
    // The same for orchestrators that send a manifest of their own: the signature is the key.
    { method: 'POST', path: '/webhooks/manifest', scope: 'signed', handle: signedManifest },
  ],
  { url: 'public', tidy: true, maxBodyBytes: INFLATED_BYTES },
);

export const handler = onLambda(entry);

function single(request: Request, services: Services): Promise<Answer> {
  return withBody(request, services, async (body, held) => {
    const read = readEvent(body.value, services.settings.openlineage);
    if ('problems' in read) return problem(400, 'the event has problems; nothing was stored', read.problems);
    const foreign = refusal(read.event, request.caller);
    if (foreign !== undefined) return problem(403, foreign);
    const stored = await store([read.event], body, held, request, services);
    return stored ?? CREATED;
  });
}

interface FailedEvent {
  readonly index: number;
  readonly reason: string;
  readonly retriable: boolean;
}

/** The batch answer of the specification (OpenLineage.yml, read 2026-11): what was stored is stored, the rest is named. */
function batch(request: Request, services: Services): Promise<Answer> {
  return withBody(request, services, (body, held) => all(body, held, request, services));
}

async function all(body: Body, held: Held, request: Request, services: Services): Promise<Answer> {
  if (!Array.isArray(body.value)) return problem(400, 'a batch is a JSON array of events, [ … ]');
  const list = body.value as readonly Json[];
  if (list.length > MAX_BATCH) return problem(413, `${list.length} events in one batch; the limit is ${MAX_BATCH}`);
  const failed: FailedEvent[] = [];
  const good: LineageEvent[] = [];
  for (const [index, value] of list.entries()) {
    const read = readEvent(value, services.settings.openlineage);
    const reason = 'problems' in read ? texts(read.problems) : refusal(read.event, request.caller);
    if (reason !== undefined) failed.push({ index, reason, retriable: false });
    else if ('event' in read) good.push(read.event);
  }
  const refused = good.length > 0 ? await store(good, body, held, request, services) : undefined;
  if (refused) return refused;
  const retriable = failed.filter((each) => each.retriable).length;
  return json(200, {
    status: failed.length === 0 ? 'success' : 'partial_success',
    summary: {
      received: list.length,
      successful: good.length,
      failed: failed.length,
      retriable,
      non_retriable: failed.length - retriable,
    },
    failed_events: failed,
  });
}

function texts(problems: readonly Problem[]): string {
  return problems
    .slice(0, 5)
    .map(({ path, message }) => `${path} ${message}`.trim())
    .join('; ');
}

interface Body {
  readonly value: Json;
  readonly characters: number;
}

/** Room is taken before a body is inflated and read, and given back when the request is done, its storing included. */
async function withBody(
  request: Request,
  services: Services,
  use: (body: Body, held: Held) => Promise<Answer>,
): Promise<Answer> {
  const held = hold(request.body.byteLength, services);
  if (held === undefined) return turnedAway(1, services);
  try {
    const body = await bodyOf(request, held);
    if (body === 'no room') return turnedAway(1, services);
    return 'refused' in body ? body.refused : await use(body, held);
  } finally {
    held.release();
  }
}

function turnedAway(events: number, { deps }: Services): Answer {
  deps.metrics?.add('EventsTurnedAway', events);
  return comeAgain('too many events at once');
}

async function bodyOf(request: Request, held: Held): Promise<Body | { readonly refused: Answer } | 'no room'> {
  const inflated = await inflate(request.body, request.headers['content-encoding'], held);
  if (inflated === 'no room' || 'refused' in inflated) return inflated;
  let value: Json;
  try {
    value = JSON.parse(inflated.text) as Json;
  } catch {
    return { refused: problem(400, 'the body is not valid JSON') };
  }
  if (request.body.byteLength > BODY_BYTES) return { refused: tooLarge(request.body.byteLength, value) };
  return { value, characters: inflated.text.length };
}

/** Without Retry-After: with it a client would send the same again, several times. */
function tooLarge(bytes: number, value: Json): Answer {
  const first = Array.isArray(value) ? (value as readonly Json[])[0] : value;
  const facet = isObject(first) ? largestFacet(first) : undefined;
  const named = facet ? `; its largest facet is ${facet.path} with some ${facet.size} bytes` : '';
  return problem(
    413,
    `the body has ${bytes} bytes, the limit is ${BODY_BYTES}${named}. Let the client compress (gzip), or switch that facet off`,
  );
}

/** Why a caller may not speak of this job or dataset. */
function refusal({ subject }: LineageEvent, caller: Caller): string | undefined {
  if (!mayName(caller, subject.namespace)) {
    return `the key of ${caller.name} may not send lineage of namespace ${subject.namespace}; it has ${(caller.namespaces ?? []).join(', ')}`;
  }
  const owner = ownerOf(subject);
  return mayOwn(caller, owner) ? undefined : `the key of ${caller.name} may not write ${owner}`;
}

/** Undefined when everything is stored durably; else the answer that asks the client to come again. */
async function store(
  events: readonly LineageEvent[],
  { characters }: Body,
  held: Held,
  request: Request,
  services: Services,
): Promise<Answer | undefined> {
  const { keepSql } = services.settings.openlineage;
  const raw = events.map((event) => (keepSql ? event.raw : redactEvent(event.raw)));
  const confined = request.caller.namespaces !== undefined || request.caller.owners !== undefined;
  try {
    const done = await inTime(held, services, () => storeEvents(raw, { confined, characters }, services));
    return done ? undefined : turnedAway(events.length, services);
  } catch (thrown) {
    services.log.error('events could not be stored', { count: events.length, reason: asFailure(thrown).message });
    services.deps.metrics?.add('EventsTurnedAway', events.length);
    return comeAgain('events cannot be stored now');
  }
}
