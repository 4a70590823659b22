import pMap from 'p-map';
import { digest } from '../core/digest.ts';
import type { Entry } from '../core/edge.ts';
import type { JsonObject } from '../core/json.ts';
import type { Naming } from '../core/naming.ts';
import { NO_NAMING, nameDataset } from '../core/naming.ts';
import type { DatasetId } from '../formats/openlineage/facts.ts';
import { suggestFlinkRule, suggestRule } from '../formats/openlineage/suggest-rule.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';

/** A dataset that a manifest, events or Flink deployments name. */
export interface Nameless extends DatasetId {
  readonly symlinks?: readonly DatasetId[];
  /** Flink's own name of it; its namespace is `flink` then. */
  readonly flink?: JsonObject;
  /** Vendors that need no rule for it: the manifest gives their names itself, or is not meant for them. */
  readonly settled?: readonly string[];
}

/** A dataset that no rule knows at some vendor. */
export interface Unnamed extends Nameless {
  /** Vendors that have no name for it. */
  readonly vendors: readonly string[];
  /** Declarations that named it. */
  readonly count: number;
  readonly firstSeen: string;
  readonly lastSeen: string;
  /** The owner that named it last. */
  readonly owner: string;
}

export interface UnnamedPage {
  readonly unresolved: readonly (Unnamed & { readonly rule: JsonObject })[];
  readonly next?: string;
}

const INDEX = 'ol-unnamed';
const KEEP_DAYS = 90;
const AT_ONCE = 8;

const DAY_MS = 86_400_000;

/**
 * Writes down which of these datasets have no name at a configured vendor. A hint for people: nothing depends on it. `again`: the same was
 * declared before, so it is not counted, and what is known is written anew once a day.
 */
export async function noteUnnamed(
  datasets: readonly Nameless[],
  owner: string,
  deps: ConvergeDeps,
  { again = false }: { readonly again?: boolean } = {},
): Promise<void> {
  try {
    const { naming } = await deps.naming();
    const vendors = await registering(deps);
    await pMap(
      datasets,
      async (dataset) => {
        const missing = unknownAt(dataset, vendors, naming ?? NO_NAMING);
        if (missing.length > 0) await note(dataset, { vendors: missing, owner, again }, deps);
      },
      { concurrency: AT_ONCE },
    );
  } catch (thrown) {
    deps.log.warn('unnamed datasets were not noted', {
      reason: thrown instanceof Error ? thrown.message : String(thrown),
    });
  }
}

/** So many of one declaration are written down; its status names all edges. */
const MOST = 500;

/** Datasets of these edges with an OpenLineage identity and without a name at one of the vendors that they are meant for (`chosen`, not `others`). */
export function namelessOf(
  entries: readonly Entry[],
  { chosen, others }: { readonly chosen: readonly string[]; readonly others: readonly string[] },
): readonly Nameless[] {
  const found = new Map<string, Nameless>();
  for (const entry of entries) {
    for (const { namespace, name, symlinks, vendors } of [...entry.from, ...entry.to]) {
      if (namespace === undefined || name === undefined || found.size === MOST) continue;
      if (chosen.every((vendor) => vendors[vendor] !== undefined)) continue;
      const settled = [...Object.keys(vendors), ...others];
      found.set(JSON.stringify([namespace, name]), { namespace, name, ...(symlinks ? { symlinks } : {}), settled });
    }
  }
  return [...found.values()];
}

/** A table of Flink, called as graphs call it. */
export function flinkTable(flink: JsonObject): Nameless {
  return {
    namespace: 'flink',
    name: [flink['catalog'], flink['database'], flink['table']].filter((part) => part !== undefined).join('.'),
    flink,
  };
}

function unknownAt(dataset: Nameless, vendors: readonly string[], naming: Naming): readonly string[] {
  const { namespace, name, symlinks, flink, settled = [] } = dataset;
  const named = nameDataset(
    flink ? { vendors: { flink } } : { namespace, name, vendors: {}, ...(symlinks ? { symlinks } : {}) },
    naming,
  );
  // A name in a vendor's own namespace needs no rule.
  const own = new Set([namespace, ...(symlinks ?? []).map((each) => each.namespace), ...settled]);
  return vendors.filter((vendor) => named.vendors[vendor] === undefined && !own.has(vendor));
}

async function registering(deps: ConvergeDeps): Promise<readonly string[]> {
  const { list } = await deps.targets();
  return [
    ...new Set(list.filter((target) => target.client.register !== undefined).map((target) => target.vendor.name)),
  ].sort();
}

async function note(
  dataset: Nameless,
  { vendors, owner, again }: Pick<Unnamed, 'vendors' | 'owner'> & { readonly again: boolean },
  deps: ConvergeDeps,
): Promise<void> {
  const { namespace, name, symlinks, flink, settled } = dataset;
  const key = `ol/unnamed/${digest(JSON.stringify([namespace, name]))}`;
  const now = new Date(deps.now()).toISOString();
  for (;;) {
    const row = await deps.ledger.get(key);
    const known = row?.body as unknown as Unnamed | undefined;
    if (again && known && deps.now() - Date.parse(known.lastSeen) < DAY_MS) return;
    const next: Unnamed = {
      namespace,
      name,
      ...(symlinks ? { symlinks } : {}),
      ...(flink ? { flink } : {}),
      ...(settled && settled.length > 0 ? { settled } : {}),
      vendors,
      count: again && known ? known.count : (known?.count ?? 0) + 1,
      firstSeen: known?.firstSeen ?? now,
      lastSeen: now,
      owner,
    };
    const expiresAt = Math.ceil(deps.now() / 1_000) + KEEP_DAYS * 86_400;
    const body = { ...next } as unknown as JsonObject;
    if (await commit(deps.ledger, { key, rev: deps.id(), body, index: [INDEX], expiresAt }, row?.rev ?? null)) return;
  }
}

/** What no rule covers now, a page at a time; what a rule has come to cover since is left out and forgotten. */
export async function unnamed(
  page: { readonly after?: string; readonly limit: number },
  deps: ConvergeDeps,
): Promise<UnnamedPage> {
  const { naming } = await deps.naming();
  const vendors = await registering(deps);
  const found = await deps.ledger.find(INDEX, page);
  const rows = await deps.ledger.getMany(found.items);
  const unresolved: (Unnamed & { rule: JsonObject })[] = [];
  for (const key of found.items) {
    const row = rows.get(key);
    if (!row) continue;
    const { settled, ...known } = row.body as unknown as Unnamed;
    const missing = unknownAt({ ...known, ...(settled ? { settled } : {}) }, vendors, naming ?? NO_NAMING);
    if (missing.length === 0) await deps.ledger.remove(key, row.rev);
    else
      unresolved.push({
        ...known,
        vendors: missing,
        rule: known.flink ? suggestFlinkRule(known.flink, missing) : suggestRule(known, missing),
      });
  }
  return { unresolved, ...(found.next === undefined ? {} : { next: found.next }) };
}
