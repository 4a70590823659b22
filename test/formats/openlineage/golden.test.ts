import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../shared/core/json.ts';
import { parseManifest } from '../../../shared/core/manifest.ts';
import { type Declared, declare } from '../../../shared/formats/openlineage/declaration.ts';
import { manifestOf } from '../../../shared/formats/openlineage/document.ts';
import { type LineageEvent, readEvent } from '../../../shared/formats/openlineage/event.ts';
import { type Life, lifeChanges, mergeLives } from '../../../shared/formats/openlineage/life.ts';
import {
  counts,
  laterStatement,
  mergeRuns,
  type OpenLineageOptions,
  type Run,
  runOf,
  type Statement,
  statementOf,
} from '../../../shared/formats/openlineage/run.ts';
import { blocks } from '../../../shared/vendors/blocks.ts';

interface Golden {
  readonly title: string;
  readonly settings?: Partial<OpenLineageOptions>;
  /** The job that is looked at; otherwise the only one that declares something. */
  readonly job?: readonly [string, string];
  readonly events: readonly Json[];
  readonly edges: readonly { from: string; to: string; columns: [string, string, boolean][]; guess?: boolean }[];
  readonly symlinks?: Readonly<Record<string, readonly string[]>>;
}

const folder = join(import.meta.dirname, 'golden');
const goldens = readdirSync(folder).map((file) => ({
  file,
  ...(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Golden),
}));
const DEFAULTS: OpenLineageOptions = { indirect: 'table', selfEdges: true, runs: 3, failedRuns: false };

/** What every subject declares after these events, folded one by one as they come. */
function told(events: readonly LineageEvent[], options: OpenLineageOptions): readonly Declared[] {
  const runs = new Map<string, Run>();
  const statements = new Map<string, Statement>();
  const life = new Map<string, Life>();
  const subjects = new Map(events.map((event) => [JSON.stringify(event.subject), event.subject]));
  for (const event of events) {
    for (const change of lifeChanges(event)) {
      const known = life.get(change.id);
      life.set(change.id, known ? mergeLives(known, change) : change);
    }
    const subject = JSON.stringify(event.subject);
    if (event.kind === 'run') {
      const key = JSON.stringify([event.subject, event.runId]);
      const run = runOf(event, options);
      const known = runs.get(key);
      runs.set(key, known ? mergeRuns(known, run) : run);
    } else {
      const statement = statementOf(event, options);
      const known = statements.get(subject);
      if (statement) statements.set(subject, known ? laterStatement(known, statement) : statement);
    }
  }
  return [...subjects].map(([key, subject]) => {
    const statement = statements.get(key);
    const own = [...runs.values()].filter((run) => JSON.stringify(run.subject) === key && counts(run, options));
    return declare({ subject, runs: own, life, ...(statement ? { statement } : {}) }, options);
  });
}

function read(golden: Golden): LineageEvent[] {
  return golden.events.map((value) => {
    const result = readEvent(value, { strict: false });
    if ('problems' in result) throw new Error(JSON.stringify(result.problems));
    return result.event;
  });
}

function declaredIn(golden: Golden, events: readonly LineageEvent[]): Declared | undefined {
  const all = told(events, { ...DEFAULTS, ...golden.settings });
  const speaking = all.filter(({ edges }) => edges.length > 0);
  return golden.job
    ? all.find(({ subject }) => subject.namespace === golden.job?.[0] && subject.name === golden.job[1])
    : speaking[0];
}

const shown = (declared: Declared | undefined) =>
  (declared?.edges ?? []).map(({ from, to, columns, guess }) => ({
    from: `${from.namespace} ${from.name}`,
    to: `${to.namespace} ${to.name}`,
    columns,
    ...(guess ? { guess } : {}),
  }));

describe('golden edges', () => {
  it.each(goldens)('$file: $title', (golden) => {
    const events = read(golden);
    expect(shown(declaredIn(golden, events))).toEqual(golden.edges);
    if (golden.job === undefined) {
      const others = told(events, { ...DEFAULTS, ...golden.settings }).filter(({ edges }) => edges.length > 0);
      expect(others.length).toBe(golden.edges.length > 0 ? 1 : 0);
    }
  });

  it.each(goldens)('$file: any order, any repetition', (golden) => {
    const events = read(golden);
    const wanted = JSON.stringify(
      told(events, { ...DEFAULTS, ...golden.settings })
        .map((each) => each.edges)
        .sort(),
    );
    const indexes = fc.array(fc.nat({ max: events.length - 1 }), { maxLength: events.length });
    const shuffled = fc.shuffledSubarray([...events.keys()], { minLength: events.length });
    fc.assert(
      fc.property(indexes, shuffled, indexes, (before, all, more) => {
        const order = [...before, ...all, ...more].map((at) => events[at] as LineageEvent);
        const got = told(order, { ...DEFAULTS, ...golden.settings });
        expect(JSON.stringify(sorted(got))).toBe(JSON.stringify(sorted(JSON.parse(wanted) as never, true)));
      }),
      { numRuns: 40 },
    );
  });

  it.each(goldens)('$file: the manifest is valid and says the same edges', (golden) => {
    const declared = declaredIn(golden, read(golden));
    if (!declared) return;
    const manifest = manifestOf(declared) as {
      datasets?: Record<string, { namespace: string; name: string; symlinks?: { namespace: string; name: string }[] }>;
      lineage: { from: string[]; to: string }[];
      evidence: { edges: [string, string][]; run?: string }[];
    };
    expect(parseManifest(Buffer.from(JSON.stringify(manifest)), 'json', blocks)).not.toHaveProperty('problems');
    const label = (alias: string) => `${manifest.datasets?.[alias]?.namespace} ${manifest.datasets?.[alias]?.name}`;
    const pairs = manifest.lineage.flatMap(({ from, to }) => from.map((each) => [label(each), label(to)]));
    expect(pairs.sort()).toEqual(golden.edges.map(({ from, to }) => [from, to]).sort());
    expect(
      manifest.evidence.flatMap(({ edges }) => edges.map(([from, to]) => [label(from), label(to)])).sort(),
    ).toEqual(pairs);
    for (const [dataset, names] of Object.entries(golden.symlinks ?? {})) {
      const alias = Object.keys(manifest.datasets ?? {}).find((each) => label(each) === dataset) ?? '';
      expect(manifest.datasets?.[alias]?.symlinks?.map(({ namespace, name }) => `${namespace} ${name}`)).toEqual(names);
    }
  });
});

function sorted(all: readonly Declared[] | readonly Declared['edges'][], bare = false): unknown[] {
  return (bare ? (all as readonly Declared['edges'][]) : (all as readonly Declared[]).map((each) => each.edges))
    .map((each) => JSON.stringify(each))
    .sort();
}
