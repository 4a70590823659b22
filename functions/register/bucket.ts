import { onLambda } from '../../shared/triggers/lambda.ts';
import { objectChanged } from '../../shared/triggers/queue.ts';
import { objectChange } from './register.ts';

export const entry = objectChanged(objectChange);
export const handler = onLambda(entry);
