import { commit } from '../../shared/converge/commit.ts';
import type { ConvergeDeps, Target } from '../../shared/converge/deps.ts';
import { digest } from '../../shared/core/digest.ts';
import { canonicalJson, type Json, type JsonObject } from '../../shared/core/json.ts';
import type { Row } from '../../shared/ledger/ledger.ts';

/**
 * How far a target has been scanned. A scan may take several passes; its number grows when it is complete, so whatever was
 * last seen two numbers ago has been absent from two complete scans, unless one of them was given up: `unbroken` tells.
 */
interface ScanState {
  readonly account: string;
  /** Digest of the filters: with others, another set of deployments is looked for. */
  readonly filter: string;
  readonly number: number;
  /** The first scan after which nothing has failed; only from there on scans count as consecutive. */
  readonly unbroken: number;
  /** The same for namespaces whose list failed while others were read. */
  readonly broken?: readonly { readonly namespace: string; readonly unbroken: number }[];
  readonly lease?: { readonly token: string; readonly until: number };
}

/** The scan a pass works on; nobody else does meanwhile. */
export interface Scan extends Omit<ScanState, 'lease'> {
  readonly target: string;
  readonly row: Row;
}

/** What is remembered of a deployment's owner. */
export interface Sourced {
  readonly owner: string;
  readonly account: string;
  /** Number of the scan that listed it last. */
  readonly seen: number;
  /** Of the object as we left it, and of the text that Flink asks for. */
  readonly etag?: string;
  readonly content?: string;
  /** Flink shows less than is declared: the text that would say so, and the scan that saw it. */
  readonly less?: { readonly content: string; readonly scan: number };
  /** Why it could not be read or taken in when it was last tried; told in every pass until it can. */
  readonly failed?: string;
}

/** How a pass leaves a scan. `anew`: it is given up, and the next pass reads everything again. */
export type ScanEnd = 'complete' | 'partial' | 'failed' | 'anew';

/** Rows of deployments that are never seen again go by themselves. */
const KEEP_SECONDS = 90 * 86_400;

const scanKey = (target: string): string => `flink-scan/${target}`;
const sourcedKey = (owner: string): string => `flink-source/${owner}`;

/** Begins a scan or goes on with one; undefined while another pass is at it. */
export async function beginScan(
  target: Target,
  filters: Json,
  deadlineMs: number,
  deps: ConvergeDeps,
): Promise<Scan | undefined> {
  const { clockSkewMs, ledgerTimeoutMs } = deps.settings;
  const filter = digest(canonicalJson(filters));
  const stored = await deps.ledger.get(scanKey(target.name));
  const known = stored?.body as unknown as ScanState | undefined;
  if (known?.lease && deps.alive(known.lease)) return undefined;
  const same = known?.account === target.account && known.filter === filter;
  const number = same ? known.number : (known?.number ?? 0) + 1;
  const broken = same && known.broken !== undefined ? { broken: known.broken } : {};
  const state = { account: target.account, filter, number, unbroken: same ? known.unbroken : number, ...broken };
  const lease = { token: deps.id(), until: deadlineMs + 2 * clockSkewMs + ledgerTimeoutMs };
  const row = rowOf(target.name, { ...state, lease }, deps);
  return (await commit(deps.ledger, row, stored?.rev ?? null)) ? { ...state, target: target.name, row } : undefined;
}

/** Lets go of a scan: complete, to be continued, broken off by a failure, or given up. `unlisted` are namespaces that count as broken off. */
export async function endScan(
  scan: Scan,
  how: ScanEnd,
  deps: ConvergeDeps,
  unlisted: readonly string[] = [],
): Promise<void> {
  const { account, filter } = scan;
  const number = how === 'complete' || how === 'anew' ? scan.number + 1 : scan.number;
  const next: ScanState = {
    account,
    filter,
    number,
    unbroken: how === 'failed' || how === 'anew' ? number : scan.unbroken,
    broken: [
      ...(scan.broken ?? []).filter(({ namespace }) => !unlisted.includes(namespace)),
      ...unlisted.map((namespace) => ({ namespace, unbroken: number })),
    ],
  };
  await commit(deps.ledger, rowOf(scan.target, next, deps), scan.row.rev);
}

/** The scan as it counts for a namespace. */
export function scanIn(scan: Scan, namespace: string): Scan {
  const own = scan.broken?.find((each) => each.namespace === namespace)?.unbroken ?? 0;
  return { ...scan, unbroken: Math.max(scan.unbroken, own) };
}

/** Whether something last seen in scan `seen` is missing from two consecutive complete scans, this one being complete. */
export function twiceAbsent(seen: number, { number, unbroken }: Scan): boolean {
  return seen <= number - 2 && number - 1 >= unbroken;
}

/** What is remembered of these owners, with the rows to write it back to. */
export async function readSourced(
  owners: readonly string[],
  deps: ConvergeDeps,
): Promise<ReadonlyMap<string, { readonly row: Row; readonly sourced: Sourced }>> {
  const found = new Map<string, { row: Row; sourced: Sourced }>();
  for (let at = 0; at < owners.length; at += 100) {
    const rows = await deps.ledger.getMany(owners.slice(at, at + 100).map(sourcedKey));
    for (const row of rows.values()) {
      const { kind: _kind, version: _version, ...sourced } = row.body;
      found.set(String(row.body['owner']), { row, sourced: sourced as unknown as Sourced });
    }
  }
  return found;
}

/** False when somebody else has written it meanwhile. */
export function writeSourced(sourced: Sourced, before: Row | undefined, deps: ConvergeDeps): Promise<boolean> {
  const body = { kind: 'flink-source', version: 1, ...sourced } as unknown as JsonObject;
  const expiresAt = Math.ceil(deps.now() / 1_000) + KEEP_SECONDS;
  const row: Row = { key: sourcedKey(sourced.owner), rev: deps.id(), body, expiresAt };
  return commit(deps.ledger, row, before?.rev ?? null);
}

function rowOf(target: string, state: ScanState, deps: ConvergeDeps): Row {
  const body = { kind: 'flink-scan', version: 1, ...state } as unknown as JsonObject;
  return { key: scanKey(target), rev: deps.id(), body };
}
