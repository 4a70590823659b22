import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { expect, it } from 'vitest';
import { local, until } from './local.ts';

const EVENTS = 3_000;
const JOBS = 30;

/** No absolute thresholds: how fast is the machine's business. What must hold on any: all are acknowledged, taken in, and shared commits are fewer than events. */
it('takes a burst of thousands of events from many connections, and declares all of them', {
  timeout: 90_000,
}, async () => {
  const at = await local({ LOG_LEVEL: 'error' });
  const agent = new Agent({ connections: 32 });
  const body = (n: number) => {
    const run = Math.floor(n / 2);
    const job = run % JOBS;
    const side = { namespace: 'hive://m', name: n % 2 === 0 ? `ods.s${job}` : `dw.t${job}` };
    return JSON.stringify({
      eventType: n % 2 === 0 ? 'START' : 'COMPLETE',
      eventTime: new Date(1_790_000_000_000 + n * 1_000).toISOString(),
      run: { runId: `r${run}` },
      job: { namespace: 'rate', name: `j${job}` },
      producer: 'rate',
      ...(n % 2 === 0 ? { inputs: [side] } : { outputs: [side] }),
    });
  };
  const started = Date.now();
  const statuses = await Promise.all(
    Array.from({ length: EVENTS }, async (_, n) => {
      const answer = await request(`${at.runtime.url}/api/v1/lineage`, {
        method: 'POST',
        body: body(n),
        dispatcher: agent,
      });
      await answer.body.dump();
      return answer.statusCode;
    }),
  );
  const acknowledged = Date.now();
  await agent.close();
  const refused = statuses.filter((status) => status !== 201);
  expect(refused).toEqual([]);
  const declared = async (job: number) => {
    const text = await readFile(join(at.runtime.bucket, `openlineage/rate/j${job}.json`), 'utf8').catch(() => '{}');
    return (JSON.parse(text) as { evidence?: { run: string; edges: unknown[] }[] }).evidence;
  };
  await until(
    async () => {
      const all = await Promise.all(Array.from({ length: JOBS }, (_, job) => declared(job)));
      return all.every((evidence, job) => evidence?.[0]?.run === `r${EVENTS / 2 - JOBS + job}`);
    },
    80_000,
    () => 'every job to declare its last run',
  );
  const perSecond = (ms: number) => Math.round((EVENTS / ms) * 1_000);
  console.log(
    `${perSecond(acknowledged - started)} events/s acknowledged, ${perSecond(Date.now() - started)} events/s declared`,
  );
});
