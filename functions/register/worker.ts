import { onLambda } from '../../shared/triggers/lambda.ts';
import { queued } from '../../shared/triggers/queue.ts';
import { work } from './register.ts';

export const entry = queued(work);
export const handler = onLambda(entry);
