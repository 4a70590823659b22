import * as z from 'zod';
import { asFailure } from '../../shared/core/failure.ts';
import { isOwnerKey, statusKey } from '../../shared/core/owner-key.ts';
import { type Answer, functionUrl, json, type Request } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { problem } from '../../shared/triggers/problem.ts';
import type { Services } from '../../shared/wiring.ts';
import { manifestOwner } from '../register/register.ts';
import { lineage } from './fetch.ts';
import { liveLineage, liveProblem, liveStart } from './live.ts';

const MAX_DEPTH = 50;
const MAX_LIMIT = 1_000;

const count = (name: string, most: number, standard: number) =>
  z.coerce.number(`${name} is a whole number`).int(`${name} is a whole number`).min(1).max(most).default(standard);

const query = z.strictObject({
  dataset: z.string().min(1).max(2_000).optional(),
  direction: z.enum(['upstream', 'downstream', 'both']).default('both'),
  depth: count('depth', MAX_DEPTH, 5),
  level: z.enum(['table', 'column']).default('table'),
  /** The ledger, or a target that is asked live. */
  from: z
    .string()
    .regex(/^(ledger|flink(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)?)$/, 'from is ledger, flink or flink/<account>')
    .default('ledger'),
  job: z.string().trim().min(1).max(2_000).optional(),
  table: z.string().trim().min(1).max(2_000).optional(),
  namespace: z.string().min(1).max(500).optional(),
  temporary: z.enum(['true', 'false']).optional(),
  format: z.literal('json').default('json'),
  after: z.string().max(2_000).optional(),
  limit: count('limit', MAX_LIMIT, MAX_LIMIT),
});

const listing = z.strictObject({
  after: z.string().max(2_000).optional(),
  limit: count('limit', MAX_LIMIT, MAX_LIMIT),
});

function read<Shape extends z.ZodType>(schema: Shape, request: Request) {
  const parsed = schema.safeParse(Object.fromEntries(request.query));
  if (parsed.success) return { value: parsed.data };
  const errors = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  return { answer: problem(400, 'the query has problems', errors) };
}

const LIVE_ONLY = ['job', 'table', 'namespace', 'temporary'] as const;

/** Asks the vendor now, and answers in the ledger's shape. */
async function live(value: z.output<typeof query>, request: Request, services: Services): Promise<Answer> {
  const { start, problems } = liveStart(value);
  if (start === undefined) return problem(400, 'the query has problems', problems);
  const { from, namespace, direction, depth, level, temporary } = value;
  const question = { start, direction, depth, level, temporary: temporary === 'true' };
  try {
    const asked = { ...question, ...(namespace === undefined ? {} : { namespace }) };
    return json(200, await liveLineage(from, asked, request.deadlineMs, services));
  } catch (thrown) {
    const answer = liveProblem(thrown);
    if (answer.status >= 500) {
      services.log.warn('a vendor could not be asked', { target: from, reason: asFailure(thrown).message });
    }
    return answer;
  }
}

export const entry = functionUrl([
  {
    method: 'GET',
    path: '/lineage',
    scope: 'fetch',
    async handle(request, services) {
      const { value, answer } = read(query, request);
      if (!value) return answer;
      if (value.from !== 'ledger') return live(value, request, services);
      const foreign = LIVE_ONLY.filter((name) => value[name] !== undefined);
      if (foreign.length > 0) {
        const errors = foreign.map((path) => ({ path, message: 'goes with from=flink only' }));
        return problem(400, 'the query has problems', errors);
      }
      const { dataset, after, direction, depth, level, limit } = value;
      const asked = { direction, depth, level, limit };
      return json(
        200,
        await lineage(
          { ...asked, ...(dataset === undefined ? {} : { dataset }), ...(after === undefined ? {} : { after }) },
          services,
        ),
      );
    },
  },
  {
    method: 'GET',
    path: '/manifests',
    scope: 'fetch',
    async handle(request, services) {
      const { value, answer } = read(listing, request);
      if (!value) return answer;
      const { after, limit } = value;
      const page = await services.deps.manifests.list('manifests/', {
        limit,
        ...(after === undefined ? {} : { after }),
      });
      const manifests = page.items.filter((each) => isOwnerKey(each.key));
      return json(200, { manifests, ...(page.next === undefined ? {} : { next: page.next }) });
    },
  },
  {
    method: 'GET',
    path: '/manifests/{path+}',
    scope: 'fetch',
    async handle({ params }, services) {
      const owner = manifestOwner(params['path'] ?? '');
      const object = await services.deps.manifests.get(owner);
      if (!object) return problem(404, `there is no manifest ${owner}`);
      const type = owner.endsWith('.json') ? 'application/json' : 'application/yaml';
      return { status: 200, headers: { 'content-type': type, etag: `"${object.etag}"` }, body: object.bytes };
    },
  },
  {
    method: 'GET',
    path: '/status/{owner+}',
    scope: 'fetch',
    async handle({ params }, services) {
      const owner = params['owner'] ?? '';
      if (!isOwnerKey(owner)) return problem(400, 'not an owner key, e.g. manifests/orders.yaml');
      const object = await services.deps.manifests.get(statusKey(owner));
      if (!object) return problem(404, `there is no status for ${owner}; it has not been converged yet`);
      return { status: 200, headers: { 'content-type': 'application/json' }, body: object.bytes };
    },
  },
]);

export const handler = onLambda(entry);
