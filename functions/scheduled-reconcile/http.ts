import * as z from 'zod';
import type { Applied } from '../../shared/converge/plan-apply.ts';
import { resolveUnknown } from '../../shared/converge/resolve.ts';
import { isOwnerKey } from '../../shared/core/owner-key.ts';
import { manifestsWord } from '../../shared/formats/plan-words.ts';
import { checkOwner } from '../../shared/triggers/access.ts';
import { type Answer, functionUrl, json, type Request } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { problem } from '../../shared/triggers/problem.ts';
import type { Services } from '../../shared/wiring.ts';
import { checkStored } from '../register/confined.ts';
import { answerAdoption } from './adopt-answer.ts';
import { askDeep } from './drift.ts';
import { passAsked } from './pass.ts';
import { apply, type PlanOrder, plan } from './plan.ts';
import { answerOf, answerPlan } from './plan-answer.ts';
import { reconcile } from './reconcile.ts';

const body = z.lazy(() =>
  z.strictObject({
    owners: z
      .array(z.string().refine(isOwnerKey, "not a manifest's key, e.g. manifests/orders.yaml"))
      .max(10_000)
      .optional(),
    dryRun: z.boolean().optional(),
    deep: z.boolean().optional(),
    manifests: z
      .record(z.string(), z.string())
      .refine((all) => Object.keys(all).every((key) => key.startsWith('manifests/') && isOwnerKey(key)), {
        message: 'manifests by key, e.g. manifests/orders.yaml',
      })
      .optional(),
    complete: z.boolean().optional(),
    plan: z.string().min(1).max(100).optional(),
    adopt: z.literal(true).optional(),
    release: z.string().min(1).max(100).optional(),
    resolve: z
      .strictObject({
        edge: z.string().min(1).max(100),
        as: z.enum(['registered', 'absent']),
        receipt: z.string().min(1).max(1_000).optional(),
      })
      .optional(),
  }),
);

type Body = z.output<typeof body>;

/** Owners that a refusal names; it says how many there are. */
const MOST_TOLD = 1_000;

/** What cannot be asked for at once. */
function contradiction({ dryRun: dry, deep, manifests, complete, plan, adopt, release, resolve, owners }: Body) {
  const asked = Object.entries({ dryRun: dry || undefined, plan, adopt, release, resolve });
  const both = asked.flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (both.length > 1) return `give one of ${both.join(', ')}`;
  if (!dry && ((manifests !== undefined && !adopt) || complete !== undefined)) {
    return 'manifests and complete belong to "dryRun": true (manifests to "adopt": true, too)';
  }
  if (deep !== undefined && !dry && (asked.some(([, value]) => value !== undefined) || owners !== undefined)) {
    return 'deep goes with "dryRun": true, or alone: then everything is compared with what the vendors show';
  }
  if (adopt && manifests !== undefined && owners !== undefined) return 'adopt manifests or owners, not both';
  if (plan !== undefined && owners !== undefined) return 'a plan names its owners itself; leave them out';
  return complete && manifests === undefined
    ? 'complete says that these are all manifests; give manifests, too'
    : undefined;
}

/** The owners that a request concerns, if it names them and does nothing that could reach others. */
function confinedTo({ owners, release, resolve, plan, manifests, complete }: Body): readonly string[] | undefined {
  if (release !== undefined || resolve !== undefined || plan !== undefined || complete) return undefined;
  return owners ?? (manifests === undefined ? undefined : Object.keys(manifests));
}

async function dryRun(order: Body, request: Request, services: Services): Promise<Answer> {
  for (const owner of Object.keys(order.manifests ?? {})) checkOwner(request.caller, owner);
  const { owners, deep, manifests, complete } = order;
  const given = { owners, deep, manifests, complete };
  const asked = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as PlanOrder;
  const made = await plan(asked, services, request.deadlineMs);
  if ('invalid' in made) return problem(400, 'the manifests have problems', made.invalid);
  return answerOf(made);
}

function applied(outcome: Applied): Answer {
  const { differs, outcomes } = outcome;
  if (differs.length === 0) return json(outcome.left > 0 || outcomes['unfinished'] ? 202 : 200, outcome);
  const some = Object.keys(outcomes).some((kind) => kind !== 'differs');
  const [one, count] = [differs.length === 1, manifestsWord(differs.length)];
  const detail = some
    ? `${count} changed while the plan was applied, so nothing was done to ${one ? 'it' : 'them'}; the others are done. Make a new plan`
    : `${count} ${one ? 'is' : 'are'} no longer what the plan was made of, so nothing was done. Make a new plan`;
  return problem(
    409,
    detail,
    differs.slice(0, MOST_TOLD).map((owner) => ({
      path: owner,
      message: 'its manifest, its lineage in the ledger, or what was read differs from the plan',
    })),
  );
}

export const entry = functionUrl([
  { method: 'GET', path: '/plan', scope: 'reconcile', handle: answerPlan },
  {
    method: 'POST',
    path: '/reconcile',
    scope: 'reconcile',
    instead:
      'plan fewer manifests at once (those that a pull request changes, or one folder after the other), or plan beside the data: npm run plan with DATA_DIR and no service running',
    async handle(request, services) {
      let value: unknown = {};
      try {
        if (request.body.byteLength > 0) value = JSON.parse(Buffer.from(request.body).toString('utf8'));
      } catch {
        return problem(400, 'the body is not JSON');
      }
      const parsed = body.safeParse(value);
      if (!parsed.success) {
        const errors = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
        return problem(400, 'the request has problems; nothing was done', errors);
      }
      const { owners, adopt, release, resolve, plan: checksum } = parsed.data;
      const { caller } = request;
      const muddled = contradiction(parsed.data);
      if (muddled !== undefined) return problem(400, `${muddled}; nothing was done`);
      for (const owner of owners ?? []) await checkStored(owner, caller, services);
      if ((caller.owners ?? caller.namespaces) !== undefined && confinedTo(parsed.data) === undefined) {
        return problem(
          403,
          `the key of ${caller.name} is confined to some owners; it may name them under "owners", and nothing else`,
        );
      }
      if (parsed.data.dryRun) return dryRun(parsed.data, request, services);
      if (checksum !== undefined) return applied(await apply(checksum, services, request.deadlineMs));
      if (resolve) {
        const { edge, as, receipt } = resolve;
        const found = as === 'absent' ? { as } : { as, ...(receipt === undefined ? {} : { receipt }) };
        const concerned = await resolveUnknown(edge, found, services.deps);
        return json(
          200,
          await reconcile(services, request.deadlineMs, { owners: concerned, askedAt: services.deps.now() }),
        );
      }
      if (adopt) return answerAdoption(parsed.data, request, services);
      if (parsed.data.deep) await askDeep(services.deps);
      const askedAt = services.deps.now();
      const some = { ...(owners ? { owners } : {}), ...(release === undefined ? {} : { release }) };
      const report =
        Object.keys(some).length === 0
          ? await passAsked(services, request.deadlineMs, askedAt)
          : await reconcile(services, request.deadlineMs, { ...some, askedAt });
      if (release !== undefined && report.owners === 0) {
        return problem(404, `nothing is held under ${release}; it was released, or what is held has changed since`);
      }
      return json(report.left > 0 || parsed.data.deep ? 202 : 200, report);
    },
  },
]);

export const handler = onLambda(entry);
