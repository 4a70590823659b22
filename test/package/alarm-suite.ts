import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { METRICS, NAMESPACE, SERVICE, type Told } from '../../shared/metrics.ts';
import { readSettings } from '../../shared/settings.ts';
import { measured } from '../observability/measured.ts';
import type { Filled, LambdaProperties } from './template.ts';

interface Alarm {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
  readonly Period: number | string;
  readonly EvaluationPeriods: number;
  readonly TreatMissingData: string;
}

/** What AWS counts by itself (AWS, Lambda metrics; Available CloudWatch metrics for Amazon SQS; read 2026-11). */
const OF_AWS: Readonly<Record<string, readonly string[]>> = {
  'AWS/Lambda': ['Errors', 'Throttles'],
  'AWS/SQS': ['ApproximateNumberOfMessagesVisible'],
};

const root = resolve(import.meta.dirname, '../..');

/** Whether what alarms and the dashboard look at is there, and whether they lead somewhere. */
export function alarmSuite(
  given: () => { readonly stack: Filled; readonly functions: Readonly<Record<string, LambdaProperties>> },
): void {
  const alarms = () =>
    given()
      .stack.ofType('AWS::CloudWatch::Alarm')
      .map(([id]) => given().stack.properties<Alarm>(id));
  const dimensions = ({ Dimensions }: Alarm) => Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]));

  describe('alarms', () => {
    let told: readonly Told[];
    beforeAll(async () => {
      const [first] = Object.values(given().functions);
      told = await measured(readSettings(first?.Environment.Variables ?? {}).deployment);
    }, 60_000);

    test('look at numbers that the code tells, under the dimensions it tells them by', () => {
      const ours = alarms().filter((each) => each.Namespace === NAMESPACE);
      expect(ours.length).toBeGreaterThan(5);
      for (const alarm of ours) {
        const known = told.filter((each) => each.name === alarm.MetricName);
        expect([alarm.MetricName, known.map((each) => each.dimensions)]).toEqual([
          alarm.MetricName,
          expect.arrayContaining([dimensions(alarm)]),
        ]);
      }
    });

    test('or at numbers of AWS, of functions and queues that are there', () => {
      const { stack, functions } = given();
      const names = new Set([
        ...Object.values(functions).map((each) => each.FunctionName),
        ...stack.ofType('AWS::SQS::Queue').map(([id]) => stack.nameOf(id)),
      ]);
      const theirs = alarms().filter((each) => each.Namespace !== NAMESPACE);
      for (const alarm of theirs) {
        expect(OF_AWS[alarm.Namespace]).toContain(alarm.MetricName);
        for (const name of Object.values(dimensions(alarm))) expect(names).toContain(name);
      }
      const dead = stack.ofType('AWS::SQS::Queue').filter(([id]) => id.endsWith('DeadLetters'));
      const watched = new Set(theirs.flatMap((each) => Object.values(dimensions(each))));
      expect(
        [...dead.map(([id]) => stack.nameOf(id)), ...Object.values(functions).map((each) => each.FunctionName)].filter(
          (name) => !watched.has(name),
        ),
      ).toEqual([]);
    });

    test('lead to a paragraph of the README, each to one that is there', () => {
      const readme = readFileSync(join(root, 'README.md'), 'utf8');
      const [, section = ''] = readme.split(/^## Something is wrong$/m);
      const headings = [...(section.split(/^## /m)[0] ?? '').matchAll(/^### (.+)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^a-z0-9 -]/g, '')
          .replaceAll(' ', '-'),
      );
      const linked = alarms().map(({ AlarmDescription }) => /README\.md#([a-z0-9-]+)$/.exec(AlarmDescription)?.[1]);
      for (const anchor of linked) expect(headings).toContain(anchor);
      const names = alarms().map((each) => each.AlarmName);
      expect(new Set(names).size).toBe(names.length);
    });

    test('miss passes after two periods of the schedule, silence included', () => {
      const { stack } = given();
      const alarm = stack.properties<Alarm>('ReconcileAlarm');
      const { ScheduleExpression } = stack.properties<{ ScheduleExpression: string }>('Schedule');
      const [, count, unit = ''] = /^rate\((\d+) (minute|hour)s?\)$/.exec(ScheduleExpression) ?? [];
      const seconds = Number(count) * ({ minute: 60, hour: 3_600 }[unit] ?? Number.NaN);
      expect([Number(alarm.Period), alarm.EvaluationPeriods, alarm.TreatMissingData]).toEqual([
        seconds,
        2,
        'breaching',
      ]);
    });

    test('stay as they are between two passes about what every pass tells, and end by themselves about what only happens', () => {
      const ours = alarms().filter((each) => each.Namespace === NAMESPACE);
      const missing = Object.fromEntries(ours.map((each) => [each.MetricName, each.TreatMissingData]));
      expect(missing).toEqual({
        ...Object.fromEntries(
          ['OldestUnsettled', 'UnknownAge', 'HeldPlans', 'CircuitsOpen', 'TargetsUnusable'].map((name) => [
            name,
            'ignore',
          ]),
        ),
        BacklogAge: 'notBreaching',
        UnexpectedErrors: 'notBreaching',
        PassesFinished: 'breaching',
      });
      // Told the moment it opens: nothing is gained by looking back for longer.
      expect(Number(ours.find((each) => each.MetricName === 'CircuitsOpen')?.Period)).toBeLessThanOrEqual(300);
    });

    test('the dashboard shows numbers that there are', () => {
      const { stack } = given();
      const { DashboardBody } = stack.properties<{ DashboardBody: string }>('Dashboard');
      const { widgets } = JSON.parse(DashboardBody) as { widgets: { properties: { metrics: unknown[][] } }[] };
      const shown = widgets.flatMap((each) => each.properties.metrics);
      expect(shown.length).toBeGreaterThan(15);
      for (const [what, name] of shown) {
        if (typeof what === 'object') {
          const { expression } = what as { expression: string };
          const [, metric = ''] = /MetricName="(\w+)"/.exec(expression) ?? [];
          expect(METRICS[metric as keyof typeof METRICS]?.target).toBe(true);
          expect(expression).toContain(`{${NAMESPACE},service,stage,target}`);
        } else if (what === NAMESPACE) expect(METRICS[name as keyof typeof METRICS]?.target).toBe(false);
        else expect(OF_AWS[String(what)]).toContain(name);
      }
    });

    test('everything that is measured has been seen', () => {
      const names = new Set(told.map((each) => each.name));
      const rare = [
        'EdgesUnsupported',
        'EdgesConflict',
        'EdgesUnresolved',
        'EdgesDeleted',
        'EdgesUnchanged',
        'EdgesUnknown',
        'EdgesFailed',
        'Drifted',
        'BudgetWait',
        'BudgetSpent',
        'EventsTurnedAway',
        'UnexpectedErrors',
      ];
      expect(
        Object.keys(METRICS).filter((each) => !names.has(each as keyof typeof METRICS) && !rare.includes(each)),
      ).toEqual([]);
      for (const each of told)
        expect(Object.keys(each.dimensions).filter((name) => !['service', 'stage', 'target'].includes(name))).toEqual(
          [],
        );
      expect(new Set(told.map((each) => each.dimensions['service']))).toEqual(new Set([SERVICE]));
    });
  });
}
