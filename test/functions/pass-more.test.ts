import fc from 'fast-check';
import { expect, it } from 'vitest';
import { work } from '../../functions/register/register.ts';
import { passAsked } from '../../functions/scheduled-reconcile/pass.ts';
import { type ReconcileRequest, reconcile } from '../../functions/scheduled-reconcile/reconcile.ts';
import { reportMarkdown } from '../../functions/scheduled-reconcile/report-markdown.ts';
import { nudge } from '../../shared/converge/nudge.ts';
import { encodeOwner, newOwner, ownerKey } from '../../shared/converge/owner.ts';
import { ownerPages } from '../../shared/converge/owner-pages.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { Failure } from '../../shared/core/failure.ts';
import { isOwnerKey } from '../../shared/core/owner-key.ts';
import { compareUtf8 } from '../../shared/ledger/keys.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import type { Services } from '../../shared/wiring.ts';
import { bucket } from './bucket.ts';
import { pairs } from './local.ts';
import { Place } from './passes.ts';

const DAY_MS = 86_400_000;

it('merges what is in the bucket with what is in the ledger, each once, in order, from any place', async () => {
  const key = fc
    .tuple(
      fc.constantFrom('manifests/', 'http/', 'openlineage/n/', 'flink/', 'dataphin/'),
      fc.stringMatching(/^[a-z.\-/\uffee\u{1f600}]{0,3}[ab]$/u),
    )
    .map(([prefix, name]) => `${prefix}${name}.json`)
    .filter(isOwnerKey);
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(key, { maxLength: 30 }), fc.nat(), fc.nat(40), async (owners, which, from) => {
      const [manifests, ledger] = [bucket(), memoryLedger()];
      for (const [at, owner] of owners.entries()) {
        const place = (which >> (at % 20)) % 3;
        if (place !== 1) await manifests.put(owner, Buffer.from('x'), 'application/json');
        const row = { key: ownerKey(owner), rev: 'r', ...encodeOwner(newOwner(owner)) };
        if (place !== 0) await ledger.write(row, null);
      }
      const sorted = [...owners].sort(compareUtf8);
      const after = sorted[from] ?? '';
      const found: string[] = [];
      for await (const page of ownerPages({ manifests, ledger }, after)) found.push(...page.map((each) => each.owner));
      expect(found).toEqual(sorted.filter((owner) => compareUtf8(owner, after) > 0));
    }),
    { numRuns: 200 },
  );
});

it('reports what is held with its age and the request that releases it, as JSON and for people', async () => {
  const place = new Place();
  await place.put('manifests/a.json', pairs('a', 20));
  await place.pass();
  await place.drain();
  await place.put('manifests/a.json', pairs('a', 5));
  await place.pass();
  await place.drain();
  expect(place.shown.size).toBe(20);
  place.now += 3 * DAY_MS;
  await place.pass();
  const report = await place.report();
  expect(report).toMatchObject({
    counts: { owners: 1, unchanged: 1 },
    verdicts: { held: 1 },
    edges: { held: 15 },
    held: [{ owners: 1, edges: 15, ageSeconds: 3 * 86_400, reason: expect.stringContaining('75 %') }],
  });
  const markdown = Buffer.from((await place.manifests.get('status/reconcile/latest.md'))?.bytes ?? []).toString();
  expect(markdown).toContain(`POST /reconcile {"release":"${report.held[0]?.id}"}`);
  expect(markdown).toContain('3 days');
  const named = await place.report(report.startedAt.replaceAll(':', '-'));
  expect(named).toEqual(report);
});

