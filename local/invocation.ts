import type { Context } from 'aws-lambda';

/** What the platform tells a function about its invocation, as far as ours look. */
export function invocation(functionName: string, timeoutMs: number, requestId: string): Context {
  const endsAt = Date.now() + timeoutMs;
  return {
    functionName,
    awsRequestId: requestId,
    getRemainingTimeInMillis: () => Math.max(0, endsAt - Date.now()),
    callbackWaitsForEmptyEventLoop: false,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:local:000000000000:function:${functionName}`,
    memoryLimitInMB: '512',
    logGroupName: '',
    logStreamName: '',
    done: () => {},
    fail: () => {},
    succeed: () => {},
  };
}
