import pMap from 'p-map';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { unnamed } from '../../shared/converge/unnamed.ts';
import { asFailure } from '../../shared/core/failure.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { nameDataset } from '../../shared/core/naming.ts';
import { isOwnerKey, OWNER_PREFIXES, statusKey } from '../../shared/core/owner-key.ts';
import { suggestRule } from '../../shared/formats/openlineage/suggest-rule.ts';
import { titleOf } from '../../shared/formats/words.ts';
import type { Services } from '../../shared/wiring.ts';
import { type VendorState, vendorStates } from './overview-vendors.ts';

/** How everything stands, as far as one page can say. */
export interface Overview {
  readonly at: string;
  readonly attention: readonly Attention[];
  readonly manifests: readonly ManifestState[];
  /** Key of the last manifest shown; there are more. */
  readonly next?: string;
  readonly vendors: readonly VendorState[];
  /** Content of `status/reconcile/latest.json`, if a pass has written one. */
  readonly reconcile?: JsonObject;
  /** Edges of the manifests shown that a vendor has no names for. */
  readonly unresolved: readonly UnresolvedHere[];
  /** Datasets that events name and no rule knows at some vendor. */
  readonly unnamed: readonly UnnamedHere[];
}

export interface UnnamedHere {
  readonly namespace: string;
  readonly name: string;
  readonly vendors: readonly string[];
  readonly owner: string;
  readonly lastSeen: string;
  /** For naming.yaml, below `rules:`; to be corrected before use. */
  readonly rule: JsonObject;
}

export interface UnresolvedHere {
  readonly owner: string;
  readonly target: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  /** For naming.yaml, below `rules:`; to be corrected before use. */
  readonly rules: readonly JsonObject[];
}

export interface ManifestState {
  readonly owner: string;
  /** Absent until its first convergence ends. */
  readonly state?: string;
  readonly at?: string;
  readonly counts?: Readonly<Record<string, number>>;
  readonly problems?: number;
}

/** Something that waits for a person. */
export interface Attention {
  readonly owner: string;
  readonly kind: 'held' | 'failed' | 'invalid' | 'unknown';
  readonly text: string;
  /** Body of the `POST /reconcile` that releases it. */
  readonly release?: string;
  readonly since?: string;
}

const MANIFESTS = 50;
const ATTENTION = 50;
const UNNAMED = 20;
const STATUS_BYTES = 1_048_576;
const AT_ONCE = 8;

/** A page of the manifests with their status, and what waits for a person. */
export async function overview(services: Services, after?: string): Promise<Overview> {
  const { deps } = services;
  const [{ owners, next }, held, latest, noted] = await Promise.all([
    ownersAfter(after ?? '', services),
    heldOwners(services),
    document('status/reconcile/latest.json', services),
    unnamed({ limit: UNNAMED }, services.deps).catch(() => ({ unresolved: [] })),
  ]);
  const statuses = await pMap(owners, async (owner) => [owner, await statusOf(owner, services)] as const, {
    concurrency: AT_ONCE,
  });
  const known = new Set(held.map((each) => each.owner));
  const attention = [...held];
  for (const [owner, status] of statuses) {
    if (status === undefined || known.has(owner)) continue;
    const what = troubleOf(owner, status);
    if (what) attention.push(what);
  }
  return {
    at: new Date(deps.now()).toISOString(),
    attention: attention.slice(0, ATTENTION),
    manifests: statuses.map(([owner, status]) => ({
      owner,
      ...(status === undefined
        ? {}
        : { state: status.state, at: status.at, counts: status.counts, problems: status.problems?.length ?? 0 }),
    })),
    ...(next === undefined ? {} : { next }),
    vendors: await vendorStates(
      services,
      statuses.map(([, status]) => status),
    ),
    ...(latest === undefined ? {} : { reconcile: latest as JsonObject }),
    unresolved: await unresolvedIn(statuses, services),
    unnamed: noted.unresolved.map(({ namespace, name, vendors, owner, lastSeen, rule }) => ({
      ...{ namespace, name, vendors, owner, lastSeen, rule },
    })),
  };
}

