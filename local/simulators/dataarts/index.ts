import { randomUUID } from 'node:crypto';
import { openJournal } from '../journal.ts';
import { limitsSchema } from '../limits.ts';
import { modeBoard } from '../modes.ts';
import { decodePairs } from '../percent.ts';
import type { Admission, Answer, Arrived, Json, Limits, Product } from '../product.ts';
import { serve } from '../server.ts';
import type { Simulator, SimulatorOptions } from '../simulator.ts';
import { stored } from '../stored.ts';
import { errorAnswer, gatewayFaults, noSuchApi, okAnswer, type Refusal, refusal, SERVICE_CODE } from './apigw.ts';
import { lineageInfoRequest } from './body.ts';
import { type DataArtsCredentials, simulatedDataArtsCredentials } from './credentials.ts';
import { CREATE_TOKEN, createToken, type IamUser, type Token, tokenMemory } from './iam.ts';
import { switches } from './modes.ts';
import { bulkPage, heldLineage, type JobNode } from './nodes.ts';
import { keyLock, verifySdkHmac } from './sdk-hmac.ts';
import { type Seed, seedSchema } from './seed.ts';

export { type DataArtsCredentials, simulatedDataArtsCredentials };

export interface DataArtsSimulator extends Simulator {
  /** Like `secret()`, but for IAM tokens; `iam_endpoint` is this server too. */
  tokenSecret(): Readonly<Record<string, string>>;
}

const CREATE = 'CreateLineageInfo';
const BULK = 'ShowLineageBulk';
const SHOW = 'ShowLineage';
const LARGEST_BODY = 12 * 1024 * 1024;

type StateEvent =
  | { readonly kind: 'node'; readonly id: string; readonly node: JobNode }
  | { readonly kind: 'token'; readonly token: Token }
  | { readonly kind: 'seed'; readonly seed: Seed }
  | { readonly kind: 'limits'; readonly limits: Limits }
  | { readonly kind: 'modes'; readonly modes: Readonly<Record<string, Json>> };

/**
 * Starts a strict simulator of Huawei DataArts Studio's lineage on 127.0.0.1: CreateLineageInfo, ShowLineageBulk (when
 * seeded on) and IAM's token endpoint. Deleting lineage does not exist there, hence not here. The service's own error
 * code is made up (`DLG.SIMULATED`), those of the gateway are documented.
 */
export async function startDataArts(options: SimulatorOptions<DataArtsCredentials> = {}): Promise<DataArtsSimulator> {
  const credentials = { ...simulatedDataArtsCredentials, ...options.credentials };
  const now = options.now ?? Date.now;
  const product = dataArts(credentials, options.stateFile, now);
  const running = await serve(product, options.port ?? 0, now);
  const { ak, sk, security_token, iam_user, iam_password, domain_name, ...place } = credentials;
  return {
    name: product.name,
    url: running.url,
    secret: () => ({
      ak,
      sk,
      ...(security_token === undefined ? {} : { security_token }),
      ...place,
      endpoint: running.url,
    }),
    tokenSecret: () => ({
      iam_user,
      iam_password,
      domain_name,
      ...place,
      endpoint: running.url,
      iam_endpoint: running.url,
    }),
    close: running.close,
  };
}

