import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { type Emulator, stub } from '../contract/aws-emulators.ts';
import { type Attempt, allows, type Statement } from './iam.ts';
import { ACCOUNT, REGION } from './template.ts';

type Service = 'dynamodb' | 's3' | 'sqs' | 'secretsmanager';

export interface Front extends Emulator {
  /** Everything asked for so far. */
  readonly attempts: Attempt[];
  /** What the role does not allow, and what was therefore refused. */
  readonly refused: Attempt[];
}

/**
 * AWS as one function sees it: its requests go on to the emulators if the role's policies allow them, and get IAM's refusal if not. As in
 * S3, what is absent is 403 for whoever may not list.
 */
export async function awsFront(
  behind: Readonly<Record<Service, string>>,
  statements: readonly Statement[],
): Promise<Front> {
  const attempts: Attempt[] = [];
  const refused: Attempt[] = [];
  const emulator = await stub((request, response) => {
    pass(request, response).catch((thrown: unknown) => {
      response.statusCode = 500;
      response.end(String(thrown));
    });
  });

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const service = /Credential=[^/]+\/\d+\/[^/]+\/(\w+)\//.exec(request.headers.authorization ?? '')?.[1] as Service;
    const asked = attemptsOf(service, request, body);
    attempts.push(...asked);
    const denied = asked.filter((each) => !allows(statements, each));
    refused.push(...denied);
    if (denied.length > 0) return deny(service, request, response);
    const { hostname, port } = new URL(behind[service]);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const { method, url: path, headers } = request;
      forward({ hostname, port, method, path, headers }, resolve).on('error', reject).end(body);
    });
    const bytes = await buffer(answer);
    // Only whoever may list is told that something is absent.
    if (service === 's3' && answer.statusCode === 404)
      attempts.push({ action: 's3:ListBucket', resource: bucketArn(request) });
    const mayList = allows(statements, { action: 's3:ListBucket', resource: bucketArn(request) });
    if (service === 's3' && answer.statusCode === 404 && !mayList) return deny(service, request, response);
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    response.end(bytes);
  }

  return { ...emulator, attempts, refused };
}

/** Operations that need another one's right (AWS, Actions, resources, and condition keys for Amazon SQS, read 2026-11). */
const NEEDED: Readonly<Record<string, string>> = { SendMessageBatch: 'SendMessage' };

function attemptsOf(service: Service, request: IncomingMessage, body: Buffer): Attempt[] {
  if (service === 's3') {
    const { pathname } = new URL(request.url ?? '/', 'http://s3');
    const key = decodeURIComponent(pathname.split('/').slice(2).join('/'));
    if (key === '') return [{ action: 's3:ListBucket', resource: bucketArn(request) }];
    const verb = { GET: 'GetObject', HEAD: 'GetObject', PUT: 'PutObject', DELETE: 'DeleteObject' }[
      request.method ?? ''
    ];
    return [{ action: `s3:${verb}`, resource: `${bucketArn(request)}/${key}` }];
  }
  const operation = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
  const action = `${service}:${NEEDED[operation] ?? operation}`;
  const asked = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  const arn = (name: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${name}`;
  if (service === 'sqs') return [{ action, resource: arn(String(asked['QueueUrl']).split('/').at(-1) ?? '') }];
  if (service === 'secretsmanager') {
    // AWS puts six characters behind a secret's name.
    return [{ action, resource: 'SecretId' in asked ? arn(`secret:${asked['SecretId']}-AbCdEf`) : '*' }];
  }
  const tables =
    'TableName' in asked ? [String(asked['TableName'])] : Object.keys((asked['RequestItems'] ?? {}) as object);
  const item = (asked['Item'] ?? asked['Key']) as { readonly pk?: { readonly S?: string } } | undefined;
  const leadingKeys = item?.pk?.S === undefined ? [] : [item.pk.S];
  return tables.map((table) => ({ action, resource: arn(`table/${table}`), leadingKeys }));
}

function bucketArn(request: IncomingMessage): string {
  return `arn:aws:s3:::${new URL(request.url ?? '/', 'http://s3').pathname.split('/')[1]}`;
}

function deny(service: Service, request: IncomingMessage, response: ServerResponse): void {
  response.statusCode = service === 's3' ? 403 : 400;
  const xml =
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';
  const text = service === 's3' ? xml : JSON.stringify({ __type: 'AccessDeniedException', message: 'not authorized' });
  response.end(request.method === 'HEAD' ? undefined : text);
}
