import { commit } from '../../shared/converge/commit.ts';
import { ownerKey } from '../../shared/converge/owner.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { isOwnerKey, OWNER_PREFIXES, statusKey } from '../../shared/core/owner-key.ts';
import type { Services } from '../../shared/wiring.ts';
import { REPORTS } from './report.ts';

const KEY = 'pass/sweep';
const LEDGER_KEY = 'pass/pieces';
const DAY_MS = 86_400_000;
/** Objects removed in one pass; the next one goes on. */
const REPORTS_AT_ONCE = 200;
const PAGE = 1_000;
const ROWS_AT_ONCE = 100;
const SLICE_MS = 10_000;

/** Removes reports that are older than their setting. Their names begin with their time, so the oldest come first. */
export async function sweepReports({ deps, settings }: Services, deadlineMs: number): Promise<void> {
  const before = new Date(deps.now() - settings.retention.reportsMs).toISOString().replaceAll(':', '-');
  const { items } = await deps.manifests.list(REPORTS, { limit: REPORTS_AT_ONCE });
  for (const { key } of items) {
    const name = key.slice(REPORTS.length);
    if (!/^\d{4}-/.test(name) || name >= before || deps.now() + SLICE_MS > deadlineMs) return;
    await deps.manifests.delete(key);
  }
}

/** Where the daily look through the status documents stands. */
interface Sweep {
  /** Last key looked at; absent: it is over. */
  readonly after?: string;
  readonly endedAt: number;
}

/**
 * Once a day, removes status documents of owners that are long gone, and parts that a document has no longer, because it became shorter.
 * Goes on where the last pass ran out of time. A document that still says anything about lineage somewhere stays.
 */
export async function sweepStatuses({ deps, settings, log }: Services, deadlineMs: number): Promise<void> {
  const row = await deps.ledger.get(KEY);
  const before = row?.body['sweep'] as unknown as Sweep | undefined;
  if (before !== undefined && before.after === undefined && deps.now() - before.endedAt < DAY_MS) return;
  let after = before?.after;
  let removed = 0;
  const late = () => deps.now() + SLICE_MS > deadlineMs;
  if (late()) return;
  for (const prefix of OWNER_PREFIXES.map((each) => `status/${each}`).sort()) {
    if (after !== undefined && after > prefix && !after.startsWith(prefix)) continue;
    for (let from = after?.startsWith(prefix) ? after : undefined, more = true; more; ) {
      const page = { limit: PAGE, ...(from === undefined ? {} : { after: from }) };
      const { items, next } = await deps.manifests.list(prefix, page);
      removed += await sweepPage(items.map((each) => each.key));
      after = items.at(-1)?.key ?? after;
      from = next;
      more = next !== undefined;
      if (late()) return save(after === undefined ? {} : { after });
    }
  }
  if (removed > 0) log.info('status documents of owners that are long gone were removed', { removed });
  await save({});

  async function save(place: Pick<Sweep, 'after'>): Promise<void> {
    const sweep = { ...place, endedAt: deps.now() };
    // Another pass may have written it meanwhile; its place is as good.
    await commit(
      deps.ledger,
      { key: KEY, rev: deps.id(), body: { kind: 'sweep', version: 1, sweep } },
      row?.rev ?? null,
    );
  }

  async function sweepPage(keys: readonly string[]): Promise<number> {
    let count = 0;
    for (let start = 0; start < keys.length; start += ROWS_AT_ONCE) {
      const documents = keys.slice(start, start + ROWS_AT_ONCE).flatMap((key) => documentOf(key) ?? []);
      const rows = await deps.ledger.getMany([...new Set(documents.map((each) => ownerKey(each.owner)))]);
      for (const { key, owner, part } of documents) {
        const old = part === 1 ? !rows.has(ownerKey(owner)) && (await isGone(owner)) : await isStale(key, owner);
        if (!old) continue;
        await deps.manifests.delete(key);
        count += 1;
      }
    }
    return count;
  }

  async function isGone(owner: string): Promise<boolean> {
    const status = await readStatus(owner);
    if (status?.state !== 'withdrawn') return false;
    if (deps.now() - Date.parse(status.at) < settings.retention.statusesMs) return false;
    return (await deps.manifests.head(owner)) === undefined;
  }

  /** Written before the first part names it: one that is missing there is only stale if nobody is about to name it. */
  async function isStale(key: string, owner: string): Promise<boolean> {
    const first = await readStatus(owner);
    if (first?.parts?.includes(key)) return false;
    return first === undefined || deps.now() - Date.parse(first.at) > DAY_MS;
  }

  async function readStatus(owner: string): Promise<StatusDocument | undefined> {
    const object = await deps.manifests.get(statusKey(owner));
    return object && (JSON.parse(Buffer.from(object.bytes).toString('utf8')) as StatusDocument);
  }
}

/** Once a day, removes pieces of large ledger rows that a process left when it died. Goes on where the last pass ran out of time. */
export async function sweepLedger({ deps, log }: Services, deadlineMs: number): Promise<void> {
  const { ledger } = deps;
  if (ledger.collect === undefined) return;
  const row = await ledger.get(LEDGER_KEY);
  const last = row?.body['sweep'] as unknown as Sweep | undefined;
  if (last !== undefined && last.after === undefined && deps.now() - last.endedAt < DAY_MS) return;
  const late = () => deps.now() + SLICE_MS > deadlineMs;
  if (late()) return;
  let after = last?.after;
  let removed = 0;
  do {
    const before = deps.now() - DAY_MS;
    const done = await ledger.collect({ before, ...(after === undefined ? {} : { after }) });
    removed += done.removed;
    after = done.next;
  } while (after !== undefined && !late());
  if (removed > 0) log.info('what unfinished writes had left in the ledger was removed', { rows: removed });
  const sweep = { ...(after === undefined ? {} : { after }), endedAt: deps.now() };
  const body = { kind: 'sweep', version: 1, sweep };
  await commit(ledger, { key: LEDGER_KEY, rev: deps.id(), body }, row?.rev ?? null);
}

/** The owner and the part that a key below `status/` stands for; undefined for what is no status document. */
function documentOf(key: string): { readonly key: string; readonly owner: string; readonly part: number } | undefined {
  const name = /^status\/(.*)\.json$/s.exec(key)?.[1];
  if (name === undefined) return undefined;
  if (isOwnerKey(name)) return { key, owner: name, part: 1 };
  const [, owner, part] = /^(.*)\.([1-9]\d*)$/s.exec(name) ?? [];
  return owner !== undefined && isOwnerKey(owner) ? { key, owner, part: Number(part) } : undefined;
}
