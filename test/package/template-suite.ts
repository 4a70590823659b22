import { describe, expect, test } from 'vitest';
import { entries } from '../../local/entries.ts';
import { OWNER_PREFIXES } from '../../shared/core/owner-key.ts';
import { itemRow, rowItem } from '../../shared/ledger/dynamodb-items.ts';
import { readSettings } from '../../shared/settings.ts';
import type { Statement } from './iam.ts';
import type { Filled, functionsOf } from './template.ts';

export interface Stacks {
  readonly stack: Filled;
  readonly functions: ReturnType<typeof functionsOf>;
  /** Packaged for the stage `prod`, with a bucket and a table that exist already. */
  readonly prod: Filled;
}

interface RoleProperties {
  readonly AssumeRolePolicyDocument: {
    readonly Statement: readonly { readonly Principal: { readonly Service: string } }[];
  };
  readonly Policies: readonly { readonly PolicyDocument: { readonly Statement: readonly Statement[] } }[];
}

interface QueueProperties {
  readonly VisibilityTimeout?: number;
  readonly SqsManagedSseEnabled?: boolean;
  readonly RedrivePolicy?: { readonly deadLetterTargetArn: string; readonly maxReceiveCount: number };
}

/** What serverless.yml says, as CloudFormation will get it. */
export function templateSuite(given: () => Stacks): void {
  const names = Object.keys(entries);
  const role = (of: Filled, arn: string) => of.properties<RoleProperties>(arn.split('/').at(-1) ?? '');
  const statements = (properties: RoleProperties) =>
    properties.Policies.flatMap((each) => each.PolicyDocument.Statement);

  describe('every function', () => {
    test('is there, on Node 24 and arm64, and ends within two minutes', () => {
      const { functions } = given();
      expect(Object.keys(functions).sort()).toEqual([...names].sort());
      for (const [name, of] of Object.entries(functions)) {
        expect([name, of.Runtime, of.Architectures]).toEqual([name, 'nodejs24.x', ['arm64']]);
        expect(of.Timeout, name).toBeLessThanOrEqual(120);
      }
    });

    test.each(names)('%s has a role of its own that names actions and resources', (name) => {
      const { stack, functions } = given();
      const arn = functions[name]?.Role ?? '';
      expect(Object.values(functions).filter((each) => each.Role === arn)).toHaveLength(1);
      const properties = role(stack, arn);
      expect(properties.AssumeRolePolicyDocument.Statement.map((each) => each.Principal.Service)).toEqual([
        'lambda.amazonaws.com',
      ]);
      for (const { Effect, Action, Resource } of statements(properties)) {
        const actions = [Action].flat();
        expect(Effect).toBe('Allow');
        expect(actions.filter((action) => action.includes('*'))).toEqual([]);
        const everything = [Resource].flat().some((each) => each === '*' || each.endsWith(':*:*'));
        expect(everything ? actions : []).toEqual(everything ? ['secretsmanager:ListSecrets'] : []);
      }
      const allowed = statements(properties).flatMap((each) => each.Action);
      if (allowed.includes('s3:GetObject')) expect(allowed).toContain('s3:ListBucket');
    });

    test('has a log group that forgets', () => {
      const { stack, functions } = given();
      const kept = stack.ofType('AWS::Logs::LogGroup').map(([id]) => stack.properties<Record<string, unknown>>(id));
      expect(kept.map((each) => each['LogGroupName']).sort()).toEqual(
        Object.values(functions)
          .map((each) => `/aws/lambda/${each.FunctionName}`)
          .sort(),
      );
      for (const each of kept) expect(each['RetentionInDays']).toBe(30);
    });

    test('is open to everybody only if it asks for keys itself, and else to whoever AWS has signed in', () => {
      const { stack } = given();
      const urls = stack
        .ofType('AWS::Lambda::Url')
        .map(([id]) => [id, stack.properties<{ AuthType: string }>(id).AuthType]);
      const wanted = Object.entries(entries).flatMap(([name, entry]) =>
        entry.kind === 'http' ? [[urlId(name), entry.options.url === 'public' ? 'NONE' : 'AWS_IAM']] : [],
      );
      expect(Object.fromEntries(urls)).toEqual(Object.fromEntries(wanted));
      const open = stack
        .ofType('AWS::Lambda::Permission')
        .map(([id]) => stack.properties<{ FunctionName: string }>(id));
      const inPublic = wanted.filter(([, auth]) => auth === 'NONE').length;
      expect(new Set(open.map((each) => each.FunctionName)).size).toBe(inPublic);
    });

    test('starts with settings that it understands', () => {
      const { functions, prod } = given();
      for (const { Environment } of Object.values(functions)) {
        expect(readSettings(Environment.Variables)).toMatchObject({
          deployment: 'dev',
          vanishGraceMs: 60_000,
          unknownWaitMs: 120_000,
          hold: { withdrawRatio: 0.3, singleRemovalLimit: 100, smallTarget: 10 },
          aws: {
            table: 'lineage-functions-dev',
            bucket: 'lineage-functions-dev-123456789012-eu-central-1',
            queueUrl: 'https://sqs.eu-central-1.amazonaws.com/123456789012/lineage-functions-dev-work',
            secretPrefix: 'dev/',
          },
        });
      }
      const [id = ''] = prod.ofType('AWS::Lambda::Function')[0] ?? [];
      const { Environment } = prod.properties<{ Environment: { Variables: Record<string, string> } }>(id);
      expect(readSettings(Environment.Variables)).toMatchObject({
        deployment: 'prod',
        vanishGraceMs: 90_000,
        aws: { table: 'my-table', bucket: 'my-bucket', secretPrefix: 'prod/' },
      });
    });
  });

  describe('the bucket', () => {
    test('keeps versions and the world out, and outlives the stack', () => {
      const { stack } = given();
      const bucket = stack.resource('Bucket');
      expect([bucket.DeletionPolicy, bucket.UpdateReplacePolicy]).toEqual(['Retain', 'Retain']);
      const properties = stack.properties<Record<string, unknown>>('Bucket');
      expect(properties).toMatchObject({
        VersioningConfiguration: { Status: 'Enabled' },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
        },
      });
      expect(stack.properties('BucketPolicy')).toMatchObject({
        PolicyDocument: { Statement: [{ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }] },
      });
    });

    test('tells of owners and naming.yaml, and of nothing that the functions write for themselves', () => {
      const { stack } = given();
      const { NotificationConfiguration } = stack.properties<{
        NotificationConfiguration: {
          QueueConfigurations: {
            Event: string;
            Queue: string;
            Filter: { S3Key: { Rules: { Name: string; Value: string }[] } };
          }[];
        };
      }>('Bucket');
      const told = NotificationConfiguration.QueueConfigurations.map(({ Event, Queue, Filter }) => {
        expect(Queue).toBe(stack.arn('ObjectQueue'));
        expect(Filter.S3Key.Rules.map((rule) => rule.Name)).toEqual(['prefix']);
        return `${Filter.S3Key.Rules[0]?.Value} ${Event}`;
      });
      const events = ['s3:ObjectCreated:*', 's3:ObjectRemoved:*', 's3:LifecycleExpiration:*'];
      const wanted = [...OWNER_PREFIXES, 'naming.yaml'].flatMap((prefix) =>
        events.map((event) => `${prefix} ${event}`),
      );
      expect(told.sort()).toEqual(wanted.sort());
    });

    test('comes after the queue policy, which names it without referring to it', () => {
      const { stack } = given();
      expect([stack.resource('Bucket').DependsOn].flat()).toEqual(['ObjectQueuePolicy']);
      const policy = stack.resource('ObjectQueuePolicy');
      expect(JSON.stringify(policy.Properties)).not.toMatch(/"(Ref|Fn::GetAtt)":\[?"Bucket"/);
      expect(stack.properties('ObjectQueuePolicy')).toMatchObject({
        PolicyDocument: {
          Statement: [
            {
              Principal: { Service: 's3.amazonaws.com' },
              Condition: { ArnEquals: { 'aws:SourceArn': stack.arn('Bucket') } },
            },
            { Effect: 'Deny' },
          ],
        },
      });
    });

    test('and the table can be those that are there already', () => {
      const { prod } = given();
      expect(prod.ofType('AWS::S3::Bucket').map(([id]) => id)).not.toContain('Bucket');
      expect(prod.ofType('AWS::DynamoDB::Table')).toEqual([]);
      expect(JSON.stringify(prod.properties('ObjectQueuePolicy'))).toContain('"arn:aws:s3:::my-bucket"');
    });
  });

  describe('the rest', () => {
    test('the table has the keys and the TTL that the ledger uses, can be restored, and outlives the stack', () => {
      const { stack } = given();
      const table = stack.resource('Table');
      expect([table.DeletionPolicy, table.UpdateReplacePolicy]).toEqual(['Retain', 'Retain']);
      const item = rowItem({ key: 'k', rev: 'r', body: {}, expiresAt: 5 }, undefined);
      expect(itemRow(item).expiresAt).toBe(5);
      const properties = stack.properties<{
        KeySchema: { AttributeName: string }[];
        TimeToLiveSpecification: { AttributeName: string };
      }>('Table');
      for (const { AttributeName } of properties.KeySchema) expect(Object.keys(item)).toContain(AttributeName);
      expect(item[properties.TimeToLiveSpecification.AttributeName]).toEqual({ N: '5' });
      expect(properties).toMatchObject({
        BillingMode: 'PAY_PER_REQUEST',
        TimeToLiveSpecification: { Enabled: true },
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        SSESpecification: { SSEEnabled: true },
      });
    });

    test('queues hide a message for six times as long as its function may run, and keep what fails', () => {
      const { stack, functions } = given();
      const sources = stack.ofType('AWS::Lambda::EventSourceMapping').map(([id]) =>
        stack.properties<{
          EventSourceArn: string;
          FunctionName: string;
          FunctionResponseTypes: string[];
          BatchSize: number;
        }>(id),
      );
      expect(sources).toHaveLength(2);
      const queues = stack
        .ofType('AWS::SQS::Queue')
        .map(([id]) => ({ arn: stack.arn(id), ...stack.properties<QueueProperties>(id) }));
      for (const queue of queues) expect(queue.SqsManagedSseEnabled).toBe(true);
      for (const source of sources) {
        const queue = queues.find((each) => each.arn === source.EventSourceArn);
        const of = Object.values(functions).find((each) => stack.arn(each.id) === source.FunctionName);
        expect(queue?.VisibilityTimeout).toBeGreaterThanOrEqual(6 * (of?.Timeout ?? Number.NaN));
        expect(queues.map((each) => each.arn)).toContain(queue?.RedrivePolicy?.deadLetterTargetArn);
        expect(source.FunctionResponseTypes).toEqual(['ReportBatchItemFailures']);
        expect(source.BatchSize).toBe(5);
      }
    });

    test('an alarm tells when the platform refuses events with a 429 of its own, which clients do not try again on', () => {
      const { stack, prod, functions } = given();
      const alarm = stack.properties<Record<string, unknown>>('WebhookThrottled');
      const FunctionName = functions['register-webhook']?.FunctionName;
      expect(alarm).toMatchObject({
        Namespace: 'AWS/Lambda',
        MetricName: 'Throttles',
        Dimensions: [{ Name: 'FunctionName', Value: FunctionName }],
        Threshold: 1,
      });
      expect(alarm['AlarmActions']).toBeUndefined();
      expect(prod.properties('WebhookThrottled')).toMatchObject({
        AlarmActions: ['arn:aws:sns:eu-central-1:1:alarms'],
      });
      // A share of its own would be a limit of its own.
      expect(functions['register-webhook']).not.toHaveProperty('ReservedConcurrentExecutions');
    });

    test('the schedule may start the one function, and what it could not start is kept', () => {
      const { stack, functions, prod } = given();
      const schedule = stack.properties<{
        ScheduleExpression: string;
        Target: { Arn: string; RoleArn: string; DeadLetterConfig: { Arn: string }; RetryPolicy: object };
      }>('Schedule');
      const arn = stack.arn(functions['scheduled-reconcile']?.id ?? '');
      expect(schedule).toMatchObject({
        ScheduleExpression: 'rate(15 minutes)',
        Target: {
          Arn: arn,
          DeadLetterConfig: { Arn: stack.arn('ScheduleDeadLetters') },
          RetryPolicy: expect.anything(),
        },
      });
      const properties = role(stack, schedule.Target.RoleArn);
      expect(properties.AssumeRolePolicyDocument.Statement.map((each) => each.Principal.Service)).toEqual([
        'scheduler.amazonaws.com',
      ]);
      expect(statements(properties)).toContainEqual({
        Effect: 'Allow',
        Action: 'lambda:InvokeFunction',
        Resource: arn,
      });
      expect(prod.properties('Schedule')).toMatchObject({ ScheduleExpression: 'rate(5 minutes)' });
    });
  });
}

function urlId(name: string): string {
  const normal = name.replaceAll('-', 'Dash');
  return `${normal.charAt(0).toUpperCase()}${normal.slice(1)}LambdaFunctionUrl`;
}
