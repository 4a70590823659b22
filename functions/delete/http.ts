import { MAX_BYTES } from '../../shared/core/manifest.ts';
import { namespacesOf } from '../../shared/core/manifest-namespaces.ts';
import { parse } from '../../shared/parse.ts';
import { checkNamespaces } from '../../shared/triggers/access.ts';
import { type Answer, functionUrl, json, type Request } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { problem } from '../../shared/triggers/problem.ts';
import type { Services } from '../../shared/wiring.ts';
import { checkStored } from '../register/confined.ts';
import { answerOf, checkPreconditions, isConditional } from '../register/http.ts';
import { manifestOwner, settle } from '../register/register.ts';
import { inTurn } from '../register/turn.ts';
import { erase } from './delete.ts';
import { withdraw } from './withdraw.ts';

export const entry = functionUrl([
  {
    method: 'DELETE',
    path: '/manifests/{path+}',
    scope: 'delete',
    async handle({ params, headers, caller, deadlineMs }, services) {
      const owner = manifestOwner(params['path'] ?? '');
      await checkStored(owner, caller, services);
      const removed = isConditional(headers)
        ? await inTurn(owner, services, deadlineMs, async () => {
            const stored = await services.deps.manifests.head(owner);
            if (stored === undefined) return false;
            checkPreconditions(owner, headers, stored.etag);
            return erase(owner, services);
          })
        : await erase(owner, services);
      if (!removed) return problem(404, `there is no manifest ${owner}`);
      return answerOf(owner, await settle(owner, services, deadlineMs));
    },
  },
  { method: 'POST', path: '/lineage/withdraw', scope: 'delete', handle: withdrawEdges },
  // The same for clients that send a body with DELETE.
  { method: 'DELETE', path: '/lineage', scope: 'delete', handle: withdrawEdges },
]);

export const handler = onLambda(entry);

async function withdrawEdges({ headers, body, caller, deadlineMs }: Request, services: Services): Promise<Answer> {
  const format = /\byaml\b/i.test(headers['content-type'] ?? '') ? 'yaml' : 'json';
  if (body.byteLength > MAX_BYTES[format]) return problem(413, `a manifest may have ${MAX_BYTES[format]} bytes`);
  const parsed = await (services.deps.parse ?? parse)(body, format);
  if ('problems' in parsed) return problem(400, 'the manifest has problems; nothing was withdrawn', parsed.problems);
  checkNamespaces(caller, namespacesOf(parsed.manifest));
  const { finished, ...said } = await withdraw(parsed.manifest, caller, services, deadlineMs);
  const known = said.edges.some((edge) => edge.withdrawn.length > 0 || edge.holders.length > 0);
  if (!known && said.edges.length > 0) return problem(404, 'no manifest declares any of these edges');
  return json(finished ? 200 : 202, said);
}
