import { commit } from '../converge/commit.ts';
import { noteUnnamed } from '../converge/unnamed.ts';
import type { JsonObject } from '../core/json.ts';
import { MAX_BYTES, MAX_PAIRS } from '../core/manifest.ts';
import { type Declared, declare, type Followed } from '../formats/openlineage/declaration.ts';
import { contentKey, manifestOf } from '../formats/openlineage/document.ts';
import type { Subject } from '../formats/openlineage/event.ts';
import type { datasetOf } from '../formats/openlineage/facts.ts';
import type { Life } from '../formats/openlineage/life.ts';
import type { Run, Statement } from '../formats/openlineage/run.ts';
import type { Services } from '../wiring.ts';
import { loadLives } from './lives.ts';
import { loadStored } from './stored.ts';
import {
  decodeSubject,
  newSubject,
  ownerOf,
  type SubjectState,
  statementKey,
  subjectKey,
  subjectRow,
  withNames,
} from './subject.ts';

/**
 * Writes what a job or dataset declares now as its manifest. The bucket's notification has the owner converged, as with any other
 * object there. Two may publish at once: the one that wrote and
 * finds the row changed behind its back reads, and writes, again.
 */
export async function publish(subject: Subject, services: Services): Promise<void> {
  const { deps, log } = services;
  for (;;) {
    const row = await deps.ledger.get(subjectKey(subject));
    const state: SubjectState = { ...(row ? decodeSubject(row) : newSubject(subject)), due: false };
    // Always: whoever has sent this message and is about to change the row finds it changed, and sends another one.
    const read = subjectRow(state, deps);
    if (!(await commit(deps.ledger, read, row?.rev ?? null))) continue;
    const found = await declaredBy(state, services);
    if (!found) return;
    const { declared, waitMs } = found;
    const named = withNames(state, declared.renamed);
    // Before it is written: whoever remembers what happens to these names either finds this job, or has been read here.
    if (JSON.stringify(named.names) !== JSON.stringify(state.names)) {
      await commit(deps.ledger, subjectRow(named, deps), read.rev);
      continue;
    }
    if (waitMs > 0) await deps.queue.send({ kind: 'publish', subject }, { delayMs: waitMs + 100 });
    const manifest = await put(declared, services);
    // Only who wrote has to make sure that it was the latest; of two that write, one gets through.
    if (manifest.written && !(await commit(deps.ledger, subjectRow(state, deps), read.rev))) continue;
    await noteUnnamed(datasetsOf(manifest.document), ownerOf(subject), deps);
    const guesses = declared.edges.filter((edge) => edge.guess).length;
    if (guesses > 0 || declared.indirect > 0) {
      log.info('lineage from events was guessed or cut', {
        owner: ownerOf(subject),
        guesses,
        indirect: declared.indirect,
      });
    }
    return;
  }
}

/** Renames of renames that are looked up; a dataset is called by the last of those names. */
const MAX_RENAMES = 20;

interface Found {
  readonly declared: Followed;
  /** Until every drop counts that concerns it. */
  readonly waitMs: number;
}

/** Undefined when a part of it cannot be found: absence withdraws nothing. */
async function declaredBy(state: SubjectState, services: Services): Promise<Found | undefined> {
  const { deps, log, settings } = services;
  const options = settings.openlineage;
  const keys = state.runs.slice(-options.runs).map((run) => run.key);
  const runs = await loadStored<Run>(keys, deps, { stay: true });
  const statement = state.said
    ? (await loadStored<Statement>([statementKey(state.subject)], deps)).values().next().value
    : undefined;
  if (runs.size < keys.length || (state.said && !statement)) {
    log.error('a run that still counts is gone from the ledger; nothing was published', {
      owner: ownerOf(state.subject),
    });
    return undefined;
  }
  const life = new Map<string, Life>();
  const asked = new Set<string>();
  let waitMs = 0;
  for (let hops = 0; ; hops += 1) {
    const sayings = { subject: state.subject, runs: [...runs.values()], life, ...(statement ? { statement } : {}) };
    const declared = declare(sayings, options);
    const next = declared.asked.filter((id) => !asked.has(id));
    for (const id of next) asked.add(id);
    const loaded = await loadLives(hops > MAX_RENAMES ? [] : next, deps);
    if (loaded.lives.length === 0) return { declared, waitMs };
    for (const each of loaded.lives) life.set(each.id, each);
    waitMs = Math.max(waitMs, loaded.waitMs);
  }
}

async function put(
  declared: Declared,
  services: Services,
): Promise<{ readonly document: JsonObject; readonly written: boolean }> {
  const { deps, log } = services;
  const owner = ownerOf(declared.subject);
  const { manifest, bytes } = fitting(declared);
  if (manifest['omitted'] !== undefined) {
    log.warn('events declare more than a manifest holds; the rest is not registered', {
      owner,
      omitted: manifest['omitted'],
    });
  }
  const stored = await deps.manifests.get(owner);
  const same = stored ? keyOf(stored.bytes) === contentKey(manifest) : declared.edges.length === 0;
  if (!same) await deps.manifests.put(owner, bytes, 'application/json');
  return { document: manifest, written: !same };
}

/** Without columns, and then with fewer edges, where a manifest would be larger than may be read again. It says so itself (`omitted`). */
function fitting(declared: Declared): { readonly manifest: JsonObject; readonly bytes: Uint8Array } {
  let manifest = manifestOf(declared);
  let bytes = Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`);
  for (let edges = MAX_PAIRS; bytes.byteLength > MAX_BYTES.json; edges = Math.floor(edges / 2)) {
    manifest = manifestOf(declared, { edges, columns: 0 });
    bytes = Buffer.from(JSON.stringify(manifest));
  }
  return { manifest, bytes };
}

/** Undefined when somebody has put something else there; it is replaced. */
function keyOf(bytes: Uint8Array): string | undefined {
  try {
    return contentKey(JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonObject);
  } catch {
    return undefined;
  }
}

type Named = ReturnType<typeof datasetOf> & { readonly symlinks?: readonly ReturnType<typeof datasetOf>[] };

function datasetsOf(manifest: JsonObject): readonly Named[] {
  return Object.values((manifest['datasets'] ?? {}) as unknown as Readonly<Record<string, Named>>);
}
