import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  etaSeconds,
  isEmpty,
  PLAN_VERDICTS,
  type PlanChange,
  type PlanDocument,
  type PlanParts,
  planDocument,
} from '../../shared/core/plan-document.ts';
import { planMarkdown } from '../../shared/formats/plan-markdown.ts';
import { planTerminal } from '../../shared/formats/plan-terminal.ts';
import { duration, grouped } from '../../shared/formats/plan-words.ts';

const AT = '2026-11-21T12:00:00.000Z';

function parts(changes: readonly PlanChange[], rest: Partial<PlanParts> = {}): PlanParts {
  return {
    at: AT,
    owners: new Set(changes.map((each) => each.owner)).size,
    unchanged: 7,
    changes,
    problems: [],
    calls: {},
    budgets: {},
    digests: {},
    settled: '',
    ...rest,
  };
}

const plan = (changes: readonly PlanChange[], rest: Partial<PlanParts> = {}): PlanDocument =>
  planDocument(parts(changes, rest));

const change = (more: Partial<PlanChange> = {}): PlanChange => ({
  owner: 'manifests/orders.yaml',
  target: 'dataphin',
  from: 'dataphin:odps.1.p.raw',
  to: 'dataphin:odps.1.p.clean',
  verdict: 'create',
  reason: 'declared',
  ...more,
});

const released = {
  id: 'hold-1',
  since: '2026-11-18T12:00:00.000Z',
  method: 'POST',
  path: '/reconcile',
  body: { release: 'hold-1' },
} as const;

const many = (count: number): PlanChange[] =>
  Array.from({ length: count }, (_, at) =>
    change({
      owner: `manifests/m${at % 400}.json`,
      from: `dataphin:odps.1.p.a${at}`,
      to: `dataphin:odps.1.p.b${at}`,
      verdict: PLAN_VERDICTS[at % PLAN_VERDICTS.length] ?? 'create',
      columns: { add: [['id', 'id']], remove: [] },
    }),
  );

describe('a plan as a value', () => {
  const anyChange = fc.record({
    owner: fc.constantFrom('manifests/a.json', 'manifests/b.json'),
    target: fc.constantFrom('dataphin', 'dataarts'),
    from: fc.constantFrom('a', 'b'),
    to: fc.constantFrom('c', 'd'),
    verdict: fc.constantFrom(...PLAN_VERDICTS),
    reason: fc.constantFrom('x', 'y'),
  });

  it('is the same whatever the order its parts came in, and another when one of them changes', () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 12 }), fc.nat(), (changes, turn) => {
        const at = changes.length === 0 ? 0 : turn % changes.length;
        const turned = [...changes.slice(at), ...changes.slice(0, at)].reverse();
        const digests = { b: '2', a: '1' };
        const one = plan(changes, { digests });
        expect(plan(turned, { digests: { a: '1', b: '2' } })).toEqual(one);
        expect(plan(changes, { digests, at: '2027-01-01T00:00:00.000Z' }).checksum).toBe(one.checksum);
        expect(plan(changes, { digests: { ...digests, a: '9' } }).checksum).not.toBe(one.checksum);
        expect(plan([...changes, change({ from: 'new' })], { digests }).checksum).not.toBe(one.checksum);
        const counted = PLAN_VERDICTS.reduce((sum, verdict) => sum + one.summary[verdict], 0);
        expect(counted).toBe(changes.length);
      }),
    );
  });

  it('is empty only when nobody has anything to do', () => {
    expect(isEmpty(plan([]))).toBe(true);
    const standing = ['conflict', 'unresolved', 'unknown', 'foreign', 'failed'] as const;
    for (const verdict of standing) expect(isEmpty(plan([change({ verdict })]))).toBe(true);
    for (const verdict of ['create', 'update', 'adopt', 'withdraw', 'drifted', 'held', 'left-behind'] as const) {
      expect(isEmpty(plan([change({ verdict })]))).toBe(false);
    }
    expect(isEmpty(plan([change({ verdict: 'left-behind', standing: true })]))).toBe(true);
  });

  it('knows how long the calls take under the budgets', () => {
    const noon = Date.UTC(2026, 10, 21, 12);
    const eta = (calls: Record<string, number>, budgets: Parameters<typeof etaSeconds>[1]) =>
      etaSeconds(calls, budgets, noon);
    expect(eta({ dataphin: 1_000_000 }, { dataphin: { callsPerSecond: 5 } })).toBe(200_000);
    expect(duration(200_000)).toBe('56 h');
    expect(
      eta({ dataphin: 10, dataarts: 60 }, { dataphin: { callsPerSecond: 5 }, dataarts: { callsPerSecond: 20 } }),
    ).toBe(3);
    expect(eta({ dataphin: 250 }, {})).toBeUndefined();
    expect(eta({}, { dataphin: { callsPerSecond: 5 } })).toBeUndefined();
  });

  it('knows that a day ends at midnight, and what of it is spent', () => {
    const at = (used: number, count: number, hour = 12) =>
      etaSeconds(
        { dataphin: count },
        { dataphin: { callsPerDay: 100, callsPerSecond: 5, usedToday: used } },
        Date.UTC(2026, 10, 21, hour),
      );
    const [half, day] = [43_200, 86_400];
    expect(at(0, 100)).toBe(20);
    expect(at(0, 250)).toBe(half + day + 10);
    expect(at(60, 40)).toBe(8);
    expect(at(60, 41)).toBe(half + 1);
    expect(at(100, 100)).toBe(half + 20);
    expect(at(130, 10, 23)).toBe(3_600 + 2);
  });

  it('writes numbers as people read them', () => {
    expect([0, 999, 1_000, 1_234_567].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567']);
  });
});

