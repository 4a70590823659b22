import { isOwnerKey, OWNER_PREFIXES } from '../core/owner-key.ts';
import type { ConvergeDeps } from './deps.ts';
import { decodeOwner, type OwnerState, ownerKey } from './owner.ts';
import type { ReadVanished } from './vanish-row.ts';

/** What a judge sees: the bucket, compared with the rows of all owners. */
export interface Look {
  /** Owners whose object or absence the ledger does not reflect yet, as far as it matters at this account. */
  readonly flux: readonly string[];
  /** Those of them that have no object. */
  readonly gone: readonly string[];
  /** Owners without an object that wait for this wave to be judged, with the ids of their vanishing and the edges they would lose. */
  readonly waiting: readonly { readonly owner: string; readonly id: string; readonly edges: number }[];
  /** Those that were judged with an earlier wave, and have not converged since. */
  readonly told: readonly string[];
}

/** Lists the bucket and reads the rows of all owners, once. */
export async function look(account: string, vanished: ReadVanished, wave: string, deps: ConvergeDeps): Promise<Look> {
  const flux: string[] = [];
  const gone: string[] = [];
  const waiting: { owner: string; id: string; edges: number }[] = [];
  const told: string[] = [];
  const present = new Set<string>();
  for (const prefix of OWNER_PREFIXES) {
    for await (const objects of pages((after) => deps.manifests.list(prefix, after === undefined ? {} : { after }))) {
      const owners = objects.filter((object) => isOwnerKey(object.key));
      const rows = await deps.ledger.getMany(owners.map((object) => ownerKey(object.key)));
      for (const object of owners) {
        present.add(object.key);
        const row = rows.get(ownerKey(object.key));
        if (!row || decodeOwner(row).claimed !== object.etag) flux.push(object.key);
      }
    }
  }
  for await (const keys of pages((after) => deps.ledger.find('owners', after === undefined ? {} : { after }))) {
    const absent = keys.filter((key) => !present.has(key.slice(ownerKey('').length)));
    for (const row of (await deps.ledger.getMany(absent)).values()) {
      const state = decodeOwner(row);
      const { owner, vanish, counts } = state;
      if (!isAtStake(state, account)) continue;
      if (vanish?.waits?.[account] === wave) waiting.push({ owner, id: vanish.id, edges: counts[account] ?? 0 });
      else if (await vanished.verdictOf(owner, vanish)) told.push(owner);
      else gone.push(owner);
    }
  }
  return { flux: [...flux, ...gone], gone, waiting, told };
}

/** Whether the absence of its object has still to be judged there. */
function isAtStake({ explicit, judged, settled, claimed, counts }: OwnerState, account: string): boolean {
  if (explicit || judged?.includes(account) || (settled && claimed === undefined)) return false;
  return Object.keys(counts).length === 0 || counts[account] !== undefined;
}

export async function* pages<T>(
  read: (after: string | undefined) => Promise<{ readonly items: readonly T[]; readonly next?: string }>,
): AsyncGenerator<readonly T[]> {
  let after: string | undefined;
  do {
    const page = await read(after);
    yield page.items;
    after = page.next;
  } while (after !== undefined);
}
