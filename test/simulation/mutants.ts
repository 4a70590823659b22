import type { ConvergeSettings } from '../../shared/converge/deps.ts';
import type { Json, JsonObject } from '../../shared/core/json.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import type { Message } from '../../shared/queue/queue.ts';
import type { Call, VendorClient, WithdrawCall } from '../../shared/vendors/vendor.ts';
import type { Invocation } from './invocation.ts';
import { READ_BACK_MUTANTS } from './mutants-read-back.ts';
import { REFUSED_MUTANTS } from './mutants-refused.ts';
import type { Profile } from './profile.ts';
import type { World } from './world.ts';

/** What becomes of a write: stored like this, or only pretended. */
export type Stored =
  | 'pretend'
  | {
      readonly row: Row;
      readonly expected: string | null;
      /** Whatever is stored now. */
      readonly force?: boolean;
      /** Removed at once. */
      readonly forget?: boolean;
    };

/** One rule of the protocol taken away, by tampering with what converge reads, writes, sends and calls; its code stays as it is. */
export interface Mutant {
  /** The watch must not look for the very thing that is taken away: what it leads to has to be seen. */
  readonly blind?: boolean;
  /** Makes the world one in which the rule is needed more often: else it would take too many schedules to find out. */
  world?(profile: Profile): Profile;
  settings?(settings: ConvergeSettings): ConvergeSettings;
  store?(row: Row, expected: string | null, world: World): Stored;
  read?(row: Row, inv: Invocation, world: World): Row;
  client?(client: VendorClient, world: World): VendorClient;
  /** Messages that are never sent. */
  loses?(message: Message, delayMs: number): boolean;
}

interface Body {
  readonly lease?: { readonly token: string; readonly until: number; readonly step?: string };
  readonly intent?: { readonly op: string; readonly mask: string; readonly until: number };
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly settled?: boolean;
  readonly hash?: string;
  readonly ticket?: string;
  readonly units?: { readonly ids?: readonly string[] };
  readonly nudge?: string;
  readonly shown?: string;
  readonly maybe?: string;
  readonly addUntil?: number;
  readonly delUntil?: number;
}

const isUnit = (row: Row): boolean => row.key.startsWith('unit/');
const isOwner = (row: Row): boolean => row.key.startsWith('owner/');
const bodyOf = (row: Row | undefined): Body => (row?.body ?? {}) as Body;
const changed = (row: Row, change: Readonly<Record<string, Json>>): Row => ({
  ...row,
  body: { ...row.body, ...change },
});

function lacking(row: Row, ...keys: string[]): Row {
  const body = Object.fromEntries(Object.entries(row.body).filter(([key]) => !keys.includes(key))) as JsonObject;
  return { ...row, body };
}

interface Vanish {
  readonly id: string;
  readonly at: number;
  readonly waits?: Readonly<Record<string, string>>;
}

interface Judged {
  readonly wave: string;
  readonly at: number;
  readonly members: { readonly owners?: Readonly<Record<string, string>>; readonly key?: string };
}

const isJudgement = (key: string): boolean => /^(vanish|verdict)[/]/.test(key);

/** By account, the wave with which an owner was judged last. */
function judgedWaves(shadow: ReadonlyMap<string, Row>, owner: string): Map<string, string> {
  const found = new Map<string, Judged>();
  for (const { key, body } of shadow.values()) {
    if (!isJudgement(key)) continue;
    const { vanished, judged = vanished?.last } = body as { vanished?: { last?: Judged }; judged?: Judged };
    const account = key.split('/')[1];
    if (!judged || account === undefined) continue;
    const rows = judged.members.key === undefined ? [] : [0, 1].map((at) => shadow.get(`${judged.members.key}/${at}`));
    const owners = { ...judged.members.owners, ...Object.assign({}, ...rows.map((row) => row?.body['owners'])) };
    if (owners[owner] !== undefined && judged.at > (found.get(account)?.at ?? 0)) found.set(account, judged);
  }
  return new Map([...found].map(([account, { wave }]) => [account, wave]));
}

/** A rule about what rows hold when stored. */
function storing(rewrite: (row: Row, world: World) => Row): Mutant {
  return { store: (row, expected, world) => ({ row: rewrite(row, world), expected }) };
}

