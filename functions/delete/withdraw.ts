import { commit } from '../../shared/converge/commit.ts';
import { decodeOwner, encodeOwner, ownerKey } from '../../shared/converge/owner.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { Failure } from '../../shared/core/failure.ts';
import { namesOf } from '../../shared/core/graph.ts';
import type { Manifest } from '../../shared/core/manifest.ts';
import type { Naming } from '../../shared/core/naming.ts';
import { edgesToWithdraw, type Label, type UnwantedEdge, withoutEdges } from '../../shared/core/withdraw-edges.ts';
import { parse } from '../../shared/parse.ts';
import type { Caller } from '../../shared/triggers/access.ts';
import type { Services } from '../../shared/wiring.ts';
import { ledgerReader } from '../fetch/units.ts';
import { checkStored } from '../register/confined.ts';
import { settle } from '../register/register.ts';
import { inTurn } from '../register/turn.ts';
import { erase } from './delete.ts';

/** Manifests that came by HTTP; what anybody else holds is his to withdraw. */
const PREFIX = 'http/';
/** Units of one dataset that are looked through. */
const MOST_UNITS = 10_000;

/** What became of one edge. `withdrawn` and `holders` are owner keys; with neither, nobody declares it. */
export interface WithdrawnEdge {
  readonly from: string;
  readonly to: string;
  readonly withdrawn: readonly string[];
  readonly holders: readonly string[];
}

export interface Withdrawal {
  /** False: some of it goes on from the queue. */
  readonly finished: boolean;
  readonly edges: readonly WithdrawnEdge[];
  /** Of each manifest that was changed or removed. */
  readonly statuses: readonly StatusDocument[];
}

/**
 * Takes the edges of a manifest out of the manifests below `http/` that declare them, on a person's word, so nothing is held. An entry
 * with columns withdraws these columns, and the edge with the last of them. What another owner declares stays, and is named.
 */
export async function withdraw(
  manifest: Manifest,
  caller: Caller,
  services: Services,
  deadlineMs: number,
): Promise<Withdrawal> {
  const { deps } = services;
  const { naming, problems = [] } = await deps.naming();
  if (naming === undefined) throw new Failure('conflict', `naming.yaml cannot be used: ${problems[0]?.message ?? ''}`);
  const vendors = new Map((await deps.targets()).list.map(({ vendor }) => [vendor.name, vendor]));
  const label: Label = (vendor, block) => vendors.get(vendor)?.label?.(block);
  const unwanted = edgesToWithdraw(manifest, naming, label);
  const found = await holdersOf(unwanted, services);
  const mine: string[] = [];
  for (const owner of [...new Set(found.flatMap(({ owners }) => [...owners]))].sort())
    if (await isOurs(owner, caller, services)) mine.push(owner);
  const taken = new Map<string, ReadonlySet<number>>();
  const statuses: StatusDocument[] = [];
  let finished = true;
  for (const owner of mine) {
    const units = found.filter(({ owners }) => owners.has(owner)).flatMap((each) => each.units);
    // Whoever replaces the object meanwhile would lose what he stores.
    const removed = await inTurn(owner, services, deadlineMs, async () => {
      await checkStored(owner, caller, services);
      return takeOut(owner, unwanted, { naming, label, units }, services);
    });
    if (removed.size === 0) continue;
    taken.set(owner, removed);
    const settled = await settle(owner, services, deadlineMs);
    if (settled.status) statuses.push(settled.status);
    finished &&= settled.finished;
  }
  const edges = unwanted.map((edge, at) => {
    const withdrawn = [...taken].filter(([, removed]) => removed.has(at)).map(([owner]) => owner);
    const holders = [...(found[at]?.owners ?? [])].filter((owner) => !withdrawn.includes(owner)).sort();
    return { from: firstOf(edge.from), to: firstOf(edge.to), withdrawn, holders };
  });
  return { finished, edges, statuses };
}

/** What somebody else's namespaces stand in is not the caller's to change either: he is told who holds it. */
async function isOurs(owner: string, caller: Caller, services: Services): Promise<boolean> {
  if (!owner.startsWith(PREFIX)) return false;
  try {
    await checkStored(owner, caller, services);
    return true;
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.kind === 'denied') return false;
    throw thrown;
  }
}

function firstOf(names: ReadonlySet<string>): string {
  return [...names][0] ?? '(unnamed)';
}

interface Holders {
  readonly owners: ReadonlySet<string>;
  readonly units: readonly string[];
}

/** Who declares each edge, from the ledger. */
async function holdersOf(unwanted: readonly UnwantedEdge[], { deps }: Services): Promise<readonly Holders[]> {
  const reader = ledgerReader(deps.ledger);
  const names = [...new Set(unwanted.flatMap((edge) => [...edge.from]))];
  const pages = await reader.at(names, 'downstream', MOST_UNITS);
  return unwanted.map(({ from, to }) => {
    const units = [...from].flatMap((name) => pages.get(name)?.units ?? []);
    const meant = units.filter((unit) =>
      unit.to.some((table) => namesOf(table, unit.vendor).some((name) => to.has(name))),
    );
    return { owners: new Set(meant.flatMap((unit) => Object.keys(unit.claims))), units: meant.map((unit) => unit.id) };
  });
}

interface Context {
  readonly naming: Naming;
  readonly label: Label;
  readonly units: readonly string[];
}

/** Positions of the edges that were taken out of an owner's manifest; the object goes with the last of its edges. */
async function takeOut(
  owner: string,
  unwanted: readonly UnwantedEdge[],
  { naming, label, units }: Context,
  services: Services,
): Promise<ReadonlySet<number>> {
  const { manifests, parse: parser = parse } = services.deps;
  const object = await manifests.get(owner);
  if (object === undefined) return new Set();
  const parsed = await parser(object.bytes, 'json');
  if ('problems' in parsed) return new Set();
  const left = withoutEdges(parsed.manifest, unwanted, naming, label);
  if (left.removed.size === 0) return left.removed;
  if (left.manifest.lineage.length === 0) await erase(owner, services);
  else {
    await allow(owner, units, services);
    await manifests.put(owner, Buffer.from(JSON.stringify(left.manifest)), 'application/json');
  }
  return left.removed;
}

/** A person asked for it: these units may go, however large their share is. */
async function allow(owner: string, units: readonly string[], { deps }: Services): Promise<void> {
  for (;;) {
    const row = await deps.ledger.get(ownerKey(owner));
    if (!row) return;
    const state = decodeOwner(row);
    const next = { ...state, settled: false, allowed: { ids: [...new Set(units)] } };
    if (await commit(deps.ledger, { key: row.key, rev: deps.id(), ...encodeOwner(next) }, row.rev)) return;
  }
}
