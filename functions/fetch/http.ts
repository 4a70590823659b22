import * as z from 'zod';
import { unnamed } from '../../shared/converge/unnamed.ts';
import { isOwnerKey, statusKey } from '../../shared/core/owner-key.ts';
import { checkOwner, mayOwn } from '../../shared/triggers/access.ts';
import { functionUrl, json, type Request } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { problem } from '../../shared/triggers/problem.ts';
import { namesTag } from '../../shared/triggers/url-payload.ts';
import { manifestOwner } from '../register/register.ts';
import { answerLineage } from './answer.ts';
import { newLink, readLink } from './links.ts';
import { count, problemsOf } from './query.ts';

const MAX_LIMIT = 1_000;

const listing = z.lazy(() =>
  z.strictObject({
    after: z.string().max(2_000).optional(),
    limit: count('limit', MAX_LIMIT, MAX_LIMIT),
  }),
);

function read<Shape extends z.ZodType>(schema: Shape, request: Request) {
  const parsed = schema.safeParse(Object.fromEntries(request.query));
  if (parsed.success) return { value: parsed.data };
  return { answer: problem(400, 'the query has problems', problemsOf(parsed.error)) };
}

export const entry = functionUrl([
  {
    method: 'GET',
    path: '/lineage',
    scope: 'fetch',
    handle: (request, services) => answerLineage(request, services, { explore: true }),
  },
  {
    method: 'POST',
    path: '/links',
    scope: 'fetch',
    async handle(request, services) {
      const { value, problems } = readLink(request.body);
      if (!value) return problem(400, 'the link has problems', problems);
      return json(201, await newLink(value, services));
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
      const manifests = page.items.filter((each) => isOwnerKey(each.key) && mayOwn(request.caller, each.key));
      return json(200, { manifests, ...(page.next === undefined ? {} : { next: page.next }) });
    },
  },
  {
    method: 'GET',
    path: '/manifests/{path+}',
    scope: 'fetch',
    async handle({ params, headers, caller }, services) {
      const owner = manifestOwner(params['path'] ?? '');
      checkOwner(caller, owner);
      const object = await services.deps.manifests.get(owner);
      if (!object) return problem(404, `there is no manifest ${owner}`);
      const etag = `"${object.etag}"`;
      if (namesTag(headers['if-none-match'] ?? '', object.etag, 'weak')) return { status: 304, headers: { etag } };
      const type = owner.endsWith('.json') ? 'application/json' : 'application/yaml';
      return { status: 200, headers: { 'content-type': type, etag }, body: object.bytes };
    },
  },
  {
    method: 'GET',
    path: '/names/unresolved',
    scope: 'fetch',
    async handle(request, services) {
      const { value, answer } = read(listing, request);
      if (!value) return answer;
      const { after, limit } = value;
      return json(200, await unnamed({ limit, ...(after === undefined ? {} : { after }) }, services.deps));
    },
  },
  {
    method: 'GET',
    path: '/status/{owner+}',
    scope: 'fetch',
    async handle({ params, query, caller }, services) {
      const owner = params['owner'] ?? '';
      if (!isOwnerKey(owner)) return problem(400, 'not an owner key, e.g. manifests/orders.yaml');
      checkOwner(caller, owner);
      const part = query.get('part') ?? '1';
      if (!/^[1-9]\d{0,4}$/.test(part)) return problem(400, 'part is a number from 1');
      const object = await services.deps.manifests.get(statusKey(owner, Number(part)));
      if (!object) return problem(404, `there is no status for ${owner}; it has not been converged yet`);
      return { status: 200, headers: { 'content-type': 'application/json' }, body: object.bytes };
    },
  },
]);

export const handler = onLambda(entry);
