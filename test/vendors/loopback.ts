import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '../../shared/core/json.ts';
import { createTransport } from '../../shared/http/transport.ts';
import type { Call, VendorIo } from '../../shared/vendors/vendor.ts';
import { virtualClock } from './virtual-clock.ts';

/** What the server answers once; `reset` destroys the connection, `hang` never answers. */
export interface Scripted {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | object;
  readonly reset?: boolean;
  readonly hang?: boolean;
}

export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** A server on loopback that answers as scripted (the last answer for ever), or as a function says, and remembers what it was asked. */
export async function loopback() {
  let script: Scripted[] = [];
  let scripted: ((seen: Seen) => Scripted) | undefined;
  const seen: Seen[] = [];
  const server = http.createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const asked = { method: request.method ?? '', target: request.url ?? '', headers, body };
    seen.push(asked);
    const answer = scripted?.(asked) ?? (script.length > 1 ? script.shift() : script[0]);
    if (answer === undefined || answer.hang) return;
    if (answer.reset) return request.socket.destroy();
    response.writeHead(answer.status ?? 200, answer.headers);
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answers: (...answers: Scripted[]) => {
      script = answers;
      scripted = undefined;
      seen.length = 0;
    },
    answersWith: (answer: (seen: Seen) => Scripted) => {
      scripted = answer;
      seen.length = 0;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A client's surroundings: real HTTP, a clock that moves a second with every call and with every sleep. */
export function surroundings(attemptTimeoutMs = 500) {
  const clock = virtualClock();
  const transport = createTransport({ attemptTimeoutMs, now: clock.now });
  const io: VendorIo = {
    transport,
    now: clock.now,
    nonce: () => randomBytes(16).toString('hex'),
    random: () => 0.5,
    sleep: clock.sleep,
    permit: async () => clock.advance(1_000),
  };
  return { io, clock, options: { deadlineMs: clock.now() + 3_600_000 }, close: () => transport.close() };
}

export const DATAPHIN_SECRET = {
  access_key_id: 'testAccessKeyId',
  access_key_secret: 'testAccessKeySecret',
  op_tenant_id: 30001011,
};

export const DATAARTS_SECRET = {
  ak: 'TESTAK00000000000000',
  sk: 'TestSk000000000000000000000000000000000A',
  project_id: '0833a5737480d53b2f25c010dc1a7b88',
  workspace_id: '1b59d3c777ad4d619b89eeac4f3cce87',
};

export const FLINK_SECRET = {
  access_key_id: 'testAccessKeyId',
  access_key_secret: 'testAccessKeySecret',
  workspace: '710d6a64d8f34a',
  namespace: 'default-namespace',
};

const GUID = 'odps.300000001.project1';

export const dataphinCall: Call = {
  from: [{ name: `${GUID}.table1` }],
  to: [{ name: `${GUID}.table2` }],
  spec: {
    source: { referenceType: 'BY_GUID', guid: `${GUID}.table1`, metadataType: 'TABLE' },
    target: { referenceType: 'BY_GUID', guid: `${GUID}.table2`, metadataType: 'TABLE' },
  },
  columns: [{ from: { table: 0, column: 'a' }, to: { table: 0, column: 'b' }, direct: true }],
  options: {},
};

export const dataartsCall: Call = {
  from: [{ name: 'db1.t_in' }],
  to: [{ name: 'db1.t_out' }],
  spec: {
    workspaceId: DATAARTS_SECRET.workspace_id,
    jobId: 'testJobID',
    nodeName: 'testNode',
    inputs: [{ database: 'db1', schema: '', table: 't_in' }],
    outputs: [{ database: 'db1', schema: '', table: 't_out' }],
  },
  columns: [],
  options: {},
};

export const gatewayBody = (code: string, message = 'vendor words'): JsonObject => ({
  RequestId: '82E78D6B-AA8F-1FEF-8AA3-5C9DA2A79140',
  HostId: 'dataphin-public.cn-shanghai.aliyuncs.com',
  Code: code,
  Message: message,
  Recommend: 'https://api.aliyun.com/troubleshoot',
});