it('tells nothing as held any more that a person has released since, nor as wrong what was put right', async () => {
  const place = new Place();
  await place.put('manifests/a.json', pairs('a', 20));
  await place.put('manifests/b.json', pairs('b', 20));
  const broken = 'manifests/c.json';
  await place.manifests.put(broken, Buffer.from('{'), 'application/json');
  const services = place.services({ spread: false });
  await place.pass(services);
  for (const name of ['a', 'b']) await place.put(`manifests/${name}.json`, pairs(name, 5));
  await place.pass(services);
  const before = await place.report();
  expect(before).toMatchObject({ attention: [{ owner: broken, state: 'invalid' }], verdicts: { held: 2, invalid: 1 } });
  const [first, second] = before.held;
  place.now += 60_000;
  const ask = (request: ReconcileRequest) => reconcile(services, place.now + 60_000, request);
  await ask({ release: first?.id ?? '' });
  const after = await place.report();
  expect(after.held).toEqual([second]);
  const at = new Date(place.now).toISOString();
  expect(after.since).toEqual([{ at, owners: 1, outcomes: { done: 1 }, release: first?.id }]);
  await place.put(broken, pairs('c', 1));
  await ask({ owners: [broken] });
  const last = await place.report();
  expect(last).toMatchObject({ attention: [], held: [second], since: [{}, { at, owners: 1, outcomes: { done: 1 } }] });
  expect(last.counts).toEqual(before.counts);
  const markdown = Buffer.from((await place.manifests.get('status/reconcile/latest.md'))?.bytes ?? []).toString();
  expect(markdown).toContain(`released (\`${first?.id}\`): done 1`);
  expect(markdown).not.toContain(`{"release":"${first?.id}"}`);
  expect(await place.report(before.startedAt.replaceAll(':', '-'))).toEqual(before);
  // The next pass tells everything anew.
  await place.pass(services);
  expect(await place.report()).not.toHaveProperty('since');
});

it('answers who asks for a pass with what is held, since when, and the request that releases it', async () => {
  for (const spread of [false, true]) {
    const place = new Place();
    const services = place.services({ spread });
    const owner = 'manifests/a.json';
    await place.put(owner, pairs('a', 20));
    await place.pass();
    await place.drain();
    expect(await passAsked(services, place.now + 60_000, place.now)).toMatchObject({ held: [] });
    await place.put(owner, pairs('a', 5));
    const since = new Date(place.now).toISOString();
    await place.pass();
    await place.drain();
    const status = JSON.parse(
      Buffer.from((await place.manifests.get(`status/${owner}.json`))?.bytes ?? []).toString(),
    ) as StatusDocument;
    expect(status.held).toMatchObject({ since });
    place.now += 3 * DAY_MS;
    const held = [{ owners: 1, edges: 15, since, ageSeconds: 3 * 86_400, release: status.held?.['release'] }];
    expect(await passAsked(services, place.now + 60_000, place.now)).toMatchObject({ held });
    const named = await reconcile(services, place.now + 60_000, { owners: [owner] });
    expect(named).toMatchObject({ outcomes: { unchanged: 1 }, held });
    // Looked at again, it is held as long as before.
    await nudge(owner, services.deps);
    const again = await reconcile(services, place.now + 60_000, { owners: [owner] });
    expect(again).toMatchObject({ outcomes: { done: 1 }, held });
    expect(JSON.stringify(held[0]?.release)).toContain(again.held[0]?.id);
  }
});

it('reports, too, what a person asks for, whoever does the work', async () => {
  for (const spread of [false, true]) {
    const place = new Place();
    await place.put('manifests/a.json', pairs('a', 3));
    const answer = await passAsked(place.services({ spread }), place.now + 60_000, place.now);
    expect(answer).toMatchObject({ owners: 1, outcomes: { [spread ? 'sent' : 'done']: 1 }, left: spread ? 1 : 0 });
    expect(await place.report()).toMatchObject({ complete: true, counts: answer.outcomes });
    const broken = place.services({ spread });
    broken.deps.manifests.list = async () => {
      throw new Failure('unavailable', 'the bucket cannot be listed');
    };
    await expect(passAsked(broken, place.now + 60_000, place.now)).rejects.toThrow('cannot be listed');
    expect(await place.report()).toMatchObject({ complete: false, failed: 'the bucket cannot be listed' });
  }
});

