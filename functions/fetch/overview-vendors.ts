import type { StatusDocument } from '../../shared/converge/status.ts';
import { budgetKey, circuitKey, usedOn } from '../../shared/core/account-rows.ts';
import { asFailure } from '../../shared/core/failure.ts';
import { NAMELESS } from '../../shared/core/nameless.ts';
import { etaSeconds } from '../../shared/core/plan-document.ts';
import { decodeUnit } from '../../shared/core/unit-state.ts';
import type { Services } from '../../shared/wiring.ts';

/** How a target stands: whether it can be used, what of its budget is taken, and how long what waits will take. */
export interface VendorState {
  readonly target: string;
  readonly title: string;
  /** Why it cannot be used at all. */
  readonly problem?: string;
  /** What may be done there, unless everything. */
  readonly mode?: string;
  /** It refuses our credentials; tried again at `retryAt`. */
  readonly refused?: { readonly reason: string; readonly retryAt: string };
  readonly budget?: {
    readonly callsPerSecond?: number;
    readonly callsPerDay?: number;
    /** Calls taken since midnight UTC. */
    readonly usedToday: number;
  };
  /** Edges of the manifests shown that wait for it. */
  readonly waiting: number;
  /** How long their calls take at least, under the budget. */
  readonly etaSeconds?: number;
}

interface Known {
  readonly target: string;
  readonly title: string;
  readonly account?: string;
  readonly problem?: string;
  readonly mode?: string;
  readonly limits?: { readonly callsPerSecond?: number; readonly callsPerDay?: number };
}

/** From the targets as configured, and the rows that all processes keep of them in the ledger. */
export async function vendorStates(
  services: Services,
  statuses: readonly (StatusDocument | undefined)[],
): Promise<readonly VendorState[]> {
  const { deps, log } = services;
  const known = await configured(services);
  const accounts = [...new Set(known.flatMap(({ account }) => account ?? []))];
  const keys = accounts.flatMap((account) => [budgetKey(account), circuitKey(account)]);
  const rows = await deps.ledger.getMany(keys).catch((thrown: unknown) => {
    log.warn('what vendors allow could not be read', { reason: asFailure(thrown).message });
    return new Map<string, never>();
  });
  const today = new Date(deps.now()).toISOString().slice(0, 10);
  return known.map(({ account, limits, ...rest }) => {
    const taken = rows.get(budgetKey(account ?? ''))?.body;
    const opened = rows.get(circuitKey(account ?? ''))?.body['opened'] as
      | { reason: string; retryAt: number }
      | undefined;
    const used = usedOn(today, taken);
    const waiting = waitingAt(rest.target, statuses);
    const eta = etaSeconds({ here: waiting }, { here: { ...limits, usedToday: used } }, deps.now());
    return {
      ...rest,
      waiting,
      ...(opened ? { refused: { reason: opened.reason, retryAt: new Date(opened.retryAt).toISOString() } } : {}),
      ...(limits || taken ? { budget: { ...limits, usedToday: used } } : {}),
      ...(eta === undefined ? {} : { etaSeconds: eta }),
    };
  });
}

/** A public function may not read the vendors' secrets: then what the ledger knows of their accounts must do. */
async function configured(services: Services): Promise<readonly Known[]> {
  const { list, problems } = await services.deps.targets().catch(() => ({ list: [], problems: [] }));
  if (list.length + problems.length === 0) return seenInLedger(services);
  return [
    ...list.map(({ name, vendor, account, mode, budget }) => {
      const limited = budget && (budget.callsPerSecond !== undefined || budget.callsPerDay !== undefined);
      return {
        target: name,
        title: vendor.title,
        account,
        ...(mode === undefined || mode === 'sync' ? {} : { mode }),
        ...(limited ? { limits: budget } : {}),
      };
    }),
    ...problems.map(({ target, message }) => ({ target, title: target, problem: message })),
  ];
}

const SAMPLE = 50;

async function seenInLedger({ deps }: Services): Promise<readonly Known[]> {
  const page = await deps.ledger.find('units', { limit: SAMPLE });
  const rows = await deps.ledger.getMany(page.items);
  const seen = new Map<string, Known>();
  for (const row of rows.values()) {
    const { target, account } = decodeUnit(row.body);
    if (account !== NAMELESS) seen.set(target, { target, title: target, account });
  }
  return [...seen.values()].sort((a, b) => (a.target < b.target ? -1 : 1));
}

function waitingAt(target: string, statuses: readonly (StatusDocument | undefined)[]): number {
  const edges = statuses.flatMap((status) => status?.edges ?? []);
  return edges.filter((edge) => edge.target === target && edge.outcome === 'pending').length;
}
