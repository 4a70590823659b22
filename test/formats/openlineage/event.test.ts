import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { matchGlob } from '../../../shared/core/glob.ts';
import type { Json, JsonObject } from '../../../shared/core/json.ts';
import { readEvent } from '../../../shared/formats/openlineage/event.ts';
import { largestFacet, redactEvent } from '../../../shared/formats/openlineage/redact.ts';
import { readTime } from '../../../shared/formats/openlineage/time.ts';

describe('times', () => {
  it.each([
    ['2020-12-28T19:52:00.001+10:00', '2020-12-28T09:52:00.001000000Z'],
    ['2020-12-28T19:51:01.641499', '2020-12-28T19:51:01.641499000Z'],
    ['2020-12-28T19:51:01.123456789Z', '2020-12-28T19:51:01.123456789Z'],
    ['2020-12-28 19:51:01z', '2020-12-28T19:51:01.000000000Z'],
    ['2020-12-28T19:51-0530', '2020-12-29T01:21:00.000000000Z'],
    ['2020-12-28T19:51:01.5Z[UTC]', '2020-12-28T19:51:01.500000000Z'],
    ['2020-02-30T00:00:00Z', undefined],
    ['2020-13-01T00:00:00Z', undefined],
    ['2020-12-28T25:00:00Z', undefined],
    ['yesterday', undefined],
    ['', undefined],
  ])('%s', (text, wanted) => {
    expect(readTime(text)).toBe(wanted);
  });

  const two = (least: number, most: number) =>
    fc.integer({ min: least, max: most }).map((at) => `${at}`.padStart(2, '0'));
  const clock = fc.tuple(two(0, 12), two(0, 32), two(0, 25), two(0, 60), two(0, 60));
  test.prop([clock])('is the same with Z, as most write it, and with any other zone of no offset', (parts) => {
    const [month, day, hour, minute, second] = parts;
    const text = `2026-${month}-${day}T${hour}:${minute}:${second}.250`;
    expect(readTime(`${text}Z`)).toBe(readTime(`${text}+00:00`));
  });
});

const lenient = { strict: false };
const run = { eventTime: '2026-01-01T00:00:00Z', run: { runId: 'x' }, job: { namespace: 'n', name: 'j' } };
const kindOf = (value: Json) => {
  const read = readEvent(value, lenient);
  return 'event' in read ? [read.event.kind, read.event.state] : read.problems.map(({ path }) => path);
};

describe('reading', () => {
  it('goes by shape and takes what Marquez takes', () => {
    expect(kindOf(run)).toEqual(['run', 'RUNNING']);
    expect(kindOf({ ...run, eventType: 'cOmPlEtE', inputs: null })).toEqual(['run', 'COMPLETE']);
    expect(kindOf({ ...run, run: null, eventType: 'COMPLETE' })).toEqual(['job', undefined]);
    expect(kindOf({ ...run, dataset: { namespace: 'd', name: 'd' } })).toEqual(['run', 'RUNNING']);
    expect(kindOf({ eventTime: run.eventTime, dataset: { namespace: 'd', name: 'd', facets: null } })).toEqual([
      'dataset',
      undefined,
    ]);
    expect(kindOf({ ...run, eventType: 'DONE' })).toEqual(['eventType']);
    expect(kindOf({ ...run, run: {} })).toEqual(['run.runId']);
    expect(kindOf({ ...run, job: { namespace: 'n', name: 'a\u0000b' } })).toEqual(['job.name']);
    expect(kindOf([run])).toEqual(['']);
  });

  it('insists on the specification when it is told to', () => {
    const read = (value: Json) => {
      const result = readEvent(value, { strict: true });
      return 'problems' in result ? result.problems.map(({ path }) => path).sort() : [];
    };
    expect(read(run)).toEqual(['producer', 'run.runId', 'schemaURL']);
    const whole = {
      ...run,
      eventType: 'START',
      run: { runId: '3b452093-782c-4ef2-9c0c-aafe2aa6f34d' },
      producer: 'https://p',
      schemaURL: 'https://s',
    };
    expect(read(whole)).toEqual([]);
    expect(read({ ...whole, eventType: 'start', eventTime: '2026-01-01T00:00:00' })).toEqual([
      'eventTime',
      'eventType',
    ]);
    expect(
      read({
        ...whole,
        job: { ...run.job, facets: { sql: { query: 'q' } } },
        inputs: [{ namespace: 'n', name: 'd', inputFacets: { x: 1 } }],
      }),
    ).toEqual(['inputs[0].inputFacets.x', 'job.facets.sql']);
  });

  test.prop([fc.jsonValue()])('never throws', (value) => {
    const read = readEvent(value as Json, { strict: true });
    expect('event' in read || read.problems.length > 0).toBe(true);
  });

  it('finds the facet that makes an event large', () => {
    const facets = { schema: { fields: ['x'.repeat(50)] }, 'spark.logicalPlan': { plan: 'y'.repeat(500) } };
    expect(largestFacet({ ...run, outputs: [{ namespace: 'n', name: 'd', facets }] } as JsonObject)?.path).toBe(
      'outputs[0].facets.spark.logicalPlan',
    );
  });
});

