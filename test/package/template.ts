/** A packaged CloudFormation template, as far as the tests read it. */
export interface Template {
  readonly Conditions: Readonly<Record<string, unknown>>;
  readonly Resources: Readonly<Record<string, Resource>>;
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly Condition?: string;
  readonly DependsOn?: string | readonly string[];
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

export const ACCOUNT = '123456789012';
export const REGION = 'eu-central-1';

const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::AccountId': ACCOUNT,
  'AWS::Region': REGION,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::StackName': 'lineage-functions-dev',
};

/** Fills a template in as CloudFormation would, in account 123456789012; what it does not know it refuses. */
export function filled(template: Template) {
  const resource = (id: string): Resource => {
    const found = template.Resources[id];
    if (!found) throw new Error(`there is no resource ${id}`);
    return found;
  };

  const holds = (condition: string): boolean => value(template.Conditions[condition]) === true;

  function value(given: unknown): unknown {
    if (Array.isArray(given)) return given.map(value).filter((each) => each !== undefined);
    if (typeof given !== 'object' || given === null) return given;
    const [[name, of] = ['', undefined], ...more] = Object.entries(given);
    if (more.length > 0 || !(name === 'Ref' || name.startsWith('Fn::'))) {
      return Object.fromEntries(Object.entries(given).map(([key, each]) => [key, value(each)]));
    }
    switch (name) {
      case 'Ref':
        return reference(String(of));
      case 'Fn::Sub':
        return String(of).replace(/\$\{([^}]+)\}/g, (_, each: string) =>
          String(each.endsWith('.QueueName') ? nameOf(each.replace('.QueueName', '')) : reference(each)),
        );
      case 'Fn::Join': {
        const [between, parts] = of as [string, unknown];
        return (value(parts) as string[]).join(between);
      }
      case 'Fn::If': {
        const [condition, yes, no] = of as [string, unknown, unknown];
        return value(holds(condition) ? yes : no);
      }
      case 'Fn::Equals': {
        const [one, other] = of as [unknown, unknown];
        return value(one) === value(other);
      }
      case 'Fn::Not':
        return value((of as [unknown])[0]) !== true;
      case 'Fn::GetAtt': {
        const [id, attribute] = of as [string, string];
        if (attribute === 'Arn') return arn(id);
        if (attribute === 'QueueName') return nameOf(id);
        break;
      }
    }
    throw new Error(`the tests do not know ${JSON.stringify(given)}`);
  }

  function reference(id: string): unknown {
    if (id === 'AWS::NoValue') return undefined;
    const pseudo = PSEUDO[id];
    if (pseudo !== undefined) return pseudo;
    const { Type } = resource(id);
    if (Type === 'AWS::SQS::Queue') return `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${nameOf(id)}`;
    return nameOf(id);
  }

  function nameOf(id: string): string {
    const { Properties } = resource(id);
    const key = ['QueueName', 'TableName', 'BucketName', 'FunctionName', 'LogGroupName'].find(
      (each) => each in Properties,
    );
    return key === undefined ? id : String(value(Properties[key]));
  }

  function arn(id: string): string {
    const name = nameOf(id);
    switch (resource(id).Type) {
      case 'AWS::SQS::Queue':
        return `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
      case 'AWS::DynamoDB::Table':
        return `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}`;
      case 'AWS::S3::Bucket':
        return `arn:aws:s3:::${name}`;
      case 'AWS::Lambda::Function':
        return `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;
      case 'AWS::IAM::Role':
        return `arn:aws:iam::${ACCOUNT}:role/${id}`;
      default:
        throw new Error(`the tests do not know the ARN of ${id}`);
    }
  }

  return {
    value,
    holds,
    arn,
    nameOf,
    ofType: (type: string): [string, Resource][] =>
      Object.entries(template.Resources).filter(
        ([, each]) => each.Type === type && (each.Condition === undefined || holds(each.Condition)),
      ),
    properties: <Shape>(id: string): Shape => value(resource(id).Properties) as Shape,
    resource,
  };
}

export type Filled = ReturnType<typeof filled>;

export interface LambdaProperties {
  readonly FunctionName: string;
  readonly Handler: string;
  readonly Runtime: string;
  readonly Architectures: readonly string[];
  readonly Timeout: number;
  readonly MemorySize: number;
  readonly Role: string;
  readonly Environment: { readonly Variables: Readonly<Record<string, string>> };
}

/** The functions by the names of serverless.yml. */
export function functionsOf(
  stack: Filled,
  stage = 'dev',
): Readonly<Record<string, LambdaProperties & { readonly id: string }>> {
  const prefix = `lineage-functions-${stage}-`;
  return Object.fromEntries(
    stack.ofType('AWS::Lambda::Function').map(([id]) => {
      const properties = stack.properties<LambdaProperties>(id);
      return [properties.FunctionName.replace(prefix, ''), { ...properties, id }];
    }),
  );
}
