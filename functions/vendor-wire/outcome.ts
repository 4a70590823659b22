import type { EdgeStatus } from '../../shared/converge/status.ts';
import type { Settled } from '../register/register.ts';

/** How a vendor took what was sent on to it. */
export type Verdict =
  | { readonly kind: 'done'; readonly edges: readonly EdgeStatus[] }
  /** It refuses for good, or could not now (`retry`); in its own status, code and words where it gave some. */
  | {
      readonly kind: 'rejected' | 'retry';
      readonly status?: number;
      readonly code?: string;
      readonly message: string;
    };

/** The edges that an answer is about: at this target and, where tables are named, between them. */
export interface Concern {
  readonly target: string;
  /** As status documents call them. An owner may hold edges of earlier calls besides. */
  readonly tables?: ReadonlySet<string>;
}

const PERMANENT: ReadonlySet<string> = new Set(['failed', 'unresolved']);
const OPEN: ReadonlySet<string> = new Set(['pending', 'unknown', 'held']);

/** Reads the status document of the owner that was converged. */
export function verdictOf({ finished, status }: Settled, concern: Concern): Verdict {
  if (status === undefined) return { kind: 'retry', message: 'It was not sent in time.' };
  if (status.state === 'invalid') return { kind: 'rejected', message: status.problems?.[0]?.message ?? 'not valid' };
  const edges = edgesOf(status.edges, concern);
  const refused = edges.find((each) => PERMANENT.has(each.outcome));
  if (refused) return { kind: 'rejected', ...saidOf(refused, 'It was refused.') };
  const open = edges.find((each) => OPEN.has(each.outcome));
  if (open) return { kind: 'retry', ...saidOf(open, 'It goes on by itself.') };
  if (!finished && (concern.tables === undefined || edges.length === 0))
    return { kind: 'retry', message: 'It was not settled in time.' };
  if (edges.length === 0 && status.state !== 'withdrawn' && status.state !== 'converged') {
    return { kind: 'retry', message: status.problems?.[0]?.message ?? 'Nothing was sent.' };
  }
  return { kind: 'done', edges };
}

function edgesOf(edges: readonly EdgeStatus[], { target, tables }: Concern): readonly EdgeStatus[] {
  const there = edges.filter((each) => each.target === target);
  const own = tables === undefined ? [] : there.filter(({ from, to }) => tables.has(from) && tables.has(to));
  return own.length > 0 ? own : there;
}

function saidOf({ answer, reason }: EdgeStatus, otherwise: string): Omit<Exclude<Verdict, { kind: 'done' }>, 'kind'> {
  const { status, code, words } = answer ?? {};
  return {
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { code }),
    message: words ?? reason ?? otherwise,
  };
}
