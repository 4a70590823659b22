import { commit } from '../converge/commit.ts';
import type { JsonObject } from '../core/json.ts';
import type { Row } from '../ledger/ledger.ts';
import type { Services } from '../wiring.ts';
import { NEW } from './archive.ts';

/** Objects of one window that go into one batch. Written down before the batch is, so that whoever goes on makes the same one. */
export interface Slice {
  /** Names below the window's prefix, in order. */
  readonly names: readonly string[];
  /** The last name that was looked at for it; it may be of an object that cannot be read. */
  readonly through: string;
  /** Their batch is there; these are still to be removed. */
  readonly stored?: true;
}

/** How far a window has been put together. */
export interface WindowState {
  /** Objects up to this name have been dealt with; the slice begins behind it. */
  readonly after?: string;
  readonly slice?: Slice;
  /** Slices hold no more objects than this: larger ones have taken too long. */
  readonly most?: number;
  readonly lease?: { readonly token: string; readonly until: number };
}

/** The one run that puts a window together now. */
export interface Turn {
  readonly window: string;
  /** Keys of the window's objects begin with it. */
  readonly prefix: string;
  state(): WindowState;
  /** What the next `save` or `end` writes down; until then the slice counts as not done, and is found done. */
  note(next: WindowState): void;
  /** False when another run has taken over, after this one's time: whatever this one meant to do is that one's now. */
  save(next: WindowState): Promise<boolean>;
  /** Writes down how far it has come, or, when `all` is done, nothing, and lets the next run begin. */
  end(all: boolean): Promise<void>;
}

const DAY_MS = 86_400_000;

const rowKey = (window: string): string => `ol/archive/${window}`;

/** Takes a window, unless another run has it (then until when), or nothing is there (undefined). */
export async function takeTurn(
  window: string,
  services: Services,
  deadlineMs: number,
): Promise<Turn | { readonly busyUntil: number } | undefined> {
  const { deps } = services;
  const { clockSkewMs, ledgerTimeoutMs } = deps.settings;
  const lease = { token: deps.id(), until: deadlineMs + 2 * clockSkewMs + ledgerTimeoutMs };
  const prefix = `${NEW}${window}/`;
  for (;;) {
    const row = await deps.ledger.get(rowKey(window));
    const state = row ? (row.body as unknown as WindowState) : {};
    if (state.lease && deps.alive(state.lease)) return { busyUntil: state.lease.until };
    if (!row && (await deps.manifests.list(prefix, { limit: 1 })).items.length === 0) return undefined;
    const taken = rowOf(window, { ...state, lease }, services);
    if (await commit(deps.ledger, taken, row?.rev ?? null)) return turnOf(taken, { window, prefix, lease }, services);
  }
}

function turnOf(
  taken: Row,
  { window, prefix, lease }: Pick<Turn, 'window' | 'prefix'> & Required<Pick<WindowState, 'lease'>>,
  services: Services,
): Turn {
  const { ledger } = services.deps;
  let row = taken;
  let state = row.body as unknown as WindowState;
  async function write(next: WindowState): Promise<boolean> {
    const written = rowOf(window, next, services);
    if (!(await commit(ledger, written, row.rev))) return false;
    row = written;
    state = next;
    return true;
  }
  return {
    window,
    prefix,
    state: () => state,
    note(next) {
      state = next;
    },
    save: (next) => write({ ...next, lease }),
    async end(all) {
      const { lease: _ended, ...rest } = state;
      if (all) await ledger.remove(row.key, row.rev);
      else await write(rest);
    },
  };
}

function rowOf(window: string, state: WindowState, { deps, settings }: Services): Row {
  // Longer than what it speaks of.
  const expiresAt = Math.ceil((deps.now() + (settings.openlineage.archiveDays + 1) * DAY_MS) / 1_000);
  return { key: rowKey(window), rev: deps.id(), body: { ...state } as unknown as JsonObject, expiresAt };
}
