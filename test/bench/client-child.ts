import pMap from 'p-map';
import { Pool } from 'undici';
import type { Entry } from '../../shared/core/edge.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { createTransport, type HttpRequest } from '../../shared/http/transport.ts';
import { dataarts } from '../../shared/vendors/dataarts/index.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import type { Call, Vendor, VendorIo } from '../../shared/vendors/vendor.ts';
import { given, say } from './child.ts';

/** One contender in a process of its own: `calls` registers of 10 columns each, 50 at a time, after a warm-up. */
export interface ClientRun {
  readonly contender: 'ours' | 'raw' | 'peer';
  readonly vendor: 'dataphin' | 'dataarts';
  readonly url: string;
  readonly secret: string;
  readonly warmUp: number;
  readonly calls: number;
}

export interface ClientCost {
  readonly cpuMs: number;
  readonly wallMs: number;
}

const CONCURRENCY = 50;
const COLUMNS = 10;
const run = given<ClientRun>();
const vendor: Vendor = run.vendor === 'dataphin' ? dataphin : dataarts;
const secret: JsonObject =
  run.vendor === 'dataphin'
    ? { access_key_id: 'LTAIbench', access_key_secret: run.secret, endpoint: run.url, op_tenant_id: 300_000_001 }
    : { ak: 'LTAIbench', sk: run.secret, endpoint: run.url, project_id: 'project', workspace_id: 'workspace' };
const account = vendor.account(secret);

function entryOf(at: number): Entry {
  const dataset = (name: string) => ({
    vendors: {
      dataphin: { guid: `odps.300000001.shop.${name}` },
      dataarts: { catalog: 'spark_catalog', database: 'shop', table: name },
    },
  });
  const columns = Array.from({ length: COLUMNS }, (_, column) => ({
    from: { table: 0, column: `in_${column}` },
    to: { table: 0, column: `out_${column}` },
    direct: true,
  }));
  return {
    path: 'lineage[0]',
    from: [dataset(`raw_${at}`)],
    to: [dataset(`clean_${at}`)],
    columns,
    options: { dataarts: { connectionName: 'dli', dataSourceType: 'dli' } },
  };
}

const entries = Array.from({ length: run.warmUp + run.calls }, (_, at) => entryOf(at));

/** From what a manifest says to what one call needs. */
function callOf(at: number): Call {
  const entry = entries[at];
  if (entry === undefined) throw new Error(`no entry ${at}`);
  const mapping = vendor.units({ entries: [entry], account, secret, deployment: 'bench' });
  const [unit] = mapping.units;
  if (unit === undefined) throw new Error(`no unit: ${JSON.stringify(mapping.unresolved)}`);
  return unit;
}

const io = (transport: VendorIo['transport']): VendorIo => ({
  transport,
  now: Date.now,
  nonce: () => crypto.randomUUID(),
  random: Math.random,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  permit: async () => {},
});

const deadline = () => ({ deadlineMs: Date.now() + 60_000 });

function ours(): (at: number) => Promise<unknown> {
  const client = vendor.connect(secret, io(createTransport()));
  if (client.register === undefined) throw new Error(`${vendor.name} registers nothing`);
  const { register } = client;
  return (at) => register(callOf(at), deadline());
}

/** The requests that ours would send, made beforehand: their sending and answering is all that is left. */
async function captured(from: number, count: number): Promise<HttpRequest[]> {
  const requests: HttpRequest[] = [];
  const answer = run.vendor === 'dataphin' ? '{"Success":true,"Code":"OK"}' : '[{"name":"n","qualified_name":"q"}]';
  const client = vendor.connect(
    secret,
    io({
      send: async (request) => {
        requests.push(request);
        return { status: 200, headers: {}, body: new TextEncoder().encode(answer) };
      },
    }),
  );
  for (let at = from; at < from + count; at += 1) await client.register?.(callOf(at), deadline());
  return requests;
}

async function raw(): Promise<(at: number) => Promise<unknown>> {
  const requests = await captured(0, run.warmUp + run.calls);
  const pool = new Pool(new URL(run.url).origin, { connections: CONCURRENCY });
  return async (at) => {
    const request = requests[at];
    if (request === undefined) throw new Error(`no request ${at}`);
    const { pathname, search } = new URL(request.url);
    const answer = await pool.request({
      method: request.method,
      path: `${pathname}${search}`,
      headers: request.headers,
      body: request.body ?? null,
    });
    return answer.body.text();
  };
}

async function contender(): Promise<(at: number) => Promise<unknown>> {
  if (run.contender === 'ours') return ours();
  if (run.contender === 'raw') return raw();
  const bodies = (await captured(0, run.warmUp + run.calls)).map(({ body = new Uint8Array() }) => body);
  const peer = run.vendor === 'dataphin' ? await import('./peers/alicloud.ts') : await import('./peers/huaweicloud.ts');
  return peer.caller(run, bodies);
}

const call = await contender();
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, at) => from + at);
await pMap(numbers(0, run.warmUp), call, { concurrency: CONCURRENCY });
globalThis.gc?.();
const startedCpu = process.cpuUsage();
const started = performance.now();
await pMap(numbers(run.warmUp, run.calls), call, { concurrency: CONCURRENCY });
const wallMs = performance.now() - started;
const { user, system } = process.cpuUsage(startedCpu);
const cost: ClientCost = { cpuMs: (user + system) / 1_000, wallMs };
say(cost);
process.exit(0);
