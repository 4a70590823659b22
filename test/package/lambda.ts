import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stub } from '../contract/aws-emulators.ts';
import { ACCOUNT, REGION } from './template.ts';

/** What the platform takes as a function's answer, in bytes (AWS, Lambda quotas, read 2026-11). */
const RESPONSE_BYTES = 6 * 1024 * 1024;

export interface Failed {
  readonly errorType: string;
  readonly errorMessage: string;
}

export interface Lambda {
  /** Sends one event; the answer, or the error that the function (or its start) ended with. */
  invoke(event: unknown): Promise<{ readonly answer: unknown } | { readonly failed: Failed }>;
  /** Everything the process has printed. */
  output(): string;
  close(): Promise<void>;
}

interface Invocation {
  readonly id: string;
  readonly event: unknown;
  settle(outcome: { readonly answer: unknown } | { readonly failed: Failed }): void;
}

/**
 * One execution environment of Lambda: a process of Node 24 in the unpacked folder, with nothing in its environment but what is given and
 * what Lambda itself sets, that gets its events from a Runtime API on loopback. A process that outlives the timeout is killed.
 */
export async function startLambda(options: {
  readonly name: string;
  readonly folder: string;
  readonly handler: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, string>>;
}): Promise<Lambda> {
  const { name, folder, handler, timeoutSeconds, memoryMb, environment } = options;
  const queue: Invocation[] = [];
  const running = new Map<string, Invocation>();
  let poll: ServerResponse | undefined;
  let printed = '';
  let dead: Failed | undefined;

  const api = await stub((request, response) => {
    handle(request, response).catch((thrown: unknown) => response.destroy(thrown as Error));
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace('/2018-06-01/runtime/', '');
    if (path === 'invocation/next') {
      poll = response;
      return feed();
    }
    const body = await text(request);
    const [, id = '', kind] = /^invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    if (path === 'init/error') stop(JSON.parse(body) as Failed);
    else if (kind === 'response' && Buffer.byteLength(body) > RESPONSE_BYTES) {
      settle(id, {
        failed: { errorType: 'Function.ResponseSizeTooLarge', errorMessage: `${Buffer.byteLength(body)} bytes` },
      });
      response.statusCode = 413;
    } else if (kind === 'response') settle(id, { answer: JSON.parse(body) as unknown });
    else if (kind === 'error') settle(id, { failed: JSON.parse(body) as Failed });
    if (response.statusCode === 200) response.statusCode = 202;
    response.end();
  }

  function feed(): void {
    const next = poll && queue.shift();
    if (!poll || !next) return;
    running.set(next.id, next);
    poll.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': next.id,
      'lambda-runtime-deadline-ms': String(Date.now() + timeoutSeconds * 1_000),
      'lambda-runtime-invoked-function-arn': `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
      'lambda-runtime-trace-id': 'Root=1-6740d2c5-0123456789abcdef01234567',
    });
    poll.end(JSON.stringify(next.event));
    poll = undefined;
  }

  function settle(id: string, outcome: { readonly answer: unknown } | { readonly failed: Failed }): void {
    running.get(id)?.settle(outcome);
    running.delete(id);
  }

  function stop(failed: Failed): void {
    dead ??= failed;
    for (const each of [...running.values(), ...queue.splice(0)]) each.settle({ failed: dead });
    running.clear();
  }

  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, 'runtime-loop.mjs')], {
    cwd: folder,
    env: {
      ...environment,
      _HANDLER: handler,
      LAMBDA_TASK_ROOT: folder,
      AWS_LAMBDA_RUNTIME_API: new URL(api.url).host,
      AWS_LAMBDA_FUNCTION_NAME: name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      AWS_ACCESS_KEY_ID: 'ASIATEST',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_SESSION_TOKEN: 'test',
      NODE_OPTIONS: `--disable-warning=ExperimentalWarning --max-old-space-size=${Math.round(memoryMb * 0.8)}`,
      LANG: 'en_US.UTF-8',
      TZ: ':UTC',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (bytes: Buffer) => {
      printed += bytes.toString('utf8');
    });
  }
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void ended.then(() =>
    stop({ errorType: 'Runtime.ExitError', errorMessage: `the process ended: ${printed.slice(-2_000)}` }),
  );

  return {
    invoke(event) {
      if (dead) return Promise.resolve({ failed: dead });
      return new Promise((resolve) => {
        const timer = setTimeout(() => child.kill('SIGKILL'), timeoutSeconds * 1_000);
        const done = (outcome: { readonly answer: unknown } | { readonly failed: Failed }) => {
          clearTimeout(timer);
          resolve(outcome);
        };
        queue.push({ id: randomUUID(), event, settle: done });
        feed();
      });
    },
    output: () => printed,
    async close() {
      child.kill('SIGKILL');
      await ended;
      await api.close();
    },
  };
}
