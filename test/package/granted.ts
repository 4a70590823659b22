import type { Attempt, Statement } from './iam.ts';
import { allows } from './iam.ts';

/** One thing that a role may do: an action on a pattern of resources. */
export interface Grant {
  readonly action: string;
  readonly resource: string;
  readonly statement: Statement;
}

/** What a role may do, piece by piece. */
export function grantsOf(statements: readonly Statement[]): Grant[] {
  return statements.flatMap((statement) =>
    [statement.Action]
      .flat()
      .flatMap((action) => [statement.Resource].flat().map((resource) => ({ action, resource, statement }))),
  );
}

/** Grants that nothing of what was attempted needs; of a grant with a condition, each key is looked at for itself. */
export function spare(grants: readonly Grant[], attempts: readonly Attempt[]): string[] {
  return grants.flatMap(({ action, resource, statement: { Effect, Condition } }) => {
    const keys = Condition?.['ForAllValues:StringLike']?.['dynamodb:LeadingKeys'];
    const pieces = keys?.map((key) => ({ 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [key] } })) ?? [
      Condition,
    ];
    return pieces.flatMap((piece) => {
      const one: Statement = { Effect, Action: action, Resource: resource, ...(piece ? { Condition: piece } : {}) };
      const used = attempts.some((each) => (piece === undefined || each.leadingKeys?.length) && allows([one], each));
      return used ? [] : [`${action} ${resource}${piece ? ` ${JSON.stringify(piece)}` : ''}`];
    });
  });
}
