import * as z from 'zod';
import { resolveUnknown } from '../../shared/converge/resolve.ts';
import { isOwnerKey } from '../../shared/core/owner-key.ts';
import { checkOwner } from '../../shared/triggers/access.ts';
import { functionUrl, json } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { problem } from '../../shared/triggers/problem.ts';
import { reconcile } from './reconcile.ts';

const body = z.strictObject({
  owners: z.array(z.string().refine(isOwnerKey, 'not an owner key')).max(10_000).optional(),
  adopt: z.literal(true).optional(),
  release: z.string().min(1).max(100).optional(),
  resolve: z
    .strictObject({
      edge: z.string().min(1).max(100),
      as: z.enum(['registered', 'absent']),
      receipt: z.string().min(1).max(1_000).optional(),
    })
    .optional(),
});

export const entry = functionUrl([
  {
    method: 'POST',
    path: '/reconcile',
    scope: 'reconcile',
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
      const { owners, adopt, release, resolve } = parsed.data;
      const { caller } = request;
      for (const owner of owners ?? []) checkOwner(caller, owner);
      if (caller.owners !== undefined && (owners === undefined || release !== undefined || resolve !== undefined)) {
        return problem(
          403,
          `the key of ${caller.name} is confined to some owners; it may name them under "owners", and nothing else`,
        );
      }
      if (resolve) {
        const { edge, as, receipt } = resolve;
        const found = as === 'absent' ? { as } : { as, ...(receipt === undefined ? {} : { receipt }) };
        const concerned = await resolveUnknown(edge, found, services.deps);
        return json(200, await reconcile(services, request.deadlineMs, { owners: concerned }));
      }
      const report = await reconcile(services, request.deadlineMs, {
        ...(owners ? { owners } : {}),
        ...(adopt ? { adopt } : {}),
        ...(release === undefined ? {} : { release }),
      });
      if (release !== undefined && report.owners === 0) {
        return problem(404, `nothing is held under ${release}; it was released, or what is held has changed since`);
      }
      return json(report.left > 0 ? 202 : 200, report);
    },
  },
]);

export const handler = onLambda(entry);
