import type middy from '@middy/core';
import type { Services } from '../wiring.ts';

/** Tells of every invocation when it ends (debug) or fails with nobody to answer for it (error), with the platform's request id. */
export function invocationLog<Event, Result>(services: Services): middy.MiddlewareObj<Event, Result> {
  const started = new WeakMap<object, number>();
  const fields = (request: middy.Request<Event, Result>) => {
    const { functionName, awsRequestId } = request.context;
    const ms = services.deps.now() - (started.get(request.internal) ?? services.deps.now());
    return { function: functionName, request_id: awsRequestId, ms };
  };
  return {
    before: (request) => {
      started.set(request.internal, services.deps.now());
    },
    // In braces: what a hook returns, a number even, would become the answer.
    after: (request) => {
      services.log.debug('invocation ended', fields(request));
    },
    onError: (request) => {
      // A response means that another middleware has made an answer of the error.
      if (request.response !== undefined) services.log.debug('invocation ended', fields(request));
      else {
        services.deps.metrics?.add('UnexpectedErrors', 1);
        services.log.error('invocation failed', { ...fields(request), reason: request.error?.message ?? '' });
      }
    },
  };
}
