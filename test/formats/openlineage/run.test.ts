import { fc, test } from '@fast-check/vitest';
import { expect, it } from 'vitest';
import type { JsonObject } from '../../../shared/core/json.ts';
import { declare } from '../../../shared/formats/openlineage/declaration.ts';
import { manifestOf } from '../../../shared/formats/openlineage/document.ts';
import { readEvent } from '../../../shared/formats/openlineage/event.ts';
import { idOf } from '../../../shared/formats/openlineage/facts.ts';
import {
  counts,
  lastNamed,
  mergeRuns,
  type OpenLineageOptions,
  type Run,
  runOf,
} from '../../../shared/formats/openlineage/run.ts';
import { notAhead } from '../../../shared/formats/openlineage/time.ts';

const dataset = (name: string, facets: JsonObject = {}) => ({ namespace: 'n', name, facets });
const at = (minute: number) => `2026-11-20T10:${String(minute).padStart(2, '0')}:00.000000000Z`;

function told(event: JsonObject, options: OpenLineageOptions): Run {
  const read = readEvent({ run: { runId: 'r' }, ...event }, { strict: false });
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  return runOf(read.event, options);
}

const name = fc.constantFrom('a', 'b', 'c');
const facets = fc.oneof(
  fc.constant({}),
  fc.constant({ lifecycleStateChange: { lifecycleStateChange: 'DROP' } }),
  fc.record({
    symlinks: fc.record({
      identifiers: fc.array(
        name.map((each) => dataset(each)),
        { maxLength: 1 },
      ),
    }),
  }),
  fc.record({
    columnLineage: fc.record({
      dataset: name.map((each) => [{ ...dataset(each), field: 'f', transformations: [{ type: 'INDIRECT' }] }]),
    }),
  }),
);
const list = fc.option(
  fc.array(
    fc.tuple(name, facets).map(([each, own]) => dataset(each, own)),
    { maxLength: 2 },
  ),
  {
    nil: null,
  },
);
const jobType = (more: JsonObject) => ({ jobType: { processingType: 'STREAMING', ...more } });
const jobFacets = fc.constantFrom<JsonObject>(
  {},
  jobType({}),
  jobType({ emissionPattern: { eventContentMode: 'COMPLETE_SNAPSHOT' } }),
  { lineage: { entries: [] } },
  { lineage: { entries: [{ type: 'DATASET', ...dataset('b'), inputs: [] }] } },
);
const events = fc.array(
  fc
    .record({
      eventType: fc.constantFrom('START', 'RUNNING', 'COMPLETE', 'FAIL'),
      eventTime: fc.nat({ max: 9 }).map(at),
      job: jobFacets.map((own) => ({ namespace: 'j', name: 'j', facets: own })),
      inputs: list,
      outputs: list,
    })
    .map((each) => each as JsonObject),
  { minLength: 1, maxLength: 6 },
);
const settings = fc.record({
  indirect: fc.constantFrom('drop' as const, 'table' as const, 'keep' as const),
  selfEdges: fc.boolean(),
  runs: fc.constant(3),
  failedRuns: fc.boolean(),
});

test.prop([events, settings], { numRuns: 500 })(
  'a run that counts goes on counting, whatever else is said of it',
  (all, options) => {
    let run: Run | undefined;
    let counted = false;
    for (const each of all.map((event) => told(event, options))) {
      run = run ? mergeRuns(run, each) : each;
      if (counted) expect(counts(run, options)).toBe(true);
      counted = counts(run, options);
    }
  },
);

test.prop([events, settings])('a run does not depend on the order of its events', (all, options) => {
  const runs = all.map((event) => told(event, options));
  expect(JSON.stringify(runs.reduceRight(mergeRuns))).toBe(JSON.stringify(runs.reduce(mergeRuns)));
});

const OPTIONS: OpenLineageOptions = { indirect: 'table', selfEdges: true, runs: 3, failedRuns: false };
const job = { namespace: 'j', name: 'j', facets: {} };

it('knows when it last named each dataset, also by another name of it', () => {
  const symlinks = { symlinks: { identifiers: [dataset('a-link')] } };
  const run = [
    { eventTime: at(1), job, inputs: [dataset('a', symlinks)], outputs: [dataset('b')] },
    { eventTime: at(2), job, outputs: [dataset('c', { columnLineage: { dataset: [dataset('a-link')] } })] },
    { eventTime: at(3), job, inputs: [], outputs: [] },
  ]
    .map((event) => told(event as JsonObject, OPTIONS))
    .reduce(mergeRuns);
  expect(['a', 'b', 'c'].map((each) => lastNamed(run)(idOf(dataset(each))))).toEqual([at(2), at(1), at(2)]);
});

it('that was stored without those times has named everything with its latest event then, and nothing since', () => {
  const { named: _none, ...old } = told(
    { eventTime: at(1), job, inputs: [dataset('a')], outputs: [dataset('b')] } as JsonObject,
    OPTIONS,
  );
  const more = told({ eventTime: at(5), job, inputs: [dataset('c')] } as JsonObject, OPTIONS);
  for (const run of [mergeRuns(old, more), mergeRuns(more, old)])
    expect(['a', 'b', 'c'].map((each) => lastNamed(run)(idOf(dataset(each))))).toEqual([at(1), at(1), at(5)]);
  expect(lastNamed(old)(idOf(dataset('b')))).toBe(at(1));
});

it('takes no time from the far future, and clocks that differ as they are', () => {
  const accepted = Date.UTC(2026, 10, 20, 10, 5);
  expect(notAhead('2106-01-01T00:00:00.000000000Z', accepted)).toBe(at(5));
  expect(notAhead('2026-11-21T10:05:00.000000001Z', accepted)).toBe(at(5));
  for (const time of ['2026-11-21T10:05:00.000000000Z', '2026-11-20T12:00:00.000000000Z', at(4)])
    expect(notAhead(time, accepted)).toBe(time);
});

it('declares how many edges there are where they are too many to be written out, and only then', () => {
  const many = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => dataset(`${prefix}${n}`));
  const declared = (count: number) => {
    const event = { eventTime: at(1), eventType: 'COMPLETE', job, inputs: many('i', count), outputs: many('o', count) };
    const run = told(event as JsonObject, OPTIONS);
    return declare({ subject: run.subject, runs: [run], life: new Map() }, OPTIONS);
  };
  expect(declared(20).count).toBeUndefined();
  const { edges, count } = declared(400);
  expect([edges.length, count]).toEqual([100_000, 160_000]);
  expect(manifestOf(declared(400))['omitted']).toEqual({ edges: 60_000, columns: 0 });
});
