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

const PERMANENT: ReadonlySet<string> = new Set(['failed', 'unresolved']);
const OPEN: ReadonlySet<string> = new Set(['pending', 'unknown', 'held']);

/** Reads the status document of the owner that was converged. `target` is the one whose answer counts. */
export function verdictOf({ finished, status }: Settled, target: string): Verdict {
  if (status === undefined) return { kind: 'retry', message: 'It was not sent in time.' };
  if (status.state === 'invalid') return { kind: 'rejected', message: status.problems?.[0]?.message ?? 'not valid' };
  const edges = status.edges.filter((each) => each.target === target);
  const refused = edges.find((each) => PERMANENT.has(each.outcome));
  if (refused) return { kind: 'rejected', ...vendorWords(refused.reason ?? 'It was refused.') };
  const open = edges.find((each) => OPEN.has(each.outcome));
  if (open) return { kind: 'retry', ...vendorWords(open.reason ?? 'It goes on by itself.') };
  if (!finished) return { kind: 'retry', message: 'It was not settled in time.' };
  if (edges.length === 0 && status.state !== 'withdrawn' && status.state !== 'converged') {
    return { kind: 'retry', message: status.problems?.[0]?.message ?? 'Nothing was sent.' };
  }
  return { kind: 'done', edges };
}

/** `Dataphin did not carry out X (HTTP 404, Some.Code): "words". Advice.` as our failures are worded. */
export function vendorWords(reason: string): {
  readonly status?: number;
  readonly code?: string;
  readonly message: string;
} {
  const [, status, code, words] = /\(HTTP (\d{3})(?:, ([\w.-]+))?\)(?:: "(.*?)"\.)?/.exec(reason) ?? [];
  return {
    ...(status === undefined ? {} : { status: Number(status) }),
    ...(code === undefined ? {} : { code }),
    message: words ?? reason,
  };
}
