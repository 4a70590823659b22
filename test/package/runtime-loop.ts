import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * What AWS's Node runtime does, in short, against the Lambda Runtime API (AWS, Using the Lambda runtime API for custom runtimes,
 * read 2026-11): load the handler, tell if that fails, then fetch an invocation, call, post what came of it, and again.
 */

interface Loaded {
  readonly [name: string]: unknown;
}

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT = '', _HANDLER = '' } = process.env;
const require = createRequire(import.meta.url);
const api = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;

function errorOf(thrown: unknown): string {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return JSON.stringify({ errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') ?? [] });
}

async function load(): Promise<(event: unknown, context: object) => Promise<unknown>> {
  const dot = _HANDLER.lastIndexOf('.');
  const base = join(LAMBDA_TASK_ROOT, _HANDLER.slice(0, dot));
  const file = ['.js', '.mjs', '.cjs'].map((ending) => base + ending).find((each) => existsSync(each));
  if (file === undefined)
    throw Object.assign(new Error(`Cannot find module ${base}`), { name: 'Runtime.ImportModuleError' });
  // Bundles are CommonJS and hold no package.json: the runtime requires those, and imports .mjs only.
  const loaded = (file.endsWith('.mjs') ? await import(pathToFileURL(file).href) : require(file)) as Loaded;
  const handler = loaded[_HANDLER.slice(dot + 1)];
  if (typeof handler !== 'function') {
    throw Object.assign(new Error(`${_HANDLER} is undefined or not exported`), { name: 'Runtime.HandlerNotFound' });
  }
  return handler as (event: unknown, context: object) => Promise<unknown>;
}

async function post(path: string, body: string): Promise<void> {
  const answer = await fetch(`${api}/${path}`, { method: 'POST', body });
  if (!answer.ok) throw new Error(`the Runtime API answered ${answer.status} to ${path}`);
}

async function loop(handler: (event: unknown, context: object) => Promise<unknown>): Promise<never> {
  for (;;) {
    const next = await fetch(`${api}/invocation/next`);
    const id = next.headers.get('lambda-runtime-aws-request-id') ?? '';
    const endsAt = Number(next.headers.get('lambda-runtime-deadline-ms'));
    const context = {
      awsRequestId: id,
      functionName: process.env['AWS_LAMBDA_FUNCTION_NAME'],
      functionVersion: process.env['AWS_LAMBDA_FUNCTION_VERSION'],
      invokedFunctionArn: next.headers.get('lambda-runtime-invoked-function-arn'),
      memoryLimitInMB: process.env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
      callbackWaitsForEmptyEventLoop: true,
      getRemainingTimeInMillis: () => endsAt - Date.now(),
    };
    let outcome: readonly [string, string];
    try {
      outcome = ['response', JSON.stringify((await handler(await next.json(), context)) ?? null)];
    } catch (thrown) {
      outcome = ['error', errorOf(thrown)];
    }
    await post(`invocation/${id}/${outcome[0]}`, outcome[1]);
  }
}

try {
  const handler = await load();
  await loop(handler);
} catch (thrown) {
  await post('init/error', errorOf(thrown)).catch(() => {});
  process.exit(1);
}