describe('as Markdown', () => {
  it('says first what it comes to, then what is held and how to let it go, and folds the details', () => {
    const held = Array.from({ length: 400 }, (_, at) =>
      change({
        owner: `manifests/${at % 40}.json`,
        from: `a${at}`,
        verdict: 'held',
        reason: '40 manifests vanished',
        release: released,
      }),
    );
    const left = [1, 2, 3, 4].map((at) => change({ from: `x${at}`, target: 'dataarts', verdict: 'left-behind' }));
    const text = planMarkdown(
      plan([...held, ...left, change()], { calls: { dataphin: 1 }, budgets: { dataphin: { callsPerSecond: 5 } } }),
    );
    expect(text.split('\n')[0]).toBe('## Lineage plan: 400 held, 1 to create, 4 left behind');
    expect(text).toContain('> **400 edges held: nothing happens to them until a person says so.**');
    expect(text).toContain(
      '400 edges in 40 manifests, held for 3 days (since 2026-11-18T12:00:00.000Z): 40 manifests vanished',
    );
    expect(text).toContain('POST /reconcile {"release":"hold-1"}');
    expect(text).toContain('> dataarts cannot delete: 4 edges stay');
    expect(text).toContain('1 call to dataphin, at least 1 s');
    expect(text.indexOf('<details>')).toBeGreaterThan(text.indexOf('held for 3 days'));
  });

  it('stays readable at 10,000 edges, says what it leaves out, and takes less than a second', () => {
    const document = plan(many(10_000));
    const began = performance.now();
    const text = planMarkdown(document);
    const terminal = planTerminal(document, { color: true });
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(text.length).toBeLessThan(65_536);
    const rows = text.split('\n').filter((line) => / → /.test(line)).length;
    const said = /\*\*([\d,]+) edges in ([\d,]+) manifests not shown here\*\*/.exec(text);
    expect(Number(said?.[1]?.replaceAll(',', '')) + rows).toBe(10_000);
    expect(terminal).toContain('… 9,500 more are not shown');
    expect(text.match(/<details>/g)?.length).toBe(text.match(/<\/details>/g)?.length);
  });

  it('lets no text of users become markup', () => {
    const evil =
      '</code></details><img src=x onerror=1> | `x` [a](http://e.example) **b** @all #1 www.e.example\n| new | row |';
    const text = planMarkdown(
      plan([change({ owner: `manifests/${evil}.json`, from: evil, to: evil, reason: evil })], {
        problems: [{ owner: evil, path: evil, message: evil }],
      }),
    );
    expect(text).not.toMatch(/<img|\[a\]|\*\*b|`x`|@all|(?<!&)#1|www\.|http:/);
    expect(text.match(/<details>/g)?.length).toBe(1);
    const row = text.split('\n').filter((line) => line.startsWith('| create'));
    expect(row).toHaveLength(1);
    expect(row[0]?.split('|')).toHaveLength(6);
  });

  it('says that there is nothing to do', () => {
    expect(planMarkdown(plan([]))).toMatch(
      /^## Lineage plan: nothing to do\n\nNothing to do\. 0 manifests looked at, 7 edges unchanged\./,
    );
  });
});

it('shows what is new before what has stayed for long, however much that is, and says what a release does', () => {
  const stays = Array.from({ length: 2_000 }, (_, at) =>
    change({ owner: `manifests/a${at}.json`, target: 'dataarts', verdict: 'left-behind', standing: true }),
  );
  const fresh = change({ owner: 'manifests/z.json', from: 'dataphin:new' });
  const held = change({ owner: 'manifests/y.json', verdict: 'held', reason: 'withdraw: too many', release: released });
  const document = plan([...stays, fresh, held]);
  const markdown = planMarkdown(document);
  expect(markdown).toContain('dataphin:new');
  expect(markdown.length).toBeLessThan(30_000);
  expect(markdown).toContain('**1,950 edges in 1,950 manifests not shown here**');
  expect(markdown).toMatch(
    /To withdraw them: <code>POST \/reconcile .*<\/code>; to keep them, put what declared them back/,
  );
  const terminal = planTerminal(document, { color: false });
  expect(terminal).toContain('dataphin:new');
  expect(terminal).toContain('… 1,990 more are not shown');
  expect(terminal.split('\n').length).toBeLessThan(60);
  expect(terminal).toContain(
    '  to withdraw them: POST /reconcile {"release":"hold-1"}; to keep them, put what declared them back',
  );
});

describe('in a terminal', () => {
  const document = plan([
    change({ columns: { add: [['a', 'b']], remove: [['c', 'c']] } }),
    change({ verdict: 'held', from: 'h', release: released }),
  ]);

  it('is the same with and without colour, besides the colour', () => {
    const colored = planTerminal(document, { color: true });
    const plain = planTerminal(document, { color: false });
    const esc = String.fromCharCode(27);
    expect(plain).not.toContain(esc);
    expect(colored.replaceAll(new RegExp(`${esc}\\[\\d+m`, 'g'), '')).toBe(plain);
    expect(plain).toContain(
      '+ create      dataphin  dataphin:odps.1.p.raw → dataphin:odps.1.p.clean  declared (+ a → b; - c)',
    );
    expect(plain).toContain(
      'held for 3 days  1 edge in 1 manifest: declared\n  to apply it: POST /reconcile {"release":"hold-1"}',
    );
    expect(plain.trimEnd().split('\n').slice(-2)[0]).toBe(
      'Plan: 1 held, 1 to create; 7 edges unchanged in 1 manifest.',
    );
  });

  it('passes no control sequence of a name on', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const text = planTerminal(plan([change({ from: name, to: name, reason: name, owner: name })]), {
          color: false,
        });
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});
