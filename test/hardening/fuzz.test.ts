import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { entries } from '../../local/entries.ts';
import { invocation } from '../../local/invocation.ts';
import { sqsEvent } from '../../local/worker.ts';
import { createLog } from '../../shared/log.ts';
import type { HttpEntry } from '../../shared/triggers/http.ts';
import type { QueueEntry } from '../../shared/triggers/queue.ts';
import { hardened } from './machine.ts';
import { body, filled, headers, method, path, query, text } from './odd.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_121);
const OPTIONS = { numRuns: RUNS, seed: SEED, endOnFailure: true } as const;
/** What an entry may still hold after all of it, in bytes. */
const MOST_GROWN = 96 * 1024 * 1024;

const names = (kind: string) => Object.entries(entries).flatMap(([name, each]) => (each.kind === kind ? [name] : []));

function event(given: { method: string; path: string; query: string; headers: Record<string, string>; body: Buffer }) {
  const http = { method: given.method, path: given.path, protocol: 'HTTP/1.1', sourceIp: '203.0.113.7', userAgent: '' };
  return {
    version: '2.0',
    rawPath: given.path,
    rawQueryString: given.query,
    headers: given.headers,
    body: given.body.toString('base64'),
    isBase64Encoded: true,
    requestContext: { http, requestId: 'r' },
  } as unknown as APIGatewayProxyEventV2;
}

const OURS = /"kind":"(converge|judge|pass|events|publish|archive|tidy)"/;

function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

describe.each(names('http'))('%s', (name) => {
  test('answers whatever it is sent, changes nothing when it refuses, and holds on to nothing', {
    timeout: 120_000,
  }, async () => {
    const here = await hardened();
    const handler = (entries[name as keyof typeof entries] as HttpEntry).open(here.services);
    const call = async (given: Parameters<typeof event>[0]) => handler(event(given), invocation(name, 60_000, 'fuzz'));
    await call({ method: 'GET', path: '/lineage', query: '', headers: {}, body: Buffer.of() });
    for (const key of ['manifests/a.json', 'manifests/x.yaml', 'manifests/shop/a.json'])
      await here.manifests.put(key, Buffer.from('{"version":1,"lineage":[]}'), 'application/json');
    // Mostly where it listens, and sometimes anywhere.
    const { routes } = entries[name as keyof typeof entries] as HttpEntry;
    const aimed = fc.oneof(
      {
        weight: 9,
        arbitrary: fc
          .constantFrom(...routes)
          .chain((route) => filled(route.path).map((at) => [route.method, at] as const)),
      },
      { weight: 1, arbitrary: fc.tuple(method, path) },
    );
    const tally = { refused: 0, done: 0 };
    const heldBefore = heldBytes();
    let before = await here.state();
    await fc.assert(
      fc.asyncProperty(aimed, query, headers, body, async ([way, at], asked, said, sent) => {
        // Who fails to sign in waits, which is tested elsewhere and takes its time.
        const rest = Object.fromEntries(
          Object.entries(said).filter(([each]) => !/^(authorization|x-auth-token)$/.test(each)),
        );
        const signed = sent.length % 50 === 1 ? said : rest;
        const { statusCode = 0, body: answer = '' } = await call({
          method: way,
          path: at,
          query: asked,
          headers: signed,
          body: sent,
        });
        const told = `${statusCode} ${answer.slice(0, 300)}; ${here.log.lines.at(-1)?.message} ${JSON.stringify(here.log.lines.at(-1)?.fields).slice(0, 500)}`;
        expect(statusCode, told).toBeGreaterThanOrEqual(200);
        expect(statusCode, told).not.toBe(500);
        expect(answer.length).toBeLessThan(8 * 1024 * 1024);
        const after = await here.state();
        if (statusCode >= 400) {
          tally.refused += 1;
          expect(after, told).toBe(before);
        } else tally.done += 1;
        before = after;
      }),
      OPTIONS,
    );
    // Otherwise it proves nothing.
    expect(tally.refused).toBeGreaterThan(RUNS / 10);
    expect(tally.done).toBeGreaterThan(0);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(heldBytes() - heldBefore).toBeLessThan(MOST_GROWN);
  });
});