describe('redaction', () => {
  it('takes facets away that carry SQL, environment or code, known or not, and leaves lineage alone', () => {
    const schema = {
      fields: [
        { name: 'sql', type: 'text' },
        { name: 'password', type: 'text' },
      ],
    };
    const columnLineage = {
      fields: {
        query: {
          inputFields: [
            {
              namespace: 'n',
              name: 'd',
              field: 'env',
              transformations: [{ type: 'DIRECT', subtype: 'TRANSFORMATION', description: 'concat(a)', masking: true }],
            },
          ],
        },
      },
    };
    const clean = redactEvent({
      ...run,
      run: {
        runId: 'x',
        facets: { environmentVariables: { a: 1 }, parent: { run: { runId: 'p' } }, my_sql_text: { a: 1 } },
      },
      job: {
        ...run.job,
        facets: {
          sql: { query: 'q' },
          jobType: { processingType: 'BATCH' },
          sourceCodeLocation: { url: 'https://git' },
          custom: { keep: 1, env: { A: 'b' } },
        },
      },
      outputs: [
        { namespace: 'n', name: 'd', facets: { schema, columnLineage, dataSource: { uri: 'postgres://u:p@h' } } },
      ],
    } as JsonObject);
    expect(clean).toEqual({
      ...run,
      run: { runId: 'x', facets: { parent: { run: { runId: 'p' } } } },
      job: {
        ...run.job,
        facets: {
          jobType: { processingType: 'BATCH' },
          sourceCodeLocation: { url: 'https://git' },
          custom: { keep: 1 },
        },
      },
      outputs: [
        {
          namespace: 'n',
          name: 'd',
          facets: {
            schema,
            columnLineage: {
              fields: {
                query: {
                  inputFields: [
                    {
                      namespace: 'n',
                      name: 'd',
                      field: 'env',
                      transformations: [{ type: 'DIRECT', subtype: 'TRANSFORMATION', masking: true }],
                    },
                  ],
                },
              },
            },
          },
        },
      ],
    });
  });
});

describe('globs', () => {
  it.each([
    ['airflow-*', 'airflow-prod', true],
    ['airflow-*', 'spark', false],
    ['*', '', true],
    ['manifests/a/*', 'manifests/a/b/c.yaml', true],
    ['manifests/a/*', 'manifests/ab.yaml', false],
    ['a*b*c', 'aXbYbZc', true],
    ['a*b*c', 'aXc', false],
    ['a.c', 'abc', false],
  ])('%s on %s: %s', (glob, text, wanted) => {
    expect(matchGlob(glob, text)).toBe(wanted);
  });

  it('takes no longer for a glob made to take long', () => {
    const started = performance.now();
    expect(matchGlob(`${'*a'.repeat(300)}b`, 'a'.repeat(5_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
