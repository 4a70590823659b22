import { asFailure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { type DatasetEdge, deriveEdges } from '../formats/openlineage/derive.ts';
import { type LineageEvent, readEvent } from '../formats/openlineage/event.ts';
import { idOf } from '../formats/openlineage/facts.ts';
import {
  counts,
  edgesOfRun,
  factsOfRun,
  hashOf,
  laterStatement,
  mergeRuns,
  type Run,
  runOf,
  type Statement,
  statementOf,
} from '../formats/openlineage/run.ts';
import { notAhead } from '../formats/openlineage/time.ts';
import type { IntakeMessage } from '../queue/queue.ts';
import type { Services } from '../wiring.ts';
import { archive, archiveLarge } from './archive.ts';
import { forgetEvents, withEvents } from './inbox.ts';
import { liveAndDie } from './lives.ts';
import { letExpire, letStay, mergeStored } from './stored.ts';
import {
  changeSubject,
  decodeSubject,
  GATHER_MS,
  indexed,
  runKey,
  statementKey,
  subjectKey,
  withRun,
} from './subject.ts';

/** Merges the events of a message into what is known, and has what they change published. Idempotent; safe to run side by side. */
export async function takeIn(message: EventsMessage, services: Services): Promise<void> {
  const { log } = services;
  await withEvents(message, services, async (raw) => {
    await Promise.all([keep(message, raw, services), takeAll(message, raw, services)]);
    await forgetEvents(message, services).catch((thrown: unknown) =>
      log.warn('an object in the inbox was not removed', { reason: asFailure(thrown).message }),
    );
  });
}

type EventsMessage = IntakeMessage & { readonly kind: 'events' };

async function keep(message: EventsMessage, raw: readonly JsonObject[], services: Services): Promise<void> {
  if (message.replayed) return;
  const common = {
    at: message.at ?? new Date(services.deps.now()).toISOString(),
    ...(message.confined ? { confined: true } : {}),
  };
  if ('ref' in message) {
    const time = raw[0]?.['eventTime'];
    const ref = await archiveLarge(message.ref, raw, services);
    await archive([{ ...common, ref, ...(typeof time === 'string' ? { time } : {}) }], services);
  } else
    await archive(
      raw.map((event) => ({ ...common, event })),
      services,
    );
}

async function takeAll(message: EventsMessage, raw: readonly JsonObject[], services: Services): Promise<void> {
  const { log, deps } = services;
  const acceptedMs = message.at === undefined ? deps.now() : Date.parse(message.at);
  const runs = new Map<string, Run>();
  const statements: LineageEvent[] = [];
  for (const each of raw) {
    // What was accepted is read leniently: the settings may have changed since.
    const read = readEvent(each, { strict: false });
    if ('problems' in read) {
      log.error('a stored event cannot be read', { problems: read.problems.length });
      continue;
    }
    const event = { ...read.event, time: notAhead(read.event.time, acceptedMs) };
    if (!message.confined) await liveAndDie(event, services);
    if (event.kind === 'run') {
      const run = runOf(event, services.settings.openlineage);
      const key = runKey(run.subject, run.runId);
      const known = runs.get(key);
      runs.set(key, known ? mergeRuns(known, run) : run);
    } else statements.push(event);
  }
  for (const [key, run] of runs) await takeRun(key, run, services);
  for (const event of statements) await takeStatement(event, services);
}

async function takeRun(key: string, news: Run, services: Services): Promise<void> {
  const { deps } = services;
  const options = services.settings.openlineage;
  const expiry = () => Math.ceil((deps.now() + options.runExpiryMs) / 1_000);
  const { value: run } = await mergeStored(
    key,
    news,
    mergeRuns,
    (merged) => (counts(merged, options) ? undefined : expiry()),
    deps,
  );
  if (!counts(run, options)) return;
  const edges = edgesOfRun(run, options);
  const counted = { key, runId: run.runId, at: run.at, hash: hashOf(factsOfRun(run)), datasets: datasetsOf(edges) };
  let displaced: readonly string[] = [];
  await changeSubject(
    run.subject,
    (state) => {
      displaced = [];
      const known = state.runs.find((each) => each.key === key);
      // A copy of an event, or of one that a concurrent delivery has already told more of.
      if (known && known.hash === counted.hash && known.at >= counted.at) return undefined;
      const at = known && known.at > counted.at ? known.at : counted.at;
      const datasets = [...new Set([...(known?.datasets ?? []), ...counted.datasets])].sort();
      const next = withRun(state.runs, { ...counted, at, datasets }, options.runs);
      displaced = next.displaced.map((each) => each.key);
      if (displaced.includes(key)) return undefined;
      return { ...state, runs: next.runs };
    },
    GATHER_MS,
    deps,
  );
  for (const each of displaced) await letExpire(each, expiry(), deps);
  if (displaced.length > 0) await keepListed(run, displaced, services);
}

/** A late event may have brought a run back while it was made to expire. */
async function keepListed({ subject }: Run, keys: readonly string[], { deps }: Services): Promise<void> {
  const row = await deps.ledger.get(subjectKey(subject));
  const listed = row ? decodeSubject(row).runs.filter(({ key }) => keys.includes(key)) : [];
  for (const { key } of listed) {
    const again = await deps.ledger.get(key);
    if (again) await letStay(again, deps);
  }
}

async function takeStatement(event: LineageEvent, services: Services): Promise<void> {
  const { deps } = services;
  const options = services.settings.openlineage;
  const news = statementOf(event, options);
  if (!news) return;
  const never = () => undefined;
  const { value } = await mergeStored<Statement>(statementKey(event.subject), news, laterStatement, never, deps);
  const said = { hash: `${value.at} ${value.hash}`, datasets: datasetsOf(deriveEdges(value.facts, options)) };
  await changeSubject(
    event.subject,
    (state) => (state.said?.hash === undefined || state.said.hash < said.hash ? { ...state, said } : undefined),
    GATHER_MS,
    deps,
  );
}

function datasetsOf(edges: readonly DatasetEdge[]): readonly string[] {
  return indexed([...new Set(edges.flatMap((edge) => [idOf(edge.from), idOf(edge.to)]))].sort());
}
