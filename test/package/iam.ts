/** A statement of a role's policies, filled in. */
export interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

/** What somebody is about to do. */
export interface Attempt {
  readonly action: string;
  readonly resource: string;
  /** Partition keys that a DynamoDB request names. */
  readonly leadingKeys?: readonly string[];
}

/** Whether policies allow it: some statement does (ours never deny). A condition that is not known here allows nothing. */
export function allows(statements: readonly Statement[], attempt: Attempt): boolean {
  return statements.some(
    ({ Effect, Action, Resource, Condition }) =>
      Effect === 'Allow' &&
      [Action].flat().some((pattern) => matches(pattern, attempt.action)) &&
      [Resource].flat().some((pattern) => matches(pattern, attempt.resource)) &&
      Object.entries(Condition ?? {}).every(([operator, of]) => fulfils(operator, of, attempt)),
  );
}

function fulfils(
  operator: string,
  of: Readonly<Record<string, readonly string[]>>,
  { leadingKeys = [] }: Attempt,
): boolean {
  const patterns = of['dynamodb:LeadingKeys'];
  if (operator !== 'ForAllValues:StringLike' || patterns === undefined || Object.keys(of).length > 1) return false;
  return leadingKeys.every((key) => patterns.some((pattern) => matches(pattern, key)));
}

function matches(pattern: string, text: string): boolean {
  const expression = pattern.replace(/[.+^${}()|[\]\\?]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${expression}$`, 's').test(text);
}
