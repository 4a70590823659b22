import { createHash } from 'node:crypto';
import type { Problem } from '../../shared/core/edge.ts';
import { Failure } from '../../shared/core/failure.ts';
import { MAX_BYTES, type Manifest } from '../../shared/core/manifest.ts';
import { formatOf, httpOwner, statusKey } from '../../shared/core/owner-key.ts';
import { foreignKeys } from '../../shared/core/written-keys.ts';
import { parse, withLines } from '../../shared/parse.ts';
import { checkOwner } from '../../shared/triggers/access.ts';
import { type Answer, functionUrl, json, type Request } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { problem } from '../../shared/triggers/problem.ts';
import { namesTag } from '../../shared/triggers/url-payload.ts';
import type { Services } from '../../shared/wiring.ts';
import { checkDeclared, checkStored } from './confined.ts';
import { manifestOwner, register, type Settled, settle } from './register.ts';
import { replay, replayQuestion } from './replay.ts';
import { inTurn } from './turn.ts';

export const entry = functionUrl([
  {
    method: 'PUT',
    path: '/manifests/{path+}',
    scope: 'register',
    async handle({ params, headers, body, caller, deadlineMs }, services) {
      const owner = manifestOwner(params['path'] ?? '');
      const large = tooLarge(body, formatOf(owner));
      if (large) return large;
      await checkStored(owner, caller, services);
      const check = (manifest: Manifest) => checkDeclared(owner, manifest, caller, services);
      return answerOf(
        owner,
        await register(owner, body, putInTurn(owner, headers, services, deadlineMs), deadlineMs, check),
      );
    },
  },
  {
    method: 'POST',
    path: '/lineage',
    scope: 'register',
    async handle({ headers, body, caller, deadlineMs }, services) {
      const format = /\byaml\b/i.test(headers['content-type'] ?? '') ? 'yaml' : 'json';
      const large = tooLarge(body, format);
      if (large) return large;
      const parsed = await (services.deps.parse ?? parse)(body, format);
      if ('problems' in parsed) return answerOf('', parsed);
      const stored = format === 'json' ? body : Buffer.from(JSON.stringify(parsed.manifest));
      const owner = httpOwner(parsed.manifest.job ?? createHash('sha256').update(stored).digest('hex'));
      checkOwner(caller, owner);
      await checkDeclared(owner, parsed.manifest, caller, services);
      const foreign = foreignKeys(owner, parsed.manifest);
      if (foreign.length > 0)
        return answerOf(owner, { problems: await withLines(foreign, body, format, services.deps.lines) });
      const largeAsJson = tooLarge(stored, 'json');
      if (largeAsJson) return largeAsJson;
      // A withdrawal that is changing what was stored before would overwrite it.
      await inTurn(owner, services, deadlineMs, async () => {
        await checkStored(owner, caller, services);
        await services.deps.manifests.put(owner, stored, 'application/json');
      });
      return answerOf(owner, await settle(owner, services, deadlineMs));
    },
  },
  {
    method: 'POST',
    path: '/replay',
    scope: 'register',
    async handle({ body, caller, deadlineMs }, services) {
      if (caller.owners !== undefined || caller.namespaces !== undefined)
        return problem(403, `the key of ${caller.name} is confined, and the archive holds events of everybody`);
      const read = replayQuestion.safeParse(jsonOf(body));
      if (read.success) return json(200, await replay(read.data, services, deadlineMs));
      const problems = read.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
      return problem(400, 'the question has problems', problems);
    },
  },
]);

export const handler = onLambda(entry);

export const isConditional = (headers: Request['headers']): boolean =>
  (headers['if-match'] ?? headers['if-none-match']) !== undefined;

/**
 * The same services, where the object of a conditional request is put in its turn, and only if `checkPreconditions` lets it be: of two
 * that have seen the same object one is refused. What has no condition needs nothing but the bucket.
 */
function putInTurn(owner: string, headers: Request['headers'], services: Services, deadlineMs: number): Services {
  if (!isConditional(headers)) return services;
  const { manifests } = services.deps;
  const put: typeof manifests.put = (key, ...what) => {
    if (key !== owner) return manifests.put(key, ...what);
    return inTurn(owner, services, deadlineMs, async () => {
      checkPreconditions(owner, headers, (await manifests.head(owner))?.etag);
      return manifests.put(key, ...what);
    });
  };
  return { ...services, deps: { ...services.deps, manifests: { ...manifests, put } } };
}

/**
 * Throws `Failure` `precondition-failed` unless what is stored (`etag`; undefined: nothing) is what If-Match and If-None-Match of a request
 * want (RFC 9110, 13.1, read 2026-11). To be asked in the owner's turn. The bucket itself compares nothing, so what is stored without a
 * condition between this and the change is not seen.
 */
export function checkPreconditions(owner: string, headers: Request['headers'], etag: string | undefined): void {
  const { 'if-match': wanted, 'if-none-match': unwanted } = headers;
  let message: string | undefined;
  if (wanted !== undefined && !namesTag(wanted, etag, 'strong'))
    message =
      etag === undefined ? `there is no manifest ${owner}` : `${owner} is not what If-Match names; get it again`;
  else if (unwanted !== undefined && namesTag(unwanted, etag, 'weak'))
    message = `${owner} is there already, or is what If-None-Match names`;
  if (message === undefined) return;
  throw new Failure('conflict', `${message}; nothing was changed`, { code: 'precondition-failed' });
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
}

function tooLarge(body: Uint8Array, format: 'json' | 'yaml'): Answer | undefined {
  const limit = MAX_BYTES[format];
  if (body.byteLength <= limit) return undefined;
  return problem(
    413,
    format === 'yaml'
      ? `a manifest in YAML may have ${limit} bytes; write it as JSON (${MAX_BYTES.json} bytes), or split it into several`
      : `a manifest may have ${limit} bytes; split it into several`,
  );
}

export function answerOf(owner: string, result: Settled | { readonly problems: readonly Problem[] }): Answer {
  if ('problems' in result) return problem(400, 'the manifest has problems; nothing was stored', result.problems);
  const location = `/${statusKey(owner).split('/').map(encodeURIComponent).join('/')}`.replace(/\.json$/, '');
  if (result.finished && result.status) return json(200, result.status, { location });
  return json(202, result.status ?? { owner, state: 'pending', edges: [] }, { location });
}
