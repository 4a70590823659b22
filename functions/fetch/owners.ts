import pMap from 'p-map';
import type { HeldHere } from '../../shared/core/edge-outcome.ts';
import { formatOf } from '../../shared/core/owner-key.ts';
import type { UnitState } from '../../shared/core/unit-state.ts';
import { parse } from '../../shared/parse.ts';
import type { Services } from '../../shared/wiring.ts';

/** What the owners of units add to their graph. */
export interface OwnerFacts {
  /** Owner → `namespace/name` of its job. */
  readonly jobs: ReadonlyMap<string, string>;
  /** Unit id → the held withdrawal it is part of. */
  readonly held: ReadonlyMap<string, HeldHere>;
}

/** Manifests read for their job, per answer; of more the job is not told. */
const MANIFESTS_READ = 60;
const MANIFEST_BYTES = 262_144;
const AT_ONCE = 8;

/** Reads the owners' rows, and the manifests of those whose key does not name their job. */
export async function ownerFacts(units: readonly UnitState[], services: Services): Promise<OwnerFacts> {
  const owners = [...new Set(units.flatMap((unit) => Object.keys(unit.claims)))].sort();
  const [jobs, held] = await Promise.all([jobsOf(owners, services), heldBy(owners, services)]);
  return { jobs, held };
}

async function jobsOf(owners: readonly string[], services: Services): Promise<Map<string, string>> {
  const jobs = new Map<string, string>();
  const unread: string[] = [];
  for (const owner of owners) {
    const job = jobInKey(owner);
    if (job !== undefined) jobs.set(owner, job);
    else unread.push(owner);
  }
  await pMap(
    unread.slice(0, MANIFESTS_READ),
    async (owner) => {
      const job = await jobInManifest(owner, services);
      if (job !== undefined) jobs.set(owner, job);
    },
    { concurrency: AT_ONCE },
  );
  return jobs;
}

/** `http/ci/load.json` says the job; a shortened segment (`~`) or a hash does not. */
function jobInKey(owner: string): string | undefined {
  const found = /^(?:http|openlineage|flink)\/([^/~]+)\/([^/~]+)\.json$/.exec(owner);
  if (!found) return undefined;
  try {
    return `${decodeURIComponent(found[1] ?? '')}/${decodeURIComponent(found[2] ?? '')}`;
  } catch {
    return undefined;
  }
}

async function jobInManifest(owner: string, { deps }: Services): Promise<string | undefined> {
  try {
    const object = await deps.manifests.get(owner, { maxBytes: MANIFEST_BYTES });
    if (object === undefined) return undefined;
    const parsed = await (deps.parse ?? parse)(object.bytes, formatOf(owner));
    if ('problems' in parsed || parsed.manifest.job === undefined) return undefined;
    return `${parsed.manifest.job.namespace}/${parsed.manifest.job.name}`;
  } catch {
    // The graph does not depend on it.
    return undefined;
  }
}

interface HeldInRow {
  readonly id: string;
  readonly reason: string;
  readonly units: { readonly ids?: readonly string[]; readonly chunks?: readonly string[] };
}

async function heldBy(owners: readonly string[], { deps }: Services): Promise<Map<string, HeldHere>> {
  const held = new Map<string, HeldHere>();
  const rows = await deps.ledger.getMany(owners.map((owner) => `owner/${owner}`));
  for (const row of rows.values()) {
    const found = row.body['held'] as unknown as HeldInRow | undefined;
    if (found === undefined) continue;
    const { id, reason } = found;
    for (const unit of await idsOf(found.units, deps.ledger)) held.set(unit, { id, reason });
  }
  return held;
}

/** Ids of units as an owner's row keeps them: in it, or in rows of their own. */
export async function idsOf(
  stored: { readonly ids?: readonly string[]; readonly chunks?: readonly string[] },
  ledger: Services['deps']['ledger'],
): Promise<readonly string[]> {
  if (stored.ids !== undefined) return stored.ids;
  const chunks = await ledger.getMany(stored.chunks ?? []);
  return [...chunks.values()].flatMap((row) => row.body['ids'] as unknown as readonly string[]);
}
