import { request } from 'node:http';
import { expect, test } from 'vitest';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import { startFlink } from '../../local/simulators/flink/index.ts';
import { PROJECT, WORKSPACE } from './callers.ts';

/** Bytes that the vendors' own signing libraries produced are what the simulators must take. */
function send(
  base: string,
  path: string,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, path, method: 'POST', headers, setHost: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += String(chunk);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const BODY =
  'AddRegisterLineageCommand=%7B%22Source%22%3A%7B%22ReferenceType%22%3A%22BY_GUID%22%2C%22Guid%22%3A%22odps.300000001.project1.table1%22%2C%22MetadataType%22%3A%22TABLE%22%7D%2C%22Target%22%3A%7B%22ReferenceType%22%3A%22BY_GUID%22%2C%22Guid%22%3A%22odps.300000001.project1.table2%22%2C%22MetadataType%22%3A%22TABLE%22%7D%2C%22DetailedLineages%22%3A%5B%7B%22Source%22%3A%7B%22ReferenceType%22%3A%22BY_GUID%22%2C%22Guid%22%3A%22odps.300000001.project1.table1.col%20a*%22%2C%22MetadataType%22%3A%22COLUMN%22%7D%2C%22Target%22%3A%7B%22ReferenceType%22%3A%22BY_GUID%22%2C%22Guid%22%3A%22odps.300000001.project1.table2.col~b%22%2C%22MetadataType%22%3A%22COLUMN%22%7D%2C%22IsDirect%22%3Atrue%7D%5D%7D';

const acs = {
  'content-type': 'application/x-www-form-urlencoded',
  host: 'dataphin-public.cn-shanghai.aliyuncs.com',
  'x-acs-action': 'AddRegisterLineage',
  'x-acs-content-sha256': 'ad55dc31945007b4d3b2c6d2d86f448f2c3f48c627f064beb20b76b397bb532d',
  'x-acs-date': '2026-01-02T03:04:05Z',
  'x-acs-signature-nonce': '0123456789abcdef0123456789abcdef',
  'x-acs-version': '2023-06-30',
};

test.each([
  [
    'with the credentials provider',
    { 'x-acs-credentials-provider': 'static_ak' },
    '71e8f733672100f3166519816d753859d8b034ae853ea3be4a7f883589705ffe',
  ],
  ['minimal', {}, 'b2191d71a5ed2ba63a9dada48a90e756b8b5aae310006b6c54e5329859d82516'],
  [
    'temporary credentials',
    {
      'x-acs-accesskey-id': 'testAccessKeyId',
      'x-acs-credentials-provider': 'static_sts',
      'x-acs-security-token': 'testSecurityToken',
    },
    '5d3b3d447cf2b82e7ca3a34f5dea2036c95c90735d9b1c29851195232f5058e6',
  ],
])('Dataphin: %s', async (_, more, signature) => {
  const simulator = await startDataphin({
    now: () => Date.parse('2026-01-02T03:04:05Z'),
    credentials: {
      access_key_id: 'testAccessKeyId',
      access_key_secret: 'testAccessKeySecret',
      ...('x-acs-security-token' in more ? { security_token: 'testSecurityToken' } : {}),
    },
  });
  const headers = { ...acs, ...more };
  const names = Object.keys(headers).sort().join(';');
  const authorization = `ACS3-HMAC-SHA256 Credential=testAccessKeyId,SignedHeaders=${names},Signature=${signature}`;
  const reply = await send(simulator.url, '/?OpTenantId=30001011', { ...headers, authorization }, BODY);
  expect(reply).toMatchObject({ status: 200, text: expect.stringContaining('"Code":"OK"') });
  await simulator.close();
});

test('DataArts', async () => {
  const simulator = await startDataArts({
    now: () => Date.parse('2026-01-02T03:04:05Z'),
    credentials: { ak: 'TESTAK00000000000000', sk: 'TestSk000000000000000000000000000000000A' },
  });
  const headers = {
    'content-type': 'application/json',
    host: 'dayu.cn-north-4.myhuaweicloud.com',
    workspace: WORKSPACE,
    'x-project-id': PROJECT,
    'x-sdk-date': '20260102T030405Z',
    authorization:
      'SDK-HMAC-SHA256 Access=TESTAK00000000000000, SignedHeaders=content-type;host;workspace;x-project-id;x-sdk-date, Signature=28373dab4a8ddcf2cbc3b8d27bf8b695efc30746b3aebb5fde05df16f217178b',
  };
  const body =
    '{"job_id":"testJobID","node_name":"testNode","table_lineage":{"input_tables":[{"database":"db1","schema":"","table":"t_in"}],"output_tables":[{"database":"db1","schema":"","table":"t_out"}]}}';
  const reply = await send(simulator.url, `/v1/${PROJECT}/lineage/lineage-info`, headers, body);
  expect(reply.status).toBe(200);
  await simulator.close();
});

test('Flink', async () => {
  const simulator = await startFlink({
    now: () => Date.parse('2026-02-03T04:05:06Z'),
    credentials: { access_key_id: 'testAccessKeyId', access_key_secret: 'testAccessKeySecret' },
  });
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    host: 'ververica.cn-hangzhou.aliyuncs.com',
    'x-acs-action': 'GetLineageInfo',
    'x-acs-content-sha256': '92117848d5bcc7a2cd32805f7dafcda59aefd9855ca84319406f328a70645d01',
    'x-acs-date': '2026-02-03T04:05:06Z',
    'x-acs-signature-nonce': 'fedcba9876543210fedcba9876543210',
    'x-acs-version': '2022-07-18',
  };
  const authorization = `ACS3-HMAC-SHA256 Credential=testAccessKeyId,SignedHeaders=${Object.keys(headers).join(';')},Signature=2bac231af2f42edcac898698d6d3cf7428b5a01fa05b83eb94089bf8731e74b1`;
  const body =
    '{"id":"664cc64d-5dea-4ad3-9ee4-8432a8740000","idType":"JOB","direction":"BOTH","depth":1,"isColumnLevel":true,"isTemporary":false,"namespace":"default-namespace","workspace":"710d6a64d8f34a"}';
  const reply = await send(
    simulator.url,
    '/meta/v2/lineage',
    { ...headers, workspace: '710d6a64d8f34a', authorization },
    body,
  );
  expect(reply).toMatchObject({ status: 200, text: expect.stringContaining('Simulated.NotFound') });
  await simulator.close();
});