async function ownersAfter(after: string, { deps }: Services): Promise<{ owners: string[]; next?: string }> {
  const owners: string[] = [];
  for (const prefix of [...OWNER_PREFIXES].sort()) {
    if (after !== '' && prefix < after && !after.startsWith(prefix)) continue;
    const within = after.startsWith(prefix) ? { after } : {};
    const page = await deps.manifests.list(prefix, { limit: MANIFESTS - owners.length + 1, ...within });
    owners.push(...page.items.map((each) => each.key).filter(isOwnerKey));
    if (owners.length > MANIFESTS) break;
  }
  const shown = owners.slice(0, MANIFESTS);
  const last = shown.at(-1);
  return owners.length > MANIFESTS && last !== undefined ? { owners: shown, next: last } : { owners: shown };
}

async function unresolvedIn(
  statuses: readonly (readonly [string, StatusDocument | undefined])[],
  { deps }: Services,
): Promise<UnresolvedHere[]> {
  // Without a usable naming.yaml there is nothing to add a rule to.
  const naming = (await deps.naming().catch(() => undefined))?.naming;
  const found = statuses.flatMap(([owner, status]) =>
    (status?.edges ?? [])
      .filter((edge) => edge.outcome === 'unresolved')
      .map(({ target, from, to, reason = '' }) => ({ owner, target, from, to, reason })),
  );
  return found.slice(0, ATTENTION).map((each) => {
    const vendor = each.target.split('/')[0] ?? each.target;
    const rules = [each.from, each.to].flatMap((id) => {
      const { place: namespace, title: name } = titleOf(id);
      if (!naming || namespace === '' || id.startsWith(`${vendor}:`)) return [];
      const known = nameDataset({ namespace, name, vendors: {} }, naming).vendors[vendor];
      return known === undefined ? [suggestRule({ namespace, name }, [vendor])] : [];
    });
    return { ...each, rules: [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()] };
  });
}

async function heldOwners({ deps }: Services): Promise<Attention[]> {
  const page = await deps.ledger.find('held', { limit: ATTENTION });
  const rows = await deps.ledger.getMany(page.items);
  return page.items.flatMap((key) => {
    const row = rows.get(key);
    const held = row?.body['held'] as unknown as { id: string; at: number; reason: string } | undefined;
    if (held === undefined) return [];
    return {
      owner: key.slice('owner/'.length),
      kind: 'held' as const,
      text: held.reason,
      release: JSON.stringify({ release: held.id }),
      since: new Date(held.at).toISOString(),
    };
  });
}

function troubleOf(owner: string, { state, counts, problems, edges }: StatusDocument): Attention | undefined {
  if (state === 'invalid') {
    const [first] = problems ?? [];
    const where =
      first === undefined ? '' : `${first.line === undefined ? first.path : `line ${first.line}`}: ${first.message}`;
    return { owner, kind: 'invalid', text: `The manifest cannot be used, so nothing was changed. ${where}` };
  }
  const failed = edges.find((edge) => edge.outcome === 'failed' || edge.outcome === 'unknown');
  if (failed === undefined) return undefined;
  const count = (counts['failed'] ?? 0) + (counts['unknown'] ?? 0);
  const text = `${count} edge${count === 1 ? '' : 's'}; the first at ${failed.target}: ${failed.reason ?? failed.outcome}`;
  return { owner, kind: failed.outcome === 'failed' ? 'failed' : 'unknown', text };
}

async function statusOf(owner: string, services: Services): Promise<StatusDocument | undefined> {
  return (await document(statusKey(owner), services)) as StatusDocument | undefined;
}

async function document(key: string, { deps, log }: Services): Promise<unknown> {
  try {
    const object = await deps.manifests.get(key, { maxBytes: STATUS_BYTES });
    return object && JSON.parse(Buffer.from(object.bytes).toString('utf8'));
  } catch (thrown) {
    log.warn('a status document could not be read', { object: key, reason: asFailure(thrown).message });
    return undefined;
  }
}
