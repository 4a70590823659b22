import type { Context } from 'aws-lambda';
import { isSampled, traced } from '../trace.ts';
import type { Services } from '../wiring.ts';

/**
 * The handler, with the platform's request id in every line that is written meanwhile. When it ends, however it ends, the numbers that
 * were gathered are told: a process that waits for its next event may be frozen, or gone.
 */
export function told<Event, Result>(
  services: Services,
  handler: (event: Event, context: Context) => Promise<Result>,
): (event: Event, context: Context) => Promise<Result> {
  const { metrics } = services.deps;
  let cold = true;
  return (event, context) => {
    const { awsRequestId: id, functionName } = context;
    if (cold) metrics?.add('ColdStarts', 1);
    cold = false;
    const run = async () => {
      try {
        return await handler(event, context);
      } finally {
        metrics?.flush({ function: functionName, request_id: id });
      }
    };
    return traced({ request_id: id }, run, isSampled(id, services.settings.logSample));
  };
}
