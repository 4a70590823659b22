import { createRequire } from 'node:module';
import { parseForm } from '../../../shared/signing/canonical.ts';
import type { ClientRun } from '../client-child.ts';

/** The part of the vendor's generic client that is used here; its own types pull in its whole tree. */
interface OpenApi {
  readonly default: new (
    config: unknown,
  ) => {
    callApi(
      params: unknown,
      request: unknown,
      runtime: unknown,
    ): Promise<{ readonly body: { readonly Success?: boolean } }>;
  };
  readonly $OpenApiUtil: Readonly<Record<'Config' | 'Params' | 'OpenApiRequest', new (given: unknown) => unknown>>;
}

/** The same commands through `@alicloud/openapi-core`, as the vendor's generated clients send them. */
export function caller(run: ClientRun, bodies: readonly Uint8Array[]): (at: number) => Promise<unknown> {
  const require = createRequire(import.meta.url);
  const { default: Client, $OpenApiUtil } = require('@alicloud/openapi-core') as OpenApi;
  const { RuntimeOptions } = require('@darabonba/typescript') as { RuntimeOptions: new (given: unknown) => unknown };
  const client = new Client(
    new $OpenApiUtil.Config({
      accessKeyId: 'LTAIbench',
      accessKeySecret: run.secret,
      endpoint: new URL(run.url).host,
      protocol: 'HTTP',
    }),
  );
  const params = new $OpenApiUtil.Params({
    action: 'AddRegisterLineage',
    version: '2023-06-30',
    protocol: 'HTTP',
    pathname: '/',
    method: 'POST',
    authType: 'AK',
    style: 'RPC',
    reqBodyType: 'formData',
    bodyType: 'json',
  });
  const runtime = new RuntimeOptions({ keepAlive: true, maxIdleConns: 50 });
  const commands = bodies.map((body): unknown => {
    const { AddRegisterLineageCommand: json = '' } = Object.fromEntries(parseForm(new TextDecoder().decode(body)));
    return JSON.parse(json);
  });
  return async (at) => {
    const body = { AddRegisterLineageCommand: JSON.stringify(commands[at]) };
    const request = new $OpenApiUtil.OpenApiRequest({ query: { OpTenantId: '300000001' }, body });
    const answer = await client.callApi(params, request, runtime);
    if (answer.body.Success !== true) throw new Error(`refused: ${JSON.stringify(answer)}`);
    return answer;
  };
}
