import * as z from 'zod';
import { readChanges, readPlan, type StoredPlan } from '../../shared/converge/plan-store.ts';
import { isOwnerKey } from '../../shared/core/owner-key.ts';
import type { PlanChange, PlanDocument } from '../../shared/core/plan-document.ts';
import { planMarkdown } from '../../shared/formats/plan-markdown.ts';
import { planTerminal } from '../../shared/formats/plan-terminal.ts';
import { checkOwner } from '../../shared/triggers/access.ts';
import { type Answer, json, type Request } from '../../shared/triggers/http.ts';
import { problem } from '../../shared/triggers/problem.ts';
import type { Services } from '../../shared/wiring.ts';
import { plan } from './plan.ts';

const PAGE = 1_000;
const FORMATS = ['json', 'markdown', 'text'] as const;
type Format = (typeof FORMATS)[number];

const query = z.lazy(() =>
  z.strictObject({
    /** `<checksum>.<number of the first change>`, as `next` gives it. */
    after: z
      .string()
      .regex(/^[A-Za-z0-9_-]{22}\.\d{1,9}$/, 'not from an earlier answer\'s "next"')
      .optional(),
    limit: z
      .string()
      .regex(/^[1-9]\d{0,3}$/, `a number from 1 to ${PAGE}`)
      .refine((value) => Number(value) <= PAGE, `a number from 1 to ${PAGE}`)
      .transform(Number)
      .default(PAGE),
    deep: z.enum(['true', 'false'], { message: 'true or false' }).default('false'),
    format: z.enum(FORMATS, { message: FORMATS.join(', ') }).optional(),
  }),
);

/** `GET /plan?owner&deep&after&limit&format`: a new plan, or with `after` a page of one that was made before. */
export async function answerPlan(request: Request, services: Services): Promise<Answer> {
  const { caller, query: given, deadlineMs } = request;
  const owners = given.getAll('owner');
  const rest = Object.fromEntries([...given].filter(([key]) => key !== 'owner'));
  const parsed = query.safeParse(rest);
  const wrong = owners.filter((owner) => !isOwnerKey(owner));
  if (!parsed.success || wrong.length > 0) {
    const errors = (parsed.error?.issues ?? []).map((issue) => ({
      path: issue.path.join('.'),
      message: issue.message,
    }));
    for (const owner of wrong)
      errors.push({ path: 'owner', message: `${owner} is not an owner key, e.g. manifests/orders.yaml` });
    return problem(400, 'the query has problems', errors);
  }
  for (const owner of owners) checkOwner(caller, owner);
  const { after, limit, deep, format = formatOf(request) } = parsed.data;
  if (after !== undefined) {
    const [checksum = '', at = '0'] = after.split('.');
    const stored = await readPlan(checksum, services.deps.manifests);
    if (!stored) return problem(404, `there is no plan ${checksum}; it may be too old. Make a new one with GET /plan`);
    for (const owner of caller.owners === undefined ? [] : (stored.scope ?? [''])) checkOwner(caller, owner);
    const changes = await readChanges(
      stored,
      Number(at),
      format === 'json' ? limit : stored.total,
      services.deps.manifests,
    );
    return answer({ ...stored, changes }, { format, from: Number(at), limit, total: stored.total });
  }
  if (caller.owners !== undefined && owners.length === 0) {
    return problem(403, `the key of ${caller.name} is confined to some owners; name them, as in GET /plan?owner=…`);
  }
  const order = { ...(owners.length > 0 ? { owners } : {}), ...(deep === 'true' ? { deep: true } : {}) };
  const made = await plan(order, services, deadlineMs);
  if ('invalid' in made) return problem(400, 'the manifests have problems', made.invalid);
  return answerOf(made, format, limit);
}

/** The first page of a plan that was just made, or all of it in the other formats. */
export function answerOf(made: PlanDocument, format: Format = 'json', limit: number = PAGE): Answer {
  return answer(made, { format, from: 0, limit, total: made.changes.length });
}

function answer(
  document: PlanDocument | StoredPlan,
  page: { readonly format: Format; readonly from: number; readonly limit: number; readonly total: number },
): Answer {
  const { format, from, limit, total } = page;
  if (format !== 'json') {
    const body = format === 'markdown' ? planMarkdown(document) : planTerminal(document, { color: false });
    return {
      status: 200,
      headers: { 'content-type': `text/${format === 'markdown' ? 'markdown' : 'plain'}; charset=utf-8` },
      body,
    };
  }
  const {
    changes,
    digests: _inside,
    standing: _too,
    ...rest
  } = document as PlanDocument & { parts?: number; total?: number };
  const { parts: _parts, ...shown } = rest;
  const sent: readonly PlanChange[] = changes.slice(0, limit);
  const next = from + sent.length;
  return json(200, {
    ...shown,
    total,
    changes: sent,
    ...(next < total ? { next: `${document.checksum}.${next}` } : {}),
  });
}

function formatOf({ headers }: Request): Format {
  const accept = headers['accept'] ?? '';
  if (/\btext\/markdown\b/i.test(accept)) return 'markdown';
  return /\btext\/plain\b/i.test(accept) ? 'text' : 'json';
}
