import { describe, expect, test } from 'vitest';
import type { Filled, LambdaProperties } from './template.ts';

interface Stacks {
  readonly stack: Filled;
  readonly functions: Readonly<Record<string, LambdaProperties>>;
  /** With a key of its own for the secrets, and logs that are kept a week. */
  readonly prod: Filled;
}

interface Policy {
  readonly PolicyDocument: { readonly Statement: readonly Readonly<Record<string, unknown>>[] };
}

/** What is kept is encrypted, what is sent is too, and nothing is open. */
export function atRestSuite(given: () => Stacks): void {
  describe('what is kept', () => {
    test('is encrypted: every bucket, table and queue', () => {
      const { stack } = given();
      const every = (type: string) => stack.ofType(type).map(([id]) => stack.properties<Record<string, unknown>>(id));
      const queues = every('AWS::SQS::Queue');
      expect(queues.length).toBeGreaterThan(4);
      for (const queue of queues) expect(queue['SqsManagedSseEnabled']).toBe(true);
      for (const table of every('AWS::DynamoDB::Table'))
        expect(table).toMatchObject({ SSESpecification: { SSEEnabled: true } });
      for (const bucket of every('AWS::S3::Bucket')) expect(bucket).toHaveProperty('BucketEncryption');
    });

    test('is reached by TLS alone: the bucket and every queue refuse anything else, to everybody', () => {
      const { stack } = given();
      const denying = [...stack.ofType('AWS::S3::BucketPolicy'), ...stack.ofType('AWS::SQS::QueuePolicy')].flatMap(
        ([id]) =>
          stack
            .properties<Policy>(id)
            .PolicyDocument.Statement.filter((each) => each['Effect'] === 'Deny')
            .map((each) => {
              expect(each).toMatchObject({ Principal: '*' });
              // Policies take the word and the value alike.
              const { Bool } = each['Condition'] as { Bool: Record<string, unknown> };
              expect(String(Bool['aws:SecureTransport'])).toBe('false');
              expect(each['Action']).toMatch(/^(s3|sqs):\*$/);
              return [each['Resource']].flat();
            }),
      );
      const buckets = stack.ofType('AWS::S3::Bucket').flatMap(([id]) => [stack.arn(id), `${stack.arn(id)}/*`]);
      const queues = stack.ofType('AWS::SQS::Queue').map(([id]) => stack.arn(id));
      expect(denying.flat().sort()).toEqual([...buckets, ...queues].sort());
      // Each queue has exactly one policy, or the last one would count alone.
      const named = stack
        .ofType('AWS::SQS::QueuePolicy')
        .flatMap(([id]) => stack.properties<{ Queues: string[] }>(id).Queues);
      expect([...named].sort()).toEqual([...new Set(named)].sort());
      expect(named).toHaveLength(queues.length);
    });

    test('is nobody else’s: every bucket of ours is shut, none is written to by foreign owners, and keeps versions', () => {
      const { stack } = given();
      const [[id] = ['']] = stack.ofType('AWS::S3::Bucket').filter(([name]) => name === 'Bucket');
      const properties = stack.properties<{ PublicAccessBlockConfiguration: Record<string, boolean> }>(id);
      expect(Object.values(properties.PublicAccessBlockConfiguration)).toEqual([true, true, true, true]);
      expect(properties).toMatchObject({
        VersioningConfiguration: { Status: 'Enabled' },
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      });
    });

    test('in logs is forgotten, after as many days as the setting says', () => {
      const { stack, prod, functions } = given();
      const days = (of: Filled) =>
        of
          .ofType('AWS::Logs::LogGroup')
          .map(([id]) => Number(of.properties<Record<string, unknown>>(id)['RetentionInDays']));
      expect(days(stack)).toEqual(Object.keys(functions).map(() => 30));
      expect(days(prod)).toEqual(Object.keys(functions).map(() => 7));
    });
  });

  test('a key of one’s own for the secrets: every function may decrypt with it, through Secrets Manager alone', () => {
    const { stack, prod, functions } = given();
    expect(stack.ofType('AWS::IAM::Policy').map(([id]) => id)).not.toContain('SecretsKeyPolicy');
    expect(prod.ofType('AWS::IAM::Policy').map(([id]) => id)).toContain('SecretsKeyPolicy');
    const policy = prod.properties<Policy & { Roles: string[] }>('SecretsKeyPolicy');
    expect(policy.PolicyDocument.Statement).toEqual([
      {
        Effect: 'Allow',
        Action: 'kms:Decrypt',
        Resource: 'arn:aws:kms:eu-central-1:1:key/k',
        Condition: { StringEquals: { 'kms:ViaService': 'secretsmanager.eu-central-1.amazonaws.com' } },
      },
    ]);
    const roles = Object.values(functions).map((each) => each.Role.split('/').at(-1));
    expect([...policy.Roles].sort()).toEqual(roles.sort());
  });
}
