import { createRequire } from 'node:module';
import type { ClientRun } from '../client-child.ts';

interface HttpRequest {
  url: string;
  endpoint: string;
  method: string;
  headers: Record<string, string>;
  data: unknown;
  queryParams: Record<string, string>;
}

/** The same bodies through the signer and HTTP client of `@huaweicloud/huaweicloud-sdk-core`, as its generated clients use them. */
export function caller(run: ClientRun, bodies: readonly Uint8Array[]): (at: number) => Promise<unknown> {
  const require = createRequire(import.meta.url);
  const core = require('@huaweicloud/huaweicloud-sdk-core') as Record<string, unknown>;
  const { AKSKSigner } = require('@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner.js') as {
    AKSKSigner: { sign(request: HttpRequest, credential: unknown): Record<string, string> };
  };
  const { DefaultHttpClient } = require('@huaweicloud/huaweicloud-sdk-core/http/DefaultHttpClient.js') as {
    DefaultHttpClient: new (
      options: unknown,
      endpoints: readonly string[],
    ) => { sendRequest(request: HttpRequest): Promise<{ readonly data: unknown }> };
  };
  const BasicCredentials = core['BasicCredentials'] as new () => Record<
    'withAk' | 'withSk' | 'withProjectId',
    (value: string) => unknown
  >;
  const credentials = new BasicCredentials();
  credentials.withAk('LTAIbench');
  credentials.withSk(run.secret);
  credentials.withProjectId('project');
  const client = new DefaultHttpClient({}, [run.url]);
  const path = '/v1/project/lineage/lineage-info';
  const commands = bodies.map((body): unknown => JSON.parse(new TextDecoder().decode(body)));
  return async (at) => {
    const request: HttpRequest = {
      endpoint: `${run.url}${path}`,
      url: path,
      method: 'POST',
      queryParams: {},
      headers: { 'content-type': 'application/json', workspace: 'workspace', 'X-Project-Id': 'project' },
      data: commands[at],
    };
    request.headers = { ...request.headers, ...AKSKSigner.sign(request, credentials) };
    return client.sendRequest(request);
  };
}
