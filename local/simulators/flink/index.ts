import { nonceMemory, verifyAcs3 } from '../acs3.ts';
import { gatewayError, gatewayFaults, type Refusal, refusal, requestId } from '../alibaba-gateway.ts';
import { openJournal } from '../journal.ts';
import { limitsSchema } from '../limits.ts';
import { modeBoard } from '../modes.ts';
import { decodePairs } from '../percent.ts';
import type { Admission, Answer, Arrived, Json, Limits, Product } from '../product.ts';
import { serve } from '../server.ts';
import type { Simulator, SimulatorOptions } from '../simulator.ts';
import { stored } from '../stored.ts';
import { heldLineage } from './lineage.ts';
import { switches } from './modes.ts';
import { type Asked, type Outcome, operations } from './operations.ts';
import { emptySeed, type Seed, seedSchema } from './seed.ts';

export interface FlinkCredentials {
  readonly access_key_id: string;
  readonly access_key_secret: string;
  /** Only for temporary credentials: every call must then carry it. */
  readonly security_token?: string;
  readonly workspace: string;
  readonly namespace: string;
}

export const simulatedFlinkCredentials: FlinkCredentials = {
  access_key_id: 'simulatedAccessKeyId',
  access_key_secret: 'simulatedAccessKeySecret',
  workspace: '710d6a64d8f34a',
  namespace: 'default-namespace',
};

const PRODUCT = 'ververica';
const VERSION = '2022-07-18';

type StateEvent =
  | { readonly kind: 'nonce'; readonly nonce: string; readonly at: number }
  | { readonly kind: 'seed'; readonly seed: Seed }
  | { readonly kind: 'limits'; readonly limits: Limits }
  | { readonly kind: 'modes'; readonly modes: Readonly<Record<string, Json>> };

/**
 * Starts a strict simulator of Realtime Compute for Apache Flink (`ververica`, 2022-07-18) on 127.0.0.1: GetLineageInfo
 * and the lists that lead to it. It serves what is seeded. The service fails inside HTTP 200, the gateway does not;
 * codes beginning with `Simulated.` are made up where the vendor documents none.
 */
export async function startFlink(options: SimulatorOptions<FlinkCredentials> = {}): Promise<Simulator> {
  const credentials = { ...simulatedFlinkCredentials, ...options.credentials };
  const now = options.now ?? Date.now;
  const product = flink(credentials, options.stateFile, now);
  const running = await serve(product, options.port ?? 0, now);
  return {
    name: product.name,
    url: running.url,
    secret: () => ({ ...credentials, endpoint: running.url }),
    close: running.close,
  };
}

