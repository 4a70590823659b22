import type { Ledger, Row } from '../ledger/ledger.ts';
import type { Manifests } from '../manifests/manifests.ts';
import type { Target, Targets } from './deps.ts';

const MARKER = 'meta/ledger';

/** Receipt of what counts as registered on a person's word. */
export const ADOPTED = 'adopted without a call';

/**
 * Whether the ledger was lost: it is empty beside status documents that say what it once knew. Then nobody knows what is at the vendors, and
 * nothing may be sent until a person confirms. A new bucket with manifests and no status is a first run.
 */
export interface LedgerCheck {
  lost(): Promise<boolean>;
  /** A person's word that the ledger may be built up from what the manifests say. */
  confirm(): Promise<void>;
}

export function ledgerCheck(ledger: Ledger, manifests: Manifests, id: () => string): LedgerCheck {
  let known = false;
  /** Written down, because the first manifest that is adopted already makes the ledger look like one that was never lost. */
  const mark = async (lost: boolean, row: Row | undefined) => {
    const body = { kind: 'ledger', version: 1, lost };
    await ledger.write({ key: MARKER, rev: id(), body }, row?.rev ?? null);
  };
  return {
    async confirm() {
      const row = await ledger.get(MARKER);
      if (row?.body['lost'] !== false) await mark(false, row);
      known = true;
    },
    async lost() {
      if (known) return false;
      const row = await ledger.get(MARKER);
      if (row) {
        known = row.body['lost'] === false;
        return !known;
      }
      const owners = await ledger.find('owners', { limit: 1 });
      const statuses = await manifests.list('status/', { limit: 1 });
      // Reports of passes come last in the listing, and say nothing about lineage.
      const told = statuses.items.some(({ key }) => !key.startsWith('status/reconcile/'));
      const lost = owners.items.length === 0 && told;
      await mark(lost, undefined);
      known = !lost;
      return lost;
    },
  };
}

/** The same targets, but every register counts as done without a call, and nothing can be withdrawn. */
export async function assumed(targets: () => Promise<Targets>): Promise<Targets> {
  const { list, problems } = await targets();
  return { list: list.map(assumedTarget), problems };
}

/** One of `assumed`. */
export function assumedTarget({ circuit: _unused, ...target }: Target): Target {
  const register = async () => ({ receipt: ADOPTED, ambiguous: false });
  // Whatever the vendor shows of it counts as ours: nothing was there before us.
  const present = async () => ({ edge: false, columns: [] });
  return { ...target, assumed: true, client: target.client.register ? { register, present } : {} };
}