function reading(rewrite: (row: Row, inv: Invocation, world: World) => Row): Mutant {
  return { read: rewrite };
}

function withoutIntent(op: string): Mutant {
  return {
    blind: true,
    ...storing((row) => (isUnit(row) && bodyOf(row).intent?.op === op ? lacking(row, 'intent', 'lease') : row)),
  };
}

/** Answers before the call is done, so that the next chunk leaves unconfirmed. */
function hasty<C extends Call>(
  verb: ((call: C, options: { deadlineMs: number }) => Promise<{ receipt: string; ambiguous: boolean }>) | undefined,
  world: World,
) {
  if (!verb) return undefined;
  return async (call: C, options: { deadlineMs: number }) => {
    const answer = verb(call, options);
    if (call.columns.length < world.profile.columnsPerCall) return answer;
    world.detached(answer);
    return { receipt: 'hasty', ambiguous: false };
  };
}

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'owner row ahead': storing((row, { ledger }) =>
    isOwner(row) && bodyOf(row).lease
      ? changed(row, { units: (ledger.shadow.get(row.key)?.body['units'] ?? { ids: [] }) as Json })
      : row,
  ),
  'intent before add': withoutIntent('register'),
  'intent before delete': withoutIntent('withdraw'),
  'lease until the deadline': storing((row) => {
    const { lease } = bodyOf(row);
    return lease ? changed(row, { lease: { ...lease, until: lease.until - 60_000 } as unknown as Json }) : row;
  }),
  'lease has a margin for clocks': { settings: (settings) => ({ ...settings, clockSkewMs: 0, ledgerTimeoutMs: 0 }) },
  'opposite operation waits': storing((row) => (isUnit(row) ? changed(row, { addUntil: 0, delUntil: 0 }) : row)),
  'wait as long as the late bound': {
    settings: (settings) => ({ ...settings, lateBoundMs: settings.lateBoundMs / 4 }),
  },
  'wait survives a later success': storing((row, { ledger }) => {
    const before = bodyOf(ledger.shadow.get(row.key));
    const after = bodyOf(row);
    if (!isUnit(row) || !before.intent || after.intent) return row;
    const key = before.intent.op === 'register' ? 'addUntil' : 'delUntil';
    return (after[key] ?? 0) > (before[key] ?? 0) ? row : changed(row, { [key]: 0 });
  }),
  "dead worker's intent folded as unknown": reading((row, inv) => {
    const { lease, intent } = bodyOf(row);
    return isUnit(row) && lease && intent && lease.until <= inv.now() ? lacking(row, 'intent', 'lease') : row;
  }),
  'foreign recorded once': reading((row) => (isUnit(row) ? lacking(row, 'foreign') : row)),
  'chunk confirmed before the next': {
    blind: true,
    client(client, world) {
      const register = hasty<Call>(client.register, world);
      const withdraw = hasty<WithdrawCall>(client.withdraw, world);
      if (!withdraw) return client;
      return { ...client, ...(register ? { register } : {}), withdraw };
    },
  },
  'no resend without proof': storing((row) => (isUnit(row) ? changed(row, { uncertain: [] }) : row)),
  'left behind kept': storing((row) =>
    isUnit(row) && Object.keys(bodyOf(row).claims ?? {}).length === 0
      ? changed(row, { nodes: [], uncertain: [] })
      : row,
  ),
  'id kept until settled': storing((row, { ledger }) => {
    const { settled, lease, units } = bodyOf(row);
    if (!isOwner(row) || settled || lease || !bodyOf(row).ticket || !units?.ids) return row;
    const owner = row.key.slice('owner/'.length);
    return changed(row, {
      units: { ids: units.ids.filter((id) => bodyOf(ledger.shadow.get(`unit/${id}`)).claims?.[owner]) },
    });
  }),
  tombstone: {
    // Two edges that come and go, at a vendor that is slow to do what it is told and cannot be read.
    world: (profile) => ({
      ...profile,
      settings: { ...profile.settings, graceMs: 20_000, lateBoundMs: 120_000 },
      owners: 2,
      pool: profile.pool.slice(0, 2),
      targets: ['dataphin'],
      events: 20,
      faultRate: 0.15,
      killRate: 0,
      look: false,
      sloppy: false,
      refusing: false,
      tampering: false,
      often: { remove: 12, back: 12 },
    }),
    store: (row, expected) => ({ row, expected, forget: isUnit(row) && row.expiresAt !== undefined }),
  },
  grace: {
    world: (profile) => ({ ...profile, often: { group: 14, remove: 8, back: 14 } }),
    settings: (settings) => ({ ...settings, graceMs: 0 }),
  },
  'hold sticky': storing((row) => (isOwner(row) ? lacking(row, 'held') : row)),
  'short-circuit needs settled': reading((row) => {
    const { hash, lease } = bodyOf(row);
    return isOwner(row) && hash !== undefined && !lease ? changed(row, { settled: true }) : row;
  }),
  'intent write on rev': {
    store: (row, expected, { ledger }) => {
      const step = bodyOf(row).lease?.step;
      return {
        row,
        expected,
        force: isUnit(row) && step !== undefined && bodyOf(ledger.shadow.get(row.key)).lease?.step !== step,
      };
    },
  },
  'confirm on rev': {
    store: (row, expected, { ledger }) => {
      const confirms = isUnit(row) && !bodyOf(row).intent && bodyOf(ledger.shadow.get(row.key)).intent !== undefined;
      return { row, expected, force: confirms };
    },
  },
  'hold base not ahead units': reading((row) => {
    const { settled, units } = bodyOf(row);
    return isOwner(row) && settled === false ? changed(row, { base: units as Json }) : row;
  }),
  'verdict bound to vanish id': {
    world: (profile) => ({ ...profile, often: { group: 8, remove: 8, back: 20 } }),
    ...reading((row, _inv, { ledger }) => {
      // The last verdict on an owner counts, whichever of its vanishings it was about.
      const vanishOf = (owner: string) => ledger.shadow.get(`owner/${owner}`)?.body['vanish'] as Vanish | undefined;
      const vanish = isOwner(row) ? (row.body['vanish'] as Vanish | undefined) : undefined;
      if (vanish) {
        const judged = judgedWaves(ledger.shadow, row.key.slice('owner/'.length));
        const waits = Object.keys(vanish.waits ?? {}).map((account) => [account, judged.get(account)]);
        const old = Object.fromEntries(waits.filter(([, wave]) => wave !== undefined)) as Record<string, string>;
        return changed(row, { vanish: { ...vanish, waits: { ...vanish.waits, ...old } } });
      }
      if (!isJudgement(row.key)) return row;
      const bound = JSON.parse(JSON.stringify(row.body), (key, value: Json) =>
        key === 'owners'
          ? Object.fromEntries(
              Object.entries(value as JsonObject).map(([owner, id]) => [owner, vanishOf(owner)?.id ?? id]),
            )
          : value,
      );
      return { ...row, body: bound as JsonObject };
    }),
  },
  ...READ_BACK_MUTANTS,
  ...REFUSED_MUTANTS,
  'kept until it is read back': storing((row) => (isUnit(row) ? lacking(row, 'unproved', 'taken') : row)),
  'an owner is told of drift': {
    store: (row, expected) => (isOwner(row) && bodyOf(row).nudge !== undefined ? 'pretend' : { row, expected }),
  },
  'drift is believed on the row compared': {
    store(row, expected, { ledger }) {
      const before = bodyOf(ledger.shadow.get(row.key));
      const after = bodyOf(row);
      const corrects = isUnit(row) && !after.intent && Number(`0x${after.shown}`) < Number(`0x${before.shown}`);
      return { row, expected, force: corrects && !row.rev.startsWith(before.lease?.token.split('.')[0] ?? 'nobody') };
    },
  },
  'dirty mark': {
    store(row, expected, { ledger }) {
      const { lease } = bodyOf(row);
      const before = bodyOf(ledger.shadow.get(row.key)).lease;
      const mark =
        isOwner(row) &&
        lease !== undefined &&
        lease.token === before?.token &&
        !row.rev.startsWith(lease.token.split('.')[0] ?? '');
      return mark ? 'pretend' : { row, expected };
    },
    // Nor does anybody look again when the lease has ended.
    loses: (message, delayMs) => message.kind === 'converge' && message.ticket === undefined && delayMs > 5_000,
  },
};