function flink(credentials: FlinkCredentials, stateFile: string | undefined, now: () => number): Product {
  const nonces = nonceMemory();
  const seed = stored<Seed>(seedSchema, emptySeed, (value) => journal.append({ kind: 'seed', seed: value }));
  const limits = stored<Limits>(limitsSchema, {}, (value) => journal.append({ kind: 'limits', limits: value }));
  const modes = modeBoard(switches, (values) => journal.append({ kind: 'modes', modes: values }));
  const account = {
    accessKeyId: credentials.access_key_id,
    accessKeySecret: credentials.access_key_secret,
    securityToken: credentials.security_token,
  };

  const journal = openJournal<StateEvent>(stateFile, {
    replay(event) {
      if (event.kind === 'nonce') nonces.remember(event.nonce, event.at);
      else if (event.kind === 'seed') seed.restore(event.seed);
      else if (event.kind === 'limits') limits.restore(event.limits);
      else modes.restore(event.modes);
    },
    *snapshot() {
      yield { kind: 'seed', seed: seed.current() };
      yield { kind: 'limits', limits: limits.current() };
      yield { kind: 'modes', modes: modes.stored() };
      for (const [nonce, at] of nonces.kept(now())) yield { kind: 'nonce', nonce, at };
    },
  });

  function admit(arrived: Arrived): Admission {
    const action = String(arrived.headers['x-acs-action'] ?? 'unknown');
    const refuse = (reason: Refusal): Admission => ({
      operation: action,
      refusal: gatewayError(arrived, PRODUCT, reason),
    });
    const operation = operations.find(({ path }) => path.test(arrived.path));
    if (operation === undefined) return refuse(refusal(404, 'InvalidApi.NotFound', 'Specified api is not found.'));
    if (arrived.method !== operation.method) {
      return refuse(
        refusal(400, 'UnsupportedHTTPMethod', `This http method is not supported: use ${operation.method}.`),
      );
    }
    const verdict = verifyAcs3(arrived, account, nonces);
    if ('refusal' in verdict) return refuse(verdict.refusal);
    journal.append({ kind: 'nonce', nonce: verdict.nonce, at: arrived.at });
    nonces.remember(verdict.nonce, arrived.at);
    if (arrived.headers['x-acs-version'] !== VERSION) {
      return refuse(refusal(404, 'InvalidVersion', `Specified parameter Version is not valid: use ${VERSION}.`));
    }
    if (action !== operation.name) {
      return refuse(refusal(404, 'InvalidApi.NotFound', `Specified api ${action} is not found at this path.`));
    }
    const asked = decode(arrived, operation.path);
    if ('code' in asked) return refuse(asked);
    return {
      operation: action,
      request: operation.method === 'GET' ? Object.fromEntries(asked.query) : (asked.body ?? null),
      perform() {
        const denied = callerRefusal(asked.workspace);
        if (denied !== undefined) return gatewayError(arrived, PRODUCT, denied);
        const world = {
          seed: seed.current(),
          workspace: credentials.workspace,
          namespace: credentials.namespace,
          jobIdLineFeed: modes.current().jobIdLineFeed,
        };
        const outcome = operation.perform(asked, world);
        return 'refusal' in outcome ? gatewayError(arrived, PRODUCT, outcome.refusal) : envelope(outcome);
      },
    };
  }

  function callerRefusal(workspace: string): Refusal | undefined {
    if (!modes.current().permission) return gatewayFaults.denied;
    if (workspace === '') return refusal(400, 'MissingWorkspace', 'The header workspace is mandatory for this action.');
    return workspace === credentials.workspace
      ? undefined
      : refusal(403, 'NoPermission', 'The workspace is not one of this caller.');
  }

  function envelope(outcome: Exclude<Outcome, { refusal: Refusal }>): Answer {
    const common = { requestId: requestId(), httpCode: 200 };
    if ('errorCode' in outcome) {
      return { status: 200, body: { ...common, success: false, ...outcome, data: null }, outcome: outcome.errorCode };
    }
    const empty = { quotes: '""', null: null, empty: '', absent: undefined }[modes.current().emptyErrors];
    const errors = empty === undefined ? {} : { errorCode: empty, errorMessage: empty };
    return {
      status: 200,
      body: { ...common, success: true, ...errors, ...outcome.paging, data: outcome.data },
      outcome: 'ok',
    };
  }

  return {
    name: 'flink',
    operations: operations.map(({ name }) => name),
    bodyLimit: 12 * 1024 * 1024,
    admit,
    tooLarge: (arrived) =>
      gatewayError(arrived, PRODUCT, refusal(413, 'Simulated.BodyTooLarge', 'The body exceeds 12 MB.')),
    fault: (kind, arrived) =>
      kind === 'success-false'
        ? envelope({ errorCode: 'Simulated.BackendFailure', errorMessage: 'internal error' })
        : gatewayError(arrived, PRODUCT, gatewayFaults[kind]),
    lineage: () => heldLineage(seed.current()),
    modes,
    limits,
    seed,
    close: journal.close,
  };
}

/** The parts of a call; the refusal when something cannot be decoded. */
function decode(arrived: Arrived, path: RegExp): Refusal | Asked {
  const pairs = decodePairs(arrived.query);
  const parts = path.exec(arrived.path)?.slice(1).map(decodeURIComponent) ?? [];
  const query = new Map(pairs ?? []);
  if (pairs === undefined || query.size !== pairs.length) {
    return refusal(400, 'InvalidParameter.Format', 'The query is broken or repeats a parameter.');
  }
  const workspace = String(arrived.headers['workspace'] ?? '');
  if (arrived.body.length === 0) return { path: parts, query, body: undefined, workspace };
  if (!/^application\/json\s*(?:;|$)/i.test(arrived.headers['content-type'] ?? '')) {
    return refusal(400, 'InvalidParameter.Format', 'The content type must be application/json; charset=utf-8.');
  }
  try {
    return { path: parts, query, body: JSON.parse(arrived.body.toString('utf8')) as Json, workspace };
  } catch {
    return refusal(400, 'InvalidParameter.Format', 'The body is not JSON.');
  }
}