it('writes nothing into Markdown that others could make markup of', () => {
  const evil = '`|</td><img src=x onerror=1>\n# owned ``';
  const text = reportMarkdown({
    startedAt: '2026-11-21T00:00:00.000Z',
    finishedAt: '2026-11-21T00:00:01.000Z',
    complete: false,
    failed: evil,
    counts: { owners: 1 },
    edges: {},
    verdicts: {},
    held: [],
    attention: [{ owner: evil, state: 'failed' }],
    failures: [{ owner: 'o', reason: evil }],
    more: { held: 0, attention: 2, failures: 0 },
    problems: [],
    slowest: [],
  });
  expect(text).not.toMatch(/^# owned/m);
  expect(text.replace(/(`+)(?!`).*?[^`]\1(?!`)/g, '')).not.toContain('<img');
  expect(text).toContain('and 2 more');
});

it('tells people of drift and Flink in words, and of nothing that is not', () => {
  const text = reportMarkdown({
    startedAt: '2026-11-21T00:00:00.000Z',
    finishedAt: '2026-11-21T00:00:01.000Z',
    complete: true,
    counts: { owners: 1 },
    edges: {},
    verdicts: {},
    held: [],
    attention: [],
    failures: [],
    more: { held: 0, attention: 0, failures: 0 },
    problems: [],
    slowest: [],
    drift: {
      ...{ owners: 3, checked: 9, left: 0, healed: 1, driftedCount: 1, foreignCount: 0, deep: false, foreign: [] },
      drifted: [
        {
          id: 'u',
          target: 'dataphin',
          from: ['a'],
          to: ['<b>'],
          owners: ['m.yaml'],
          reason: 'the vendor does not show it',
        },
      ],
    },
    flink: { scanned: 0, complete: false, problems: [{ target: 'flink', message: 'no <i>answer</i>' }] },
  });
  expect(text).toContain('- edges compared with the vendors: 9');
  expect(text).toContain('- drifted: `dataphin` `a` → `<b>` declared by `m.yaml`: the vendor does not show it');
  expect(text).toContain('- not read to the end\n- problems: `flink`: no &#60;i&#62;answer');
  expect(text).not.toMatch(/: 0$|\[\]|driftedCount|deep|1 manifests/m);
});

it('forgets old reports, statuses of what is long gone, and parts a status has no longer; nothing else', async () => {
  const place = new Place();
  await place.put('manifests/gone.json', [['a', 'b']]);
  await place.put('manifests/stays.json', [['c', 'd']]);
  await place.pass();
  await place.drain();
  await place.manifests.delete('manifests/gone.json');
  await place.pass();
  await place.drain();
  const part = 'status/manifests/stays.json.2.json';
  await place.manifests.put(part, Buffer.from('{}'), 'application/json');
  const statuses = async () => (await place.manifests.list('status/manifests/')).items.map(({ key }) => key);
  const reports = async () => (await place.manifests.list('status/reconcile/')).items.map(({ key }) => key);
  // Nobody knows its owner, but it says that something is registered: a ledger may have been lost.
  const lost = 'status/manifests/lost.json.json';
  const told = { owner: 'manifests/lost.json', at: new Date(place.now).toISOString(), state: 'converged' };
  await place.manifests.put(lost, Buffer.from(JSON.stringify(told)), 'application/json');
  const all = ['status/manifests/gone.json.json', lost, part, 'status/manifests/stays.json.json'];
  expect((await statuses()).sort()).toEqual(all.sort());
  const first = (await reports())[0];

  place.now += 2 * DAY_MS;
  await place.pass();
  expect(await statuses()).toEqual(all.filter((key) => key !== part));
  expect(await reports()).toContain(first);
  place.now += 15 * DAY_MS;
  await place.pass();
  expect(await reports()).not.toContain(first);
  expect(await reports()).toContain('status/reconcile/latest.json');
  place.now += 80 * DAY_MS;
  await place.pass();
  expect(await statuses()).toEqual([lost, 'status/manifests/stays.json.json']);
});

it('goes round from where it had to stop, when it does the work itself', async () => {
  const place = new Place();
  const owners = await place.fill(40);
  const services = place.services({ spread: false });
  place.ledgerMs = 400;
  await place.pass(services, 30_000);
  const some = place.shown.size;
  expect([some > 0, some < 40]).toEqual([true, true]);
  expect(await place.report()).toMatchObject({ complete: false, left: { after: owners[some - 1] } });
  place.ledgerMs = 0;
  // What lies before the place is looked at too.
  await place.put(owners[0] as string, [['s0', 'other']]);
  await place.pass(services);
  expect(place.shown.size).toBe(40);
  expect(place.shown.has('odps.300000001.p.other')).toBe(true);
  expect(await place.report()).toMatchObject({ complete: true, counts: { owners: 40 } });
});

it('costs the same for each owner, however many there are', async () => {
  const counted = async (count: number) => {
    const place = new Place();
    await place.fill(count);
    await place.pass();
    await place.drain();
    const calls: Record<string, number> = {};
    const touch = (what: string) => {
      if (!what.endsWith('answered')) calls[what] = (calls[what] ?? 0) + 1;
    };
    await place.pass(place.services({ touch }));
    return calls;
  };
  const [small, large] = [await counted(400), await counted(1_200)];
  expect(large['ledger.getMany']).toBe((small['ledger.getMany'] ?? 0) * 3);
  expect([small['ledger.write'], large['ledger.write']]).toEqual([2, 2]);
  expect(large['manifests.get'] ?? 0).toBe(small['manifests.get'] ?? 0);
  expect((large['manifests.list'] ?? 0) - (small['manifests.list'] ?? 0)).toBe(1);
});

type Broken = (services: Services) => Services;
const withDeps = (services: Services, deps: Partial<Services['deps']>): Services => ({
  ...services,
  deps: { ...services.deps, ...deps },
});
const refuse = async () => {
  throw new Failure('denied', 'access denied');
};

it.each<[string, Broken]>([
  [
    'naming.yaml is broken',
    (all) =>
      withDeps(all, { naming: async () => ({ etag: 'broken', problems: [{ path: 'rules', message: 'nonsense' }] }) }),
  ],
  ['naming.yaml cannot be read', (all) => withDeps(all, { naming: refuse })],
  [
    'the secret is lost',
    (all) =>
      withDeps(all, {
        targets: async () => ({ list: [], problems: [{ target: 'dataphin', message: 'it is gone', registers: true }] }),
      }),
  ],
  ['the secrets cannot be read', (all) => withDeps(all, { targets: refuse })],
  [
    'manifests may not be read',
    (all) => withDeps(all, { manifests: { ...all.deps.manifests, head: refuse, get: refuse } }),
  ],
])('withdraws nothing when %s, in a pass and in what it sends, and all is well afterwards', async (_what, broken) => {
  for (const spread of [true, false]) {
    const place = new Place();
    await place.fill(12);
    await place.pass(place.services({ spread }));
    await place.drain();
    place.called.length = 0;
    const services = broken(place.services({ spread }));
    for (let times = 0; times < 2; times += 1) {
      await place.pass(services).catch(() => {});
      for (const { message } of place.queue.splice(0))
        await work(message, services, place.now + 60_000).catch(() => {});
      place.now += 1_000_000;
    }
    expect([place.shown.size, place.called]).toEqual([12, []]);
    await place.pass(place.services({ spread }));
    await place.drain();
    expect([place.shown.size, place.called]).toEqual([12, []]);
    await place.pass(place.services({ spread }));
    expect((await place.report()).counts).toEqual({ owners: 12, unchanged: 12 });
  }
});
