import { expect, it, onTestFinished, vi } from 'vitest';
import { dataphin } from '../../functions/vendor-wire/dataphin.ts';
import { memoryLog } from '../../shared/log.ts';
import { s3Manifests } from '../../shared/manifests/s3.ts';
import { readSettings } from '../../shared/settings.ts';
import { TRUSTED } from '../../shared/triggers/access.ts';
import { awsServices } from '../../shared/wiring-aws.ts';
import { startDynalite } from '../contract/aws-emulators.ts';
import { startS3Stub } from '../contract/s3-stub.ts';
import { startSecretsManagerStub } from '../contract/secrets-manager-stub.ts';
import { at } from '../simulators/callers.ts';
import { acs3, acsDate, bodyHash } from '../simulators/signers.ts';

const BUCKET = 'vendor-wire';
const HOST = 'wire.lambda-url.eu-central-1.on.aws';

/** Two instances of the function that share nothing but what AWS keeps. */
async function instances() {
  const [dynamodb, s3, secrets] = await Promise.all([startDynalite(), startS3Stub(BUCKET), startSecretsManagerStub()]);
  const client = { name: 'etl', scopes: ['register', 'delete'], access_key_id: 'LTAI', access_key_secret: 's' };
  secrets.held = { 'dev/lineage/clients': JSON.stringify({ clients: [client] }) };
  const environment = {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKTEST',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url,
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  onTestFinished(async () => {
    await Promise.all([dynamodb, s3, secrets].map((each) => each.close()));
    vi.unstubAllEnvs();
  });
  const settings = readSettings({
    TABLE: dynamodb.table,
    BUCKET,
    QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/work',
    SECRET_PREFIX: 'dev/',
    WIRE_DATAPHIN: 'keep',
  });
  return [0, 1].map(() => awsServices(settings, { log: memoryLog() }));
}

const table = (name: string) => ({ ReferenceType: 'BY_GUID', Guid: `odps.1.p.${name}`, MetadataType: 'TABLE' });

function signed(column: string) {
  const command = {
    Source: table('a'),
    Target: table('b'),
    DetailedLineages: [{ Source: { Name: column }, Target: { Name: column } }],
  };
  const body = JSON.stringify({ AddRegisterLineageCommand: command });
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    host: HOST,
    'x-acs-action': 'AddRegisterLineage',
    'x-acs-content-sha256': bodyHash(body),
    'x-acs-date': acsDate(Date.now()),
    'x-acs-signature-nonce': `nonce ${column}`,
    'x-acs-version': '2023-06-30',
  };
  const url = new URL(`https://${HOST}/?OpTenantId=30001011`);
  const authorization = acs3({ method: 'POST', url, headers, body }, 'LTAI', 's');
  return {
    method: 'POST',
    params: {},
    query: url.searchParams,
    headers: { ...headers, authorization },
    body: Buffer.from(body),
    caller: TRUSTED,
    deadlineMs: Date.now() + 20_000,
  };
}

it('two instances in AWS lose nothing of one pair, and take a nonce once between them', async () => {
  const both = await instances();
  const send = async (instance: number, column: string) => {
    const services = both[instance];
    if (services === undefined) throw new Error('no such instance');
    const { status, body } = await dataphin(signed(column), services);
    return `${status} ${String(at(JSON.parse(String(body)), 'Code'))}`;
  };
  const columns = Array.from({ length: 8 }, (_, index) => `c${index}`);
  expect(await Promise.all(columns.map((column, index) => send(index % 2, column)))).toEqual(
    columns.map(() => '200 OK'),
  );
  const bucket = s3Manifests(BUCKET);
  const [object] = (await bucket.list('dataphin/')).items;
  const stored = await bucket.get(object?.key ?? '');
  const document = JSON.parse(Buffer.from(stored?.bytes ?? []).toString('utf8')) as unknown;
  const declared = at(document, 'lineage', 0, 'columns') as { to: { column: string } }[];
  expect(declared.map(({ to }) => to.column).sort()).toEqual(columns);
  expect(await send(1, 'c0')).toBe('400 SignatureNonceUsed');
  const { authorization: _none, ...headers } = signed('x').headers;
  const unsigned = await dataphin({ ...signed('x'), headers }, both[0] as never);
  expect(unsigned.status).toBe(400);
});
