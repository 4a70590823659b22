import pMap from 'p-map';
import { converge } from '../../shared/converge/converge.ts';
import { releaseHold } from '../../shared/converge/hold.ts';
import { assumed } from '../../shared/converge/lost-ledger.ts';
import { asFailure, Failure } from '../../shared/core/failure.ts';
import { isOwnerKey, OWNER_PREFIXES } from '../../shared/core/owner-key.ts';
import type { Services } from '../../shared/wiring.ts';

export interface ReconcileRequest {
  /** Only these owners; all of them by default. */
  readonly owners?: readonly string[];
  /** Count what the manifests say as registered already, without a call: after a lost ledger, or after other tools did it. */
  readonly adopt?: boolean;
  /** Id of held withdrawals that a person releases; they are applied in this pass. */
  readonly release?: string;
}

/** What a pass did. */
export interface ReconcileReport {
  readonly owners: number;
  /** Owners by how their convergence ended (`unchanged`, `done`, `unfinished`, `busy`, `waiting`, `failed` …). */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Owners that had nothing of their own changed but could not be looked at before time was up. */
  readonly left: number;
  readonly failures: readonly { readonly owner: string; readonly reason: string }[];
}

const OWNERS_AT_ONCE = 4;
const SHORTEST_SLICE_MS = 10_000;

/** Converges every owner, in the bucket or in the ledger: whatever was missed, interrupted or left pending is settled. */
export async function reconcile(
  services: Services,
  deadlineMs: number,
  request: ReconcileRequest,
): Promise<ReconcileReport> {
  const { log } = services;
  const adopting = { ...services.deps, ledgerCheck: undefined, targets: () => assumed(services.deps.targets) };
  const { ledgerCheck: _known, ...trusted } = adopting;
  const deps = request.adopt ? trusted : services.deps;
  const owners =
    request.release === undefined
      ? [...(request.owners ?? (await everyOwner(services)))].filter(isOwnerKey)
      : await releaseHold(request.release, deps);
  if (request.adopt) await allUsable(deps);
  const outcomes: Record<string, number> = {};
  const failures: { owner: string; reason: string }[] = [];
  let left = 0;
  await pMap(
    owners,
    async (owner) => {
      if (deps.now() + SHORTEST_SLICE_MS > deadlineMs) {
        left += 1;
        return;
      }
      const kind = await converge({ owner, deadlineMs }, deps).then(
        (outcome) => outcome.kind,
        (thrown: unknown) => {
          failures.push({ owner, reason: asFailure(thrown).message });
          return 'failed';
        },
      );
      outcomes[kind] = (outcomes[kind] ?? 0) + 1;
    },
    { concurrency: OWNERS_AT_ONCE },
  );
  // Only when all of them are adopted: whoever is left out would be registered a second time.
  const settled = left === 0 && failures.length === 0 && !outcomes['unfinished'] && !outcomes['busy'];
  if (request.adopt && request.owners === undefined && settled) await services.deps.ledgerCheck?.confirm();
  const report = { owners: owners.length, outcomes, left, failures };
  const quiet = owners.length === (outcomes['unchanged'] ?? 0) + (outcomes['absent'] ?? 0);
  (quiet ? log.debug : log.info)('reconciled', {
    owners: owners.length,
    outcomes,
    left,
    failures: failures.slice(0, 10),
  });
  return report;
}

/** What is adopted at a target that is out of reach now would be sent for real later. */
async function allUsable(deps: Services['deps']): Promise<void> {
  const [problem] = (await deps.targets()).problems.filter((each) => each.registers);
  if (problem)
    throw new Failure('conflict', `nothing was adopted, because ${problem.target} cannot be used: ${problem.message}`);
}

/** Owners with an object or a row, sorted. */
async function everyOwner({ deps }: Services): Promise<string[]> {
  const owners = new Set<string>();
  for (const prefix of OWNER_PREFIXES) {
    for (let after: string | undefined, more = true; more; ) {
      const page = await deps.manifests.list(prefix, after === undefined ? {} : { after });
      for (const object of page.items) owners.add(object.key);
      after = page.next;
      more = after !== undefined;
    }
  }
  for (let after: string | undefined, more = true; more; ) {
    const page = await deps.ledger.find('owners', after === undefined ? {} : { after });
    for (const key of page.items) owners.add(key.slice('owner/'.length));
    after = page.next;
    more = after !== undefined;
  }
  return [...owners].sort();
}
