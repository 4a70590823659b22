import {
  PLAN_VERDICTS,
  type PlanChange,
  type PlanDocument,
  type PlanSummary,
  type PlanVerdict,
} from '../core/plan-document.ts';
import { visible } from './words.ts';

/** How a verdict is told: with a sign, so that nobody needs the colour. */
export interface VerdictLook {
  readonly glyph: string;
  readonly word: string;
  /** For a count: "3 to create". */
  readonly counted: string;
  readonly color: 'red' | 'green' | 'yellow' | 'cyan' | 'magenta' | 'gray';
}

export const VERDICT_LOOKS: Readonly<Record<PlanVerdict, VerdictLook>> = {
  failed: { glyph: '✕', word: 'failed', counted: 'refused by the vendor', color: 'red' },
  held: { glyph: '‖', word: 'held', counted: 'held', color: 'magenta' },
  withdraw: { glyph: '-', word: 'withdraw', counted: 'to withdraw', color: 'red' },
  drifted: { glyph: '≠', word: 'drifted', counted: 'drifted, to correct', color: 'yellow' },
  update: { glyph: '~', word: 'update', counted: 'to update', color: 'yellow' },
  create: { glyph: '+', word: 'create', counted: 'to create', color: 'green' },
  adopt: { glyph: '⊕', word: 'adopt', counted: 'to adopt', color: 'green' },
  conflict: { glyph: '!', word: 'conflict', counted: 'in conflict', color: 'yellow' },
  unresolved: { glyph: '?', word: 'unresolved', counted: 'unresolved', color: 'yellow' },
  unknown: { glyph: '?', word: 'unknown', counted: 'unknown', color: 'yellow' },
  'left-behind': { glyph: '∅', word: 'left behind', counted: 'left behind', color: 'gray' },
  foreign: { glyph: '·', word: 'foreign', counted: 'foreign', color: 'gray' },
};

/** `3 to create, 1 held` in the order of the verdicts; "nothing to do" for none. */
export function countsOf(summary: Partial<PlanSummary>): string {
  const said = PLAN_VERDICTS.flatMap((verdict) => {
    const count = summary[verdict] ?? 0;
    return count === 0 ? [] : [`${grouped(count)} ${VERDICT_LOOKS[verdict].counted}`];
  });
  return said.length === 0 ? 'nothing to do' : said.join(', ');
}

/** What one release lets go, or what is held without one. */
export interface HeldGroup {
  readonly edges: number;
  readonly owners: number;
  readonly reason: string;
  /** Method, path and body as one sends them. */
  readonly request?: string;
  /** ISO 8601, and how long that is before the plan was made. */
  readonly since?: string;
  readonly age?: string;
}

/** Held changes by what releases them, the largest first. */
export function heldGroups(plan: Pick<PlanDocument, 'changes' | 'at'>): readonly HeldGroup[] {
  const groups = new Map<string, { change: PlanChange; edges: number; owners: Set<string> }>();
  for (const change of plan.changes) {
    if (change.verdict !== 'held') continue;
    const key = `${change.release?.id ?? ''}\n${change.reason}`;
    const group = groups.get(key) ?? { change, edges: 0, owners: new Set() };
    group.edges += 1;
    group.owners.add(change.owner);
    groups.set(key, group);
  }
  return [...groups.values()]
    .sort((a, b) => b.edges - a.edges || (a.change.reason < b.change.reason ? -1 : 1))
    .map(({ change: { reason, release }, edges, owners }) => ({
      edges,
      owners: owners.size,
      reason,
      ...(release === undefined
        ? {}
        : {
            request: `${release.method} ${release.path} ${JSON.stringify(release.body)}`,
            since: release.since,
            age: duration((Date.parse(plan.at) - Date.parse(release.since)) / 1_000),
          }),
    }));
}

/** What a release does, as one asks for it: "to withdraw them"; and, should that not be wanted, what to do instead. */
export function releaseWords({ reason }: Pick<HeldGroup, 'reason'>): {
  readonly ask: string;
  readonly instead?: string;
} {
  if (reason.startsWith('withdraw:')) {
    return { ask: 'to withdraw them', instead: 'to keep them, put what declared them back' };
  }
  return { ask: reason.startsWith('create:') ? 'to create them' : 'to apply it' };
}

/** "dataarts cannot delete: 4 edges stay", for each target that it is true of. */
export function leftBehind(changes: readonly PlanChange[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { verdict, target } of changes) {
    if (verdict === 'left-behind') counts.set(target, (counts.get(target) ?? 0) + 1);
  }
  return [...counts].map(
    ([target, count]) => `${target} cannot delete: ${edgesWord(count)} ${count === 1 ? 'stays' : 'stay'}`,
  );
}

export const edgesWord = (count: number): string => `${grouped(count)} edge${count === 1 ? '' : 's'}`;
export const manifestsWord = (count: number): string => `${grouped(count)} manifest${count === 1 ? '' : 's'}`;

/** 12,345: the same everywhere, whatever the machine's language. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

/** Seconds as people say them: `56 h`, `3 min`, `12 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7_200) return `${Math.round(whole / 60)} min`;
  if (whole < 3 * 86_400) return `${Math.round(whole / 3_600)} h`;
  return `${Math.round(whole / 86_400)} days`;
}

/** `15 calls to dataphin, at least 3 s` */
export function effortOf({ calls, etaSeconds }: Pick<PlanDocument, 'calls' | 'etaSeconds'>): string {
  const parts = Object.entries(calls).map(
    ([target, count]) => `${grouped(count)} call${count === 1 ? '' : 's'} to ${target}`,
  );
  if (parts.length === 0) return 'no vendor call';
  const eta = etaSeconds === undefined ? '' : `, at least ${duration(etaSeconds)} under the vendors' budgets`;
  return `${parts.join(', ')}${eta}`;
}

/** `+ id, total; - old` */
export function columnsOf({ columns }: Pick<PlanChange, 'columns'>, most: number): string {
  if (!columns) return '';
  const said = (sign: string, pairs: readonly (readonly [string, string])[]): string[] => {
    if (pairs.length === 0) return [];
    const shown = pairs.slice(0, most).map(([from, to]) => (from === to ? from : `${from} → ${to}`));
    const more = pairs.length > most ? ` and ${grouped(pairs.length - most)} more` : '';
    return [`${sign} ${shown.join(', ')}${more}`];
  };
  return [...said('+', columns.add), ...said('-', columns.remove)].join('; ');
}

/** User text for a document of one line: no control characters, and none that turn the direction of what follows. */
export function plainText(text: string): string {
  return visible(text).replace(/[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '\ufffd');
}

/** Changes by owner, in their order. */
export function byOwner(changes: readonly PlanChange[]): Map<string, PlanChange[]> {
  const owners = new Map<string, PlanChange[]>();
  for (const change of changes) {
    const list = owners.get(change.owner);
    if (list) list.push(change);
    else owners.set(change.owner, [change]);
  }
  return owners;
}

/** How many of each verdict. */
export function tally(changes: readonly PlanChange[]): Partial<Record<PlanVerdict, number>> {
  const counts: Partial<Record<PlanVerdict, number>> = {};
  for (const { verdict } of changes) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}
