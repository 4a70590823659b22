import { type AdoptedEdges, expectAdoption, ownUnits } from '../../shared/converge/adopt.ts';
import { converge } from '../../shared/converge/converge.ts';
import { mapped } from '../../shared/converge/desired.ts';
import type { Problem } from '../../shared/core/edge.ts';
import { asFailure, Failure } from '../../shared/core/failure.ts';
import type { Manifest } from '../../shared/core/manifest.ts';
import { formatOf, isOwnerKey } from '../../shared/core/owner-key.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import { foreignKeys } from '../../shared/core/written-keys.ts';
import { parse } from '../../shared/parse.ts';
import type { Services } from '../../shared/wiring.ts';
import { type ReconcileReport, type ReconcileRequest, reconcile } from './reconcile.ts';

/** Edges of one target over all owners that were adopted, and what that allows. */
export interface AdoptedAtTarget extends Omit<AdoptedEdges, 'owner'> {
  readonly allows: string;
}

export interface AdoptReport extends Omit<ReconcileReport, 'held'> {
  readonly adopted: readonly AdoptedAtTarget[];
  /** The same per owner; at most 1,000. */
  readonly byOwner: readonly AdoptedEdges[];
}

const MAX_LISTED = 1_000;

/**
 * Counts what manifests declare as registered already, without a vendor call, and as ours. All owners unless some are given. The
 * report's fields besides `adopted` are those of a pass.
 */
export async function adopt(
  services: Services,
  deadlineMs: number,
  request: Pick<ReconcileRequest, 'owners' | 'askedAt'>,
): Promise<AdoptReport> {
  const since = services.deps.now();
  const report = await reconcile(services, deadlineMs, { ...request, adopt: true });
  const owners = request.owners ?? (await owned(services));
  return { ...report, ...(await counted(owners.filter(isOwnerKey), since, services)) };
}

/** Stores one manifest and adopts it, so that nothing of it is ever sent. With `problems` nothing was stored. */
export async function adoptManifest(
  owner: string,
  text: string,
  services: Services,
  deadlineMs: number,
  check: (manifest: Manifest) => Promise<void> = async () => {},
): Promise<AdoptReport | { readonly problems: readonly Problem[] }> {
  const { ledgerCheck: _known, ...deps } = services.deps;
  const bytes = Buffer.from(text);
  const parsed = await (deps.parse ?? parse)(bytes, formatOf(owner));
  if ('problems' in parsed) return parsed;
  const foreign = foreignKeys(owner, parsed.manifest);
  if (foreign.length > 0) return { problems: foreign };
  await check(parsed.manifest);
  const [{ naming, problems = [] }, targets] = await Promise.all([deps.naming(), deps.targets()]);
  if (naming === undefined)
    return { problems: problems.map((each) => ({ ...each, path: `naming.yaml: ${each.path}` })) };
  const [unusable] = targets.problems.filter((each) => each.registers);
  if (unusable) {
    const why = `nothing was adopted, because ${unusable.target} cannot be used: ${unusable.message}`;
    throw new Failure('conflict', why);
  }
  const declared = mapped(resolveManifest(parsed.manifest, naming), targets, deps.settings.deployment);
  const since = deps.now();
  const token = await expectAdoption(owner, new Set(declared.units.keys()), deadlineMs, deps);
  await deps.manifests.put(owner, bytes, formatOf(owner) === 'json' ? 'application/json' : 'application/yaml');
  const failures: { owner: string; reason: string }[] = [];
  const kind = await converge({ owner, deadlineMs, token }, deps).then(
    (outcome) => outcome.kind,
    (thrown: unknown) => {
      failures.push({ owner, reason: asFailure(thrown).message });
      return 'failed';
    },
  );
  return { owners: 1, outcomes: { [kind]: 1 }, left: 0, failures, ...(await counted([owner], since, services)) };
}

async function counted(owners: readonly string[], since: number, { deps }: Services) {
  const byOwner: AdoptedEdges[] = [];
  const totals = new Map<string, { -readonly [Key in keyof AdoptedAtTarget]: AdoptedAtTarget[Key] }>();
  const { list } = await deps.targets();
  for (const owner of owners) {
    for (const { owner: _one, target, ...counts } of await ownUnits(owner, since, deps)) {
      if (byOwner.length < MAX_LISTED) byOwner.push({ owner, target, ...counts });
      const known = totals.get(target);
      const withdraw = list.find((each) => each.name === target)?.vendor.abilities.withdraw ?? false;
      if (known === undefined) totals.set(target, { target, ...counts, allows: withdraw ? MAY_WITHDRAW : MAY_NOT });
      else for (const key of ['counted', 'released', 'known', 'open', 'columns'] as const) known[key] += counts[key];
    }
  }
  return { adopted: [...totals.values()].sort((a, b) => (a.target < b.target ? -1 : 1)), byOwner };
}

const MAY_WITHDRAW =
  'nothing is sent for these edges; what leaves its manifest is from now on withdrawn at the vendor, as any other edge of ours';
const MAY_NOT =
  'these edges will not be created again; the vendor cannot delete, so what leaves its manifest stays there and is reported';

async function owned({ deps }: Services): Promise<readonly string[]> {
  const owners: string[] = [];
  for (let after: string | undefined, more = true; more; ) {
    const page = await deps.ledger.find('owners', after === undefined ? {} : { after });
    owners.push(...page.items.map((key) => key.slice('owner/'.length)));
    after = page.next;
    more = after !== undefined;
  }
  return owners;
}
