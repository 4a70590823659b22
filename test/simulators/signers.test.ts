import { expect, test } from 'vitest';
import { canonicalQuery as simulated } from '../../local/simulators/percent.ts';
import { verifyAcs3 } from '../../shared/signing/acs3.ts';
import { canonicalQuery, parseForm } from '../../shared/signing/canonical.ts';
import { acs3, bodyHash, sdkHmac } from './signers.ts';

test('the ACS3 signer reproduces a captured read with characters that must be encoded', () => {
  const body = 'FilterQuery=%7B%22NeedUpstream%22%3Atrue%7D';
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    host: 'dataphin-public.cn-shanghai.aliyuncs.com',
    'x-acs-action': 'GetTableLineages',
    'x-acs-content-sha256': bodyHash(body),
    'x-acs-credentials-provider': 'static_ak',
    'x-acs-date': '2026-01-02T03:04:05Z',
    'x-acs-signature-nonce': '0123456789abcdef0123456789abcdef',
    'x-acs-version': '2023-06-30',
  };
  const url = new URL(
    'https://dataphin-public.cn-shanghai.aliyuncs.com/?OpTenantId=30001011&TableGuid=dp_ds_table.1.2.my%20schema.t*(x)',
  );
  expect(acs3({ method: 'POST', url, headers, body }, 'testAccessKeyId', 'testAccessKeySecret')).toContain(
    'Signature=e7dc6826d7a7fb392799c44314583546228b39eee044148b9e05593274cea5bf',
  );
});

test('the SDK-HMAC signer reproduces a captured create', () => {
  const body =
    '{"job_id":"testJobID","node_name":"testNode","table_lineage":{"input_tables":[{"database":"db1","schema":"","table":"t_in"}],"output_tables":[{"database":"db1","schema":"","table":"t_out"}]}}';
  const project = '0833a5737480d53b2f25c010dc1a7b88';
  const headers = {
    'content-type': 'application/json',
    host: 'dayu.cn-north-4.myhuaweicloud.com',
    workspace: '1b59d3c777ad4d619b89eeac4f3cce87',
    'x-project-id': project,
    'x-sdk-date': '20260102T030405Z',
  };
  const url = new URL(`https://dayu.cn-north-4.myhuaweicloud.com/v1/${project}/lineage/lineage-info`);
  const sk = 'TestSk000000000000000000000000000000000A';
  expect(sdkHmac({ method: 'POST', url, headers, body }, 'TESTAK00000000000000', sk)).toContain(
    'Signature=28373dab4a8ddcf2cbc3b8d27bf8b695efc30746b3aebb5fde05df16f217178b',
  );
});

test.each([
  ['a=1&a1=2', 'a=1&a1=2'],
  ['a1=2&a=1', 'a=1&a1=2'],
  ['b=&a=2&a=10&a', 'a=&a=10&a=2&b='],
  ['a-b=1&a=2&A=3', 'A=3&a=2&a-b=1'],
  ['a%2B=1&a=%2A&a%20=x', 'a=%2A&a%20=x&a%2B=1'],
])('the simulators, the signer here and the project put a query in order by its keys: %s', (query, expected) => {
  expect(simulated(query)).toBe(expected);
  expect(canonicalQuery(parseForm(query))).toBe(expected);
  const headers = {
    host: 'h',
    'x-acs-action': 'a',
    'x-acs-content-sha256': bodyHash(''),
    'x-acs-date': '2026-01-02T03:04:05Z',
    'x-acs-signature-nonce': 'n',
    'x-acs-version': 'v',
  };
  const authorization = acs3({ method: 'POST', url: new URL(`http://h/?${query}`), headers, body: '' }, 'id', 'secret');
  const received = {
    method: 'POST',
    target: `/?${query}`,
    headers: { ...headers, authorization },
    body: Buffer.alloc(0),
  };
  expect(verifyAcs3(received, 'secret', Date.parse('2026-01-02T03:04:05Z'))).toMatchObject({ ok: true });
});
