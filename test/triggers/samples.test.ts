import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Context } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { invocation } from '../../local/invocation.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import type { Simulator } from '../../local/simulators/simulator.ts';

/**
 * Every sample of events/ through the very handler that the platform calls. A new entry needs a row here: what its sample is answered, in
 * an order in which they make sense.
 */
const ANSWERS: Readonly<Record<string, unknown>> = {
  'register-http': { statusCode: 200, body: expect.stringContaining('"registered": 1') },
  'register-webhook': { statusCode: 201 },
  'register-bucket': { batchItemFailures: [] },
  'register-worker': { batchItemFailures: [] },
  'fetch-http': { statusCode: 200, body: expect.stringContaining('visits_daily') },
  'fetch-web': { statusCode: 403 },
  'vendor-wire': { statusCode: 404, body: expect.stringContaining('InvalidAccessKeyId.NotFound') },
  'reconcile-http': { statusCode: 200, body: expect.stringContaining('"owners": 1') },
  'scheduled-reconcile': undefined,
  'delete-http': { statusCode: 200, body: expect.stringContaining('"withdrawn"') },
};

const root = resolve(import.meta.dirname, '../..');
type Handler = (event: unknown, context: Context) => Promise<unknown>;
let functions: Readonly<Record<string, { readonly handler: string }>>;
let dataDir: string;
let dataphin: Simulator;

beforeAll(async () => {
  ({ functions } = parse(await readFile(join(root, 'serverless.yml'), 'utf8'), { maxAliasCount: -1 }) as {
    functions: typeof functions;
  });
  dataDir = await mkdtemp(join(tmpdir(), 'lineage-samples-'));
  dataphin = await startDataphin();
  const key_sha256 = createHash('sha256').update('example-key').digest('hex');
  const secrets = {
    dataphin: dataphin.secret(),
    clients: { clients: [{ name: 'sample', scopes: ['ingest'], key_sha256 }] },
    links: { key: 'k'.repeat(64) },
  };
  await mkdir(join(dataDir, 'secrets/lineage'), { recursive: true });
  for (const [name, secret] of Object.entries(secrets))
    await writeFile(join(dataDir, `secrets/lineage/${name}.json`), JSON.stringify(secret), { mode: 0o600 });
  vi.stubEnv('DATA_DIR', dataDir);
  vi.stubEnv('LOG_LEVEL', 'debug');
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await dataphin.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function handlerOf(name: string): Promise<Handler> {
  const path = functions[name]?.handler.replace(/\.handler$/, '.ts') ?? '';
  return ((await import(join(root, path))) as { handler: Handler }).handler;
}

async function sample(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(root, 'events', `${name}.event.json`), 'utf8')) as unknown;
}

/** What a call prints; the log goes to stdout and stderr. */
async function printed(call: () => Promise<unknown>): Promise<string> {
  let text = '';
  const keep = (bytes: unknown) => {
    text += String(bytes);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(keep));
  try {
    await call();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return text;
}

test('every function has a row', () => {
  expect(Object.keys(ANSWERS).sort()).toEqual(Object.keys(functions).sort());
});

describe.each(Object.entries(ANSWERS))('%s', (name, wanted) => {
  test('answers its sample, and its exported handler goes through the middleware', async () => {
    const handler = await handlerOf(name);
    let answer: unknown;
    const text = await printed(async () => {
      answer = await handler(await sample(name), invocation(name, 60_000, `request-of-${name}`));
    });
    if (wanted === undefined) expect(answer).toBeUndefined();
    else expect(answer).toMatchObject(wanted as object);
    const lines = text.split('\n').filter((line) => line.includes('"invocation ended"'));
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { function: name, request_id: `request-of-${name}` },
    ]);
    if (typeof (answer as { statusCode?: unknown } | undefined)?.statusCode === 'number') {
      expect(answer).toMatchObject({ headers: { 'x-content-type-options': 'nosniff' } });
    }
  });
});
