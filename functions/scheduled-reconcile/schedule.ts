import { onLambda } from '../../shared/triggers/lambda.ts';
import { scheduled } from '../../shared/triggers/schedule.ts';
import { reconcile } from './reconcile.ts';

export const entry = scheduled((services, deadlineMs) => reconcile(services, deadlineMs, {}));
export const handler = onLambda(entry);