function dataArts(credentials: DataArtsCredentials, stateFile: string | undefined, now: () => number): Product {
  const nodes = new Map<string, JobNode>();
  const seed = stored<Seed>(seedSchema, {}, (value) => journal.append({ kind: 'seed', seed: value }));
  const limits = stored<Limits>(limitsSchema, {}, (value) => journal.append({ kind: 'limits', limits: value }));
  const modes = modeBoard(switches, (values) => journal.append({ kind: 'modes', modes: values }));
  const lifetimeMs = () => modes.current().tokenLifetime * 1000;
  const tokens = tokenMemory(lifetimeMs);
  const lock = keyLock(() => modes.current().lock);
  const keys = { ak: credentials.ak, sk: credentials.sk, securityToken: credentials.security_token };
  const user: IamUser = {
    name: credentials.iam_user,
    password: credentials.iam_password,
    domain: credentials.domain_name,
    projectId: credentials.project_id,
    region: credentials.region,
  };

  const journal = openJournal<StateEvent>(stateFile, {
    replay(event) {
      if (event.kind === 'node') nodes.set(event.id, event.node);
      else if (event.kind === 'token') tokens.remember(event.token);
      else if (event.kind === 'seed') seed.restore(event.seed);
      else if (event.kind === 'limits') limits.restore(event.limits);
      else modes.restore(event.modes);
    },
    *snapshot() {
      yield { kind: 'seed', seed: seed.current() };
      yield { kind: 'limits', limits: limits.current() };
      yield { kind: 'modes', modes: modes.stored() };
      for (const [id, node] of nodes) yield { kind: 'node', id, node };
      for (const token of tokens.kept(now())) yield { kind: 'token', token };
    },
  });

  function admit(arrived: Arrived): Admission {
    if (arrived.method === 'POST' && arrived.path === '/v3/auth/tokens') return admitToken(arrived);
    const shown = /^\/v3\/([^/]+)\/entities\/[^/]+\/lineage$/.exec(arrived.path);
    if (shown !== null && arrived.method === 'GET') return admitShow(arrived, shown[1] ?? '');
    const route = /^\/v1\/([^/]+)\/(lineage\/lineage-info|datamap\/lineage\/bulk)$/.exec(arrived.path);
    const operation = route?.[2] === 'lineage/lineage-info' ? CREATE : BULK;
    const verb = operation === CREATE ? 'POST' : 'GET';
    if (route === null || arrived.method !== verb || (operation === BULK && seed.current().bulkRead !== true)) {
      return { operation: `${arrived.method} ${arrived.path}`, refusal: errorAnswer(noSuchApi) };
    }
    const refused = authenticate(arrived, route[1] ?? '');
    if (refused !== undefined) return { operation, refusal: errorAnswer(refused) };
    const body = operation === CREATE ? parseJson(arrived.body) : undefined;
    return {
      operation,
      request: operation === CREATE ? (body ?? null) : Object.fromEntries(decodePairs(arrived.query) ?? []),
      perform: () => (operation === CREATE ? create(arrived, body) : bulk(arrived)),
    };
  }

  /** Its answers are not simulated: no node has a guid here, so none is found. */
  function admitShow(arrived: Arrived, projectId: string): Admission {
    const refused = authenticate(arrived, projectId);
    if (refused !== undefined) return { operation: SHOW, refusal: errorAnswer(refused) };
    const workspace = arrived.headers['workspace'];
    const absent = refusal(404, SERVICE_CODE, 'There is no entity of this guid (simulated; code not documented)');
    const unnamed = refusal(400, SERVICE_CODE, 'The header workspace is required');
    return { operation: SHOW, request: null, perform: () => errorAnswer(workspace ? absent : unnamed) };
  }

  function admitToken(arrived: Arrived): Admission {
    const { request, refused, perform } = createToken(arrived, user, lifetimeMs(), (token) => {
      journal.append({ kind: 'token', token });
      tokens.remember(token);
    });
    if (refused !== undefined) return { operation: CREATE_TOKEN, refusal: refused };
    return { operation: CREATE_TOKEN, request, perform, aside: true };
  }

  function authenticate(arrived: Arrived, projectId: string): Refusal | undefined {
    const token = arrived.headers['x-auth-token'];
    if (arrived.headers.authorization === undefined) {
      if (token !== undefined) return tokens.check(String(token), projectId, arrived.at) ?? permitted();
      return refusal(401, 'APIGW.0301', 'Incorrect IAM authentication information: x-auth-token not found');
    }
    const refused = verifySdkHmac(arrived, keys, lock);
    if (refused !== undefined) return refused;
    const named = arrived.headers['x-project-id'];
    // What Huawei's FAQ dataartsstudio_03_0404 reports for calls without this header (spelled so).
    if (named === undefined) return refusal(400, SERVICE_CODE, 'Workspace does not exists: X-Project-Id is missing');
    if (projectId !== credentials.project_id || named !== projectId) {
      return refusal(403, 'APIGW.0306', 'API access denied: the project is not one of this user');
    }
    return permitted();
  }

  function permitted(): Refusal | undefined {
    return modes.current().permission ? undefined : refusal(403, 'APIGW.0306', 'API access denied');
  }

  function create(arrived: Arrived, body: unknown): Answer {
    const no = (message: string) => errorAnswer(refusal(400, SERVICE_CODE, message));
    if (arrived.query !== '') return no('CreateLineageInfo takes no query');
    if (!/^application\/json\s*(?:;\s*charset=utf-?8)?$/i.test(arrived.headers['content-type'] ?? '')) {
      return no('Content-Type must be application/json');
    }
    const workspace = arrived.headers['workspace'];
    if (typeof workspace !== 'string' || workspace === '') return no('The header workspace is required');
    const { workspaces } = seed.current();
    if (workspaces !== undefined && !workspaces.includes(workspace)) return no('Workspace does not exists');
    if (body === undefined) return no('The body is not JSON');
    const parsed = lineageInfoRequest.safeParse(body);
    if (!parsed.success) {
      return no(parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`).join('; '));
    }
    const request = parsed.data;
    if (request.workspace_id !== undefined && request.workspace_id !== workspace) {
      return no('workspace_id is not the workspace of the header');
    }
    const sameNode =
      modes.current().repeatCreate === 'upsert' ? findNode(workspace, request.job_id, request.node_name) : undefined;
    const id = sameNode ?? randomUUID();
    const node: JobNode = {
      qualifiedName: `manual.${id}@node.${credentials.project_id}-workspace-${workspace}`,
      workspace,
      body: request,
    };
    journal.append({ kind: 'node', id, node });
    nodes.set(id, node);
    return okAnswer([{ name: request.node_name ?? '', type_name: 'Node', qualified_name: node.qualifiedName }]);
  }

  function findNode(workspace: string, jobId: string | undefined, nodeName: string | undefined): string | undefined {
    if (jobId === undefined || nodeName === undefined) return undefined;
    for (const [id, node] of nodes) {
      if (node.workspace === workspace && node.body.job_id === jobId && node.body.node_name === nodeName) return id;
    }
    return undefined;
  }

  function bulk(arrived: Arrived): Answer {
    const no = (message: string) => errorAnswer(refusal(400, SERVICE_CODE, message));
    if (arrived.headers['instance'] !== credentials.instance_id)
      return no('The header instance is not an instance of this project');
    const query = new Map(decodePairs(arrived.query) ?? []);
    const unknown = [...query.keys()].find((key) => key !== 'offset' && key !== 'limit');
    if (unknown !== undefined) return no(`There is no query parameter ${unknown}`);
    const offset = query.get('offset') ?? '0';
    const limit = query.get('limit') ?? '100';
    if (!/^\d{1,9}$/.test(offset) || !/^(?:[1-9]\d?|100)$/.test(limit))
      return no('offset starts at 0, limit is 1 to 100');
    return okAnswer(bulkPage([...nodes.values()], Number(offset), Number(limit)));
  }

  return {
    name: 'dataarts',
    operations: [CREATE, BULK, SHOW, CREATE_TOKEN],
    bodyLimit: LARGEST_BODY,
    admit,
    tooLarge: () => errorAnswer(refusal(413, 'APIGW.0201', 'The request body exceeds 12 MB')),
    fault: (kind) => (kind === 'success-false' ? okAnswer([]) : errorAnswer(gatewayFaults[kind])),
    lineage: () => heldLineage(nodes.values()),
    modes,
    limits,
    seed,
    close: journal.close,
  };
}

function parseJson(body: Buffer): Json | undefined {
  try {
    return JSON.parse(body.toString('utf8')) as Json;
  } catch {
    return undefined;
  }
}
