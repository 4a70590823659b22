import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

/*
 * What AWS's Node runtime does, in short, against the Lambda Runtime API (AWS, Using the Lambda runtime API for custom runtimes,
 * read 2026-11): load the handler, tell if that fails, then fetch an invocation, call, post what came of it, and again.
 * Plain JavaScript, as the runtime's own loop: what it takes to start counts in the benchmarks.
 */

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT = '', _HANDLER = '' } = process.env;
const require = createRequire(import.meta.url);
// Imported, it would load Node's own fetch and WebSocket as well.
const { request } = require('node:http');

/** @param {string} method @param {string} path @param {string} [body] */
async function call(method, path, body) {
  const response = await new Promise((resolve, reject) => {
    const sent = request(`http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/${path}`, { method }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** @param {unknown} thrown */
function errorOf(thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return JSON.stringify({ errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') ?? [] });
}

async function load() {
  const dot = _HANDLER.lastIndexOf('.');
  const base = join(LAMBDA_TASK_ROOT, _HANDLER.slice(0, dot));
  const file = ['.js', '.mjs', '.cjs'].map((ending) => base + ending).find((each) => existsSync(each));
  if (file === undefined)
    throw Object.assign(new Error(`Cannot find module ${base}`), { name: 'Runtime.ImportModuleError' });
  // Bundles are CommonJS and hold no package.json: the runtime requires those, and imports .mjs only.
  const loaded = file.endsWith('.mjs') ? await import(pathToFileURL(file).href) : require(file);
  const handler = loaded[_HANDLER.slice(dot + 1)];
  if (typeof handler !== 'function') {
    throw Object.assign(new Error(`${_HANDLER} is undefined or not exported`), { name: 'Runtime.HandlerNotFound' });
  }
  return handler;
}

/** @param {string} path @param {string} body */
async function post(path, body) {
  const { status = 0 } = await call('POST', path, body);
  if (status < 200 || status > 299) throw new Error(`the Runtime API answered ${status} to ${path}`);
}

/** @param {(event: unknown, context: object) => Promise<unknown>} handler */
async function loop(handler) {
  for (;;) {
    const next = await call('GET', 'invocation/next');
    const id = String(next.headers['lambda-runtime-aws-request-id']);
    const endsAt = Number(next.headers['lambda-runtime-deadline-ms']);
    const context = {
      awsRequestId: id,
      functionName: process.env['AWS_LAMBDA_FUNCTION_NAME'],
      functionVersion: process.env['AWS_LAMBDA_FUNCTION_VERSION'],
      invokedFunctionArn: next.headers['lambda-runtime-invoked-function-arn'],
      memoryLimitInMB: process.env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
      callbackWaitsForEmptyEventLoop: true,
      getRemainingTimeInMillis: () => endsAt - Date.now(),
    };
    let outcome;
    try {
      outcome = ['response', JSON.stringify((await handler(JSON.parse(next.body), context)) ?? null)];
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
