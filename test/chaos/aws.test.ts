import { describe, expect, onTestFinished, test } from 'vitest';
import type { Emulator } from '../contract/aws-emulators.ts';
import { manifest, until } from '../functions/local.ts';
import { type OnAws, onAws } from '../functions/on-aws.ts';
import { chaosProxy, type Fate, THROTTLED, UNAVAILABLE } from './proxy.ts';

type Fates = Partial<Record<'dynamodb' | 's3' | 'sqs', (operation: string, count: number) => Fate>>;

/** The functions on the AWS adapters, with each service's requests decided about. */
async function place(fates: Fates) {
  const proxies: (Emulator & { readonly met: Record<string, number> })[] = [];
  onTestFinished(async () => {
    for (const each of proxies) await each.close();
  });
  const met: Record<string, Record<string, number>> = {};
  const aws = await onAws({}, async (service, url) => {
    const fate = fates[service];
    if (fate === undefined) return url;
    const proxy = await chaosProxy(url, fate);
    proxies.push(proxy);
    met[service] = proxy.met;
    return proxy.url;
  });
  return { aws, met };
}

async function shown({ vendors }: OnAws): Promise<string[]> {
  const held = (await (await fetch(`${vendors['dataphin']}/_sandbox/lineage`)).json()) as { target: string }[];
  return held.map((edge) => edge.target.replace('odps.300000001.p.', '')).sort();
}

async function nodes({ vendors }: OnAws): Promise<number> {
  return ((await (await fetch(`${vendors['dataarts']}/_sandbox/lineage`)).json()) as unknown[]).length;
}

const OWNERS = Array.from({ length: 8 }, (_, at) => at);
const names = OWNERS.map((at) => `t${at}`).sort();
const text = (at: number) => manifest([[`s${at}`, `t${at}`]], { targets: ['dataphin', 'dataarts'] });

/**
 * Passes come as they do in AWS, until everything is there: once at each vendor. An owner whose ledger failed between a vendor's answer
 * and the note of it is left alone until no write of the one that failed can arrive any more: some twenty seconds.
 */
async function allThere(aws: OnAws): Promise<void> {
  let [edges, held] = [await shown(aws), await nodes(aws)];
  await until(
    async () => {
      await aws.reconcile().catch(() => {});
      [edges, held] = [await shown(aws), await nodes(aws)];
      return edges.join() === names.join() && held >= OWNERS.length;
    },
    70_000,
    () => `these to be there: ${edges.join()} and ${held} nodes of ${names.join()}`,
  );
  await until(aws.idle, 20_000, () => 'the queues to be empty');
  expect(await shown(aws)).toEqual(names);
  expect(await nodes(aws)).toBe(OWNERS.length);
}

describe('on the adapters of AWS,', () => {
  test('a ledger that throttles, fails and hangs up: everything is done, once', { timeout: 150_000 }, async () => {
    let calm = false;
    const { aws, met } = await place({
      dynamodb: (_operation, count) => {
        if (calm) return 'pass';
        if (count % 5 === 0) return THROTTLED;
        if (count % 17 === 0) return UNAVAILABLE;
        return count % 23 === 0 ? 'cut' : 'pass';
      },
    });
    for (const at of OWNERS) await aws.drop(`manifests/${at}.json`, text(at));
    await until(async () => (await shown(aws)).length > OWNERS.length / 2, 40_000);
    calm = true;
    await allThere(aws);
    expect(Object.keys(met['dynamodb'] ?? {}).sort()).toEqual(['cut', 'pass', 'status']);
  });

  test('a ledger that is gone for a while: callers are asked to come again, and it goes on by itself', {
    timeout: 150_000,
  }, async () => {
    let gone = false;
    const { aws } = await place({ dynamodb: () => (gone ? UNAVAILABLE : 'pass') });
    await aws.drop('manifests/0.json', text(0));
    await until(async () => (await shown(aws)).length === 1);
    gone = true;
    const answer = await aws.request('PUT', '/manifests/1.json', text(1));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
    await aws.drop('manifests/2.json', text(2));
    await until(async () => aws.log.lines.some((line) => line.message.startsWith('message failed')), 20_000);
    expect(await shown(aws)).toEqual(['t0']);
    gone = false;
    for (const at of OWNERS.slice(3)) await aws.drop(`manifests/${at}.json`, text(at));
    await allThere(aws);
  });

  test('a slow bucket, and a queue that says everything twice and backwards: everything is done, once', {
    timeout: 150_000,
  }, async () => {
    const { aws, met } = await place({
      s3: (_operation, count) => (count % 3 === 0 ? { afterMs: 150 } : 'pass'),
      sqs: (operation) => (operation.startsWith('SendMessage') ? 'twice' : 'pass'),
    });
    await fetch(`${aws.vendors['dataphin']}/_sandbox/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ kind: 'unavailable', times: 6 }),
    });
    for (const at of [...OWNERS].reverse()) {
      await aws.drop(`manifests/${at}.json`, text(at));
      await aws.notify('ObjectCreated:Put', `manifests/${(at * 7) % OWNERS.length}.json`);
      await aws.send({ kind: 'converge', owner: `manifests/${(at * 5) % OWNERS.length}.json` });
    }
    await allThere(aws);
    expect(met['sqs']?.['twice']).toBeGreaterThan(OWNERS.length - 1);
    expect(met['s3']?.['afterMs']).toBeGreaterThan(10);
  });

  test('a secret that is missing for a while: that target alone waits, and nothing is withdrawn there', {
    timeout: 150_000,
  }, async () => {
    const { aws } = await place({});
    const { held } = aws.secrets;
    const { 'life/lineage/dataarts': _taken, ...rest } = held;
    aws.secrets.held = rest;
    for (const at of OWNERS) await aws.drop(`manifests/${at}.json`, text(at));
    await until(async () => (await shown(aws)).length === OWNERS.length, 20_000);
    expect(await nodes(aws)).toBe(0);
    aws.secrets.held = { ...held, 'life/lineage/dataarts': '{"broken":' };
    await aws.reconcile();
    expect([await shown(aws), await nodes(aws)]).toEqual([names, 0]);
  });
});
