import { createRequire } from 'node:module';
import type { JsonObject } from '../../shared/core/json.ts';

const require = createRequire(import.meta.url);

/** The vendors' own generic clients, unmodified; of their types only what is used, because theirs pull in whole trees. */
interface OpenApi {
  readonly default: new (
    config: unknown,
  ) => {
    callApi(
      params: unknown,
      request: unknown,
      runtime: unknown,
    ): Promise<{ readonly statusCode: number; readonly body: JsonObject }>;
  };
  readonly $OpenApiUtil: Readonly<Record<'Config' | 'Params' | 'OpenApiRequest', new (given: unknown) => unknown>>;
}
const { default: AlibabaClient, $OpenApiUtil } = require('@alicloud/openapi-core') as OpenApi;
const { RuntimeOptions } = require('@darabonba/typescript') as { RuntimeOptions: new (given: unknown) => unknown };

export interface Keys {
  readonly id: string;
  readonly secret: string;
  readonly token?: string;
}

/** What came back: a body with 2xx, else the client's error. */
export type Reply =
  | { readonly ok: true; readonly status: number; readonly body: JsonObject }
  | { readonly ok: false; readonly status: number; readonly code: string; readonly message: string };

function alibaba(url: string, keys: Keys) {
  return new AlibabaClient(
    new $OpenApiUtil.Config({
      accessKeyId: keys.id,
      accessKeySecret: keys.secret,
      ...(keys.token === undefined ? {} : { securityToken: keys.token }),
      endpoint: new URL(url).host,
      protocol: 'HTTP',
    }),
  );
}

async function replyOf(call: Promise<{ readonly statusCode: number; readonly body: JsonObject }>): Promise<Reply> {
  try {
    const { statusCode, body } = await call;
    return { ok: true, status: statusCode, body };
  } catch (thrown) {
    const { statusCode = 0, code = '', message } = thrown as Error & { statusCode?: number; code?: string };
    return { ok: false, status: statusCode, code, message };
  }
}

/** A call in RPC style, as the generated Dataphin client makes it: the command is one form field of JSON text. */
export function dataphinClient(url: string, keys: Keys) {
  const client = alibaba(url, keys);
  return (action: string, command: unknown, opTenantId = '30001011'): Promise<Reply> => {
    const params = new $OpenApiUtil.Params({
      action,
      version: '2023-06-30',
      protocol: 'HTTP',
      pathname: '/',
      method: 'POST',
      authType: 'AK',
      style: 'RPC',
      reqBodyType: 'formData',
      bodyType: 'json',
    });
    const request = new $OpenApiUtil.OpenApiRequest({
      query: { OpTenantId: opTenantId },
      body: { [`${action}Command`]: JSON.stringify(command) },
    });
    return replyOf(client.callApi(params, request, new RuntimeOptions({})));
  };
}

/** A call in ROA style, as the generated Flink client makes it. */
export function flinkClient(url: string, keys: Keys, workspace = 'w1') {
  const client = alibaba(url, keys);
  return (body: JsonObject): Promise<Reply> => {
    const params = new $OpenApiUtil.Params({
      action: 'GetLineageInfo',
      version: '2022-07-18',
      protocol: 'HTTP',
      pathname: '/meta/v2/lineage',
      method: 'POST',
      authType: 'AK',
      style: 'ROA',
      reqBodyType: 'json',
      bodyType: 'json',
    });
    const request = new $OpenApiUtil.OpenApiRequest({ headers: { workspace }, body: { workspace, ...body } });
    return replyOf(client.callApi(params, request, new RuntimeOptions({})));
  };
}

interface Huawei {
  readonly BasicCredentials: new () => Record<
    'withAk' | 'withSk' | 'withProjectId' | 'withSecurityToken',
    (value: string) => unknown
  >;
}
interface Sender {
  sendRequest(options: JsonObject): Promise<readonly JsonObject[] & { readonly httpStatusCode: number }>;
}
const { BasicCredentials } = require('@huaweicloud/huaweicloud-sdk-core') as Huawei;
const { HcClient } = require('@huaweicloud/huaweicloud-sdk-core/HcClient.js') as {
  HcClient: new (
    http: unknown,
  ) => { withEndpoints(urls: readonly string[]): { withCredential(keys: unknown): Sender } };
};
const { DefaultHttpClient } = require('@huaweicloud/huaweicloud-sdk-core/http/DefaultHttpClient.js') as {
  DefaultHttpClient: new (options: unknown, endpoints: readonly string[]) => unknown;
};

export type HuaweiReply =
  | { readonly ok: true; readonly status: number; readonly nodes: readonly JsonObject[] }
  | { readonly ok: false; readonly status: number; readonly code: string; readonly message: string };

// The SDK prints every refusal; here most are wanted.
const { Logger4jInstance } = require('@huaweicloud/huaweicloud-sdk-core/logger/log4jLogger.js') as {
  readonly Logger4jInstance: { error(...words: readonly unknown[]): void };
};
Logger4jInstance.error = () => {};

/** CreateLineageInfo through the SDK's own client. */
export function dataartsClient(url: string, keys: Keys, project: string, workspace: string) {
  const credentials = new BasicCredentials();
  credentials.withAk(keys.id);
  credentials.withSk(keys.secret);
  credentials.withProjectId(project);
  if (keys.token !== undefined) credentials.withSecurityToken(keys.token);
  const client = new HcClient(new DefaultHttpClient({}, [url])).withEndpoints([url]).withCredential(credentials);
  return async (data: unknown): Promise<HuaweiReply> => {
    try {
      const answer = await client.sendRequest({
        method: 'POST',
        url: '/v1/{project_id}/lineage/lineage-info',
        contentType: 'application/json',
        queryParams: {},
        pathParams: { project_id: project },
        headers: { workspace },
        data: data as JsonObject,
      });
      return { ok: true, status: answer.httpStatusCode, nodes: [...answer] };
    } catch (thrown) {
      const {
        httpStatusCode = 0,
        errorCode = '',
        errorMsg = '',
      } = thrown as {
        httpStatusCode?: number;
        errorCode?: string;
        errorMsg?: string;
      };
      return { ok: false, status: httpStatusCode, code: errorCode, message: errorMsg || String(thrown) };
    }
  };
}