describe.each(names('queue'))('%s', (name) => {
  test('takes whatever lies in its queue, and changes nothing for what is none of its messages', {
    timeout: 120_000,
  }, async () => {
    const here = await hardened();
    const handler = (entries[name as keyof typeof entries] as QueueEntry).open(here.services);
    const key = fc.oneof(
      text,
      text.map((of) => `manifests/${encodeURIComponent(of.toWellFormed())}.json`),
    );
    const message = fc.oneof(
      body.map((of) => of.toString('utf8')),
      key.map((of) => JSON.stringify({ Records: [{ s3: { object: { key: of } } }] })),
      fc
        .tuple(
          fc.constantFrom('converge', 'judge', 'pass', 'events', 'publish', 'archive', 'tidy', '__proto__', ''),
          key,
          fc.jsonValue({ maxDepth: 2 }),
        )
        .map(([kind, of, any]) =>
          JSON.stringify({
            kind,
            owner: of,
            target: of,
            ticket: of,
            id: of,
            ref: of,
            window: of,
            events: any,
            subject: any,
          }),
        ),
    );
    await handler(sqsEvent('first', '{}', 1, name), invocation(name, 60_000, 'fuzz'));
    const tally = { failed: 0, done: 0 };
    await fc.assert(
      fc.asyncProperty(message, async (sent) => {
        const before = await here.state();
        const { batchItemFailures } = await handler(sqsEvent('m', sent, 1, name), invocation(name, 60_000, 'fuzz'));
        if (batchItemFailures.length === 0) tally.done += 1;
        else {
          tally.failed += 1;
          const last = here.log.lines.at(-1);
          // What has the form of our own work was begun; nobody else can send to this queue.
          if (OURS.test(sent)) return;
          expect(await here.state(), `${sent.slice(0, 500)} ${JSON.stringify(last)?.slice(0, 500)}`).toBe(before);
        }
      }),
      OPTIONS,
    );
    expect(tally.failed).toBeGreaterThan(RUNS / 10);
    expect(tally.done).toBeGreaterThan(0);
  });
});

test('without a key nobody gets further than the door, whatever else he sends', { timeout: 60_000 }, async () => {
  const here = await hardened({ AUTH: 'required' });
  here.hold('lineage/clients', { clients: [{ name: 'c', scopes: ['ingest'], key_sha256: '0'.repeat(64) }] });
  here.hold('lineage/links', { key: 'k'.repeat(64) });
  const before = await here.state();
  const given = fc.sample(fc.tuple(method, path, query, headers, body), { numRuns: 40, seed: SEED });
  const statuses = await Promise.all(
    names('http').flatMap((name) => {
      const handler = (entries[name as keyof typeof entries] as HttpEntry).open(here.services);
      return given.map(async ([way, at, asked, said, sent]) => {
        const answer = await handler(
          event({ method: way, path: at, query: asked, headers: said, body: sent }),
          invocation(name, 60_000, 'f'),
        );
        return answer.statusCode ?? 0;
      });
    }),
  );
  // 413, 415 and 503 come before any key is looked at; 204 tells a browser what it may ask.
  expect([...new Set(statuses)].filter((status) => status < 400 && status !== 204)).toEqual([]);
  expect(statuses).not.toContain(500);
  expect(statuses).toContain(401);
  expect(await here.state()).toBe(before);
});

test('what strangers send makes no lines of its own in the log', () => {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => lines.push(String(chunk)) > 0);
  const log = createLog({ service: 's', level: 'info' });
  // Powertools leaves out what is empty.
  const all = fc.sample(text, { numRuns: 500, seed: SEED }).filter((each) => each !== '');
  for (const each of all) log.info('request', { path: each, [each]: each });
  write.mockRestore();
  expect(lines).toHaveLength(all.length);
  for (const [at, line] of lines.entries()) {
    expect(line.slice(0, -1)).toSatisfy((all: string) => [...all].every((each) => each >= ' '));
    expect(JSON.parse(line)).toMatchObject({
      message: 'request',
      level: 'INFO',
      service: 's',
      path: all[at],
    });
  }
});
