import { createHash } from 'node:crypto';
import { parseDocument } from '../../shared/core/document.ts';
import type { Problem } from '../../shared/core/edge.ts';
import { MAX_BYTES } from '../../shared/core/manifest.ts';
import { formatOf, httpOwner, statusKey } from '../../shared/core/owner-key.ts';
import { checkOwner } from '../../shared/triggers/access.ts';
import { type Answer, functionUrl, json } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { problem } from '../../shared/triggers/problem.ts';
import { manifestOwner, register, type Settled } from './register.ts';

export const entry = functionUrl([
  {
    method: 'PUT',
    path: '/manifests/{path+}',
    scope: 'register',
    async handle({ params, body, caller, deadlineMs }, services) {
      const owner = manifestOwner(params['path'] ?? '');
      checkOwner(caller, owner);
      return tooLarge(body, formatOf(owner)) ?? answerOf(owner, await register(owner, body, services, deadlineMs));
    },
  },
  {
    method: 'POST',
    path: '/lineage',
    scope: 'register',
    async handle({ headers, body, caller, deadlineMs }, services) {
      const format = /\byaml\b/.test(headers['content-type'] ?? '') ? 'yaml' : 'json';
      const large = tooLarge(body, format);
      if (large) return large;
      const { value, problems } = parseDocument(body, format);
      if (problems.length > 0) return problem(400, 'the manifest has problems; nothing was stored', problems);
      const stored = format === 'json' ? body : Buffer.from(JSON.stringify(value));
      const owner = httpOwner(jobOf(value) ?? createHash('sha256').update(stored).digest('hex'));
      checkOwner(caller, owner);
      return answerOf(owner, await register(owner, stored, services, deadlineMs));
    },
  },
]);

export const handler = onLambda(entry);

function tooLarge(body: Uint8Array, format: 'json' | 'yaml'): Answer | undefined {
  const limit = MAX_BYTES[format];
  if (body.byteLength <= limit) return undefined;
  return problem(
    413,
    `a manifest in ${format.toUpperCase()} may have ${limit} bytes; split it, or drop it into the bucket under manifests/`,
  );
}

function jobOf(value: unknown): { namespace: string; name: string } | undefined {
  const job = (value as { job?: { namespace?: unknown; name?: unknown } } | null)?.job;
  return typeof job?.namespace === 'string' && typeof job.name === 'string'
    ? { namespace: job.namespace, name: job.name }
    : undefined;
}

export function answerOf(owner: string, result: Settled | { readonly problems: readonly Problem[] }): Answer {
  if ('problems' in result) return problem(400, 'the manifest has problems; nothing was stored', result.problems);
  const location = `/${statusKey(owner).split('/').map(encodeURIComponent).join('/')}`.replace(/\.json$/, '');
  if (result.finished && result.status) return json(200, result.status, { location });
  return json(202, result.status ?? { owner, state: 'pending', edges: [] }, { location });
}
