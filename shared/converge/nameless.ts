import pMap from 'p-map';
import { digest } from '../core/digest.ts';
import { namelessUnit } from '../core/nameless.ts';
import { unitIndex } from '../core/unit-index.ts';
import { encodeUnit, type UnitState } from '../core/unit-state.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
import type { Desired } from './desired.ts';

const PREFIX = 'nameless/';
const AT_ONCE = 8;
const PAGE = 1_000;

const namelessIndex = (owner: string): string => `nameless:${digest(owner)}`;

/**
 * Keeps what an owner declares and no vendor has a name for where questions look for edges, so that "what feeds this table?" has an
 * answer before somebody writes a rule. Writes only what changed; whoever dies in between does the rest the next time.
 */
export async function rememberNameless(owner: string, desired: Desired, deps: ConvergeDeps): Promise<void> {
  if (desired.kind === 'unreadable') return;
  // While a target cannot be reached, its edges are no less named.
  if (desired.kind === 'declared' && desired.unresolved.some((each) => each.unreachable)) return;
  const pairs = desired.kind === 'declared' ? desired.nameless.pairs : [];
  const targets = desired.kind === 'declared' ? desired.nameless.targets : [];
  const wanted = new Map<string, UnitState>();
  for (const pair of pairs) {
    const unit = namelessUnit(pair, owner, targets, deps.now());
    wanted.set(`${PREFIX}${unit.id}`, unit);
  }
  const there = await namelessKeys(owner, deps.ledger);
  const news = [...wanted].filter(([key]) => !there.has(key));
  const gone = [...there].filter((key) => !wanted.has(key));
  const index = namelessIndex(owner);
  const write = ([key, unit]: readonly [string, UnitState]) =>
    commit(deps.ledger, { key, rev: deps.id(), body: encodeUnit(unit), index: [...unitIndex(unit), index] }, null);
  await pMap(news, write, { concurrency: AT_ONCE });
  await pMap(
    gone,
    async (key) => {
      const row = await deps.ledger.get(key);
      if (row) await deps.ledger.remove(key, row.rev);
    },
    { concurrency: AT_ONCE },
  );
}

/** Ledger keys of these edges of an owner. */
export async function namelessKeys(owner: string, ledger: Pick<Ledger, 'find'>): Promise<Set<string>> {
  const keys = new Set<string>();
  let after: string | undefined;
  do {
    const page = await ledger.find(namelessIndex(owner), { limit: PAGE, ...(after === undefined ? {} : { after }) });
    for (const key of page.items) keys.add(key);
    after = page.next;
  } while (after !== undefined);
  return keys;
}
