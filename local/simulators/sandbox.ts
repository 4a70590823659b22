import type * as z from 'zod';
import { faultSchema } from './faults.ts';
import type { Answer, Arrived, Json, Replaceable } from './product.ts';
import type { Bench } from './server.ts';

const ROUTES = [
  'GET /_sandbox/lineage',
  'GET /_sandbox/calls',
  'DELETE /_sandbox/calls',
  'GET /_sandbox/faults',
  'POST /_sandbox/faults',
  'DELETE /_sandbox/faults',
  'GET /_sandbox/limits',
  'PUT /_sandbox/limits',
  'GET /_sandbox/modes',
  'PUT /_sandbox/modes',
  'GET /_sandbox/seed',
  'PUT /_sandbox/seed',
];

/**
 * The part of a simulator that no vendor has: what it holds, what it was asked, and how it shall misbehave.
 *
 * `limits` and `seed` are replaced as a whole (`{}` takes everything back); `modes` changes the switches named, null
 * being the default. Limits, modes and seed survive restarts like the lineage; faults and calls do not.
 * Only loopback names are served, only JSON is read, and pages of other origins are refused.
 */
export function sandboxAnswer(bench: Bench, arrived: Arrived, tooLarge: boolean): Answer {
  const { product, calls, faults } = bench;
  if (!isLoopback(arrived.headers.host)) {
    return problem(403, 'The sandbox answers to 127.0.0.1 and localhost only.');
  }
  const site = arrived.headers['sec-fetch-site'];
  if (!isOwnOrigin(arrived) || site === 'cross-site' || site === 'same-site') {
    return problem(403, 'The sandbox does not serve pages of other origins.');
  }
  if (tooLarge) return problem(413, `The body is larger than ${product.bodyLimit} bytes.`);

  const route = `${arrived.method} ${arrived.path}`;
  switch (route) {
    case 'GET /_sandbox':
      return ok({ simulator: product.name, operations: product.operations, routes: ROUTES });
    case 'GET /_sandbox/lineage':
      return ok(product.lineage());
    case 'GET /_sandbox/calls':
      return ok(calls.list() as unknown as Json);
    case 'DELETE /_sandbox/calls':
      calls.clear();
      return nothing;
    case 'GET /_sandbox/faults':
      return ok(faults.pending() as unknown as Json);
    case 'DELETE /_sandbox/faults':
      faults.clear();
      return nothing;
    case 'POST /_sandbox/faults':
      return withJson(arrived, (value) => {
        const parsed = faultSchema.safeParse(value);
        if (!parsed.success) return problem(400, explain(parsed.error));
        const { operation } = parsed.data;
        if (operation !== undefined && !product.operations.includes(operation)) {
          return problem(400, `There is no operation ${operation}; there are ${product.operations.join(', ')}.`);
        }
        faults.add(parsed.data);
        return { status: 201, body: faults.pending() as unknown as Json, outcome: 'ok' };
      });
    case 'GET /_sandbox/limits':
      return ok(product.limits.read());
    case 'PUT /_sandbox/limits':
      return withJson(arrived, (value) => replaced(product.limits, value));
    case 'GET /_sandbox/seed':
      return ok(product.seed.read());
    case 'PUT /_sandbox/seed':
      return withJson(arrived, (value) => replaced(product.seed, value));
    case 'GET /_sandbox/modes':
      return ok(product.modes.describe());
    case 'PUT /_sandbox/modes':
      return withJson(arrived, (value) => {
        const problems = product.modes.change(value);
        return problems.length > 0 ? problem(400, problems.join(' ')) : ok(product.modes.describe());
      });
    default:
      return problem(404, `There is no ${route}. There are: ${ROUTES.join('; ')}.`);
  }
}

function replaced(setting: Replaceable, value: unknown): Answer {
  const problems = setting.replace(value);
  return problems.length > 0 ? problem(400, problems.join('; ')) : ok(setting.read());
}

function withJson(arrived: Arrived, work: (value: unknown) => Answer): Answer {
  let value: unknown;
  try {
    value = JSON.parse(arrived.body.toString('utf8'));
  } catch {
    return problem(400, 'The body is not JSON.');
  }
  return work(value);
}

function isLoopback(host: string | undefined): boolean {
  return /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i.test(host ?? '');
}

function isOwnOrigin(arrived: Arrived): boolean {
  const { origin, host } = arrived.headers;
  return origin === undefined || origin === `http://${host}`;
}

function explain(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`).join('; ');
}

function ok(body: Json): Answer {
  return { status: 200, body, outcome: 'ok' };
}

const nothing: Answer = { status: 204, body: null, outcome: 'ok' };

function problem(status: number, detail: string): Answer {
  const headers = { 'content-type': 'application/problem+json' };
  return { status, headers, body: { status, title: 'The sandbox refuses', detail }, outcome: 'refused' };
}
