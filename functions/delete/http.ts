import { checkOwner } from '../../shared/triggers/access.ts';
import { functionUrl } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { problem } from '../../shared/triggers/problem.ts';
import { answerOf } from '../register/http.ts';
import { manifestOwner } from '../register/register.ts';
import { remove } from './delete.ts';

export const entry = functionUrl([
  {
    method: 'DELETE',
    path: '/manifests/{path+}',
    scope: 'delete',
    async handle({ params, caller, deadlineMs }, services) {
      const owner = manifestOwner(params['path'] ?? '');
      checkOwner(caller, owner);
      const result = await remove(owner, services, deadlineMs);
      return result ? answerOf(owner, result) : problem(404, `there is no manifest ${owner}`);
    },
  },
]);

export const handler = onLambda(entry);
