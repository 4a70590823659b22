import { type NonceMemory, nonceMemory, verifyAcs3 } from '../acs3.ts';
import { gatewayError, gatewayFaults, type Refusal, refusal } from '../alibaba-gateway.ts';
import { openJournal } from '../journal.ts';
import { limitsSchema } from '../limits.ts';
import { modeBoard } from '../modes.ts';
import type { Admission, Answer, Arrived, Json, Limits, Product } from '../product.ts';
import { serve } from '../server.ts';
import type { Simulator, SimulatorOptions } from '../simulator.ts';
import { stored } from '../stored.ts';
import { failure, success } from './answers.ts';
import { emptyLineage, type LineageEvent } from './lineage.ts';
import { switches } from './modes.ts';
import { performer } from './operations.ts';
import { callerRefusal, decodeParameters } from './parameters.ts';
import { heldLineage } from './reads.ts';
import { type Seed, seedSchema, surroundings } from './seed.ts';

export interface DataphinCredentials {
  readonly access_key_id: string;
  readonly access_key_secret: string;
  /** Only for temporary credentials: every call must then carry it. */
  readonly security_token?: string;
  /** Decimal. */
  readonly op_tenant_id: string;
}

export const simulatedDataphinCredentials: DataphinCredentials = {
  access_key_id: 'simulatedAccessKeyId',
  access_key_secret: 'simulatedAccessKeySecret',
  op_tenant_id: '30001011',
};

const PRODUCT = 'dataphin-public';
const VERSION = '2023-06-30';
const OPERATIONS = ['AddRegisterLineage', 'DeleteRegisterLineage', 'GetTableLineages', 'GetTableColumnLineages'];

type StateEvent =
  | LineageEvent
  | { readonly kind: 'nonce'; readonly nonce: string; readonly at: number }
  | { readonly kind: 'seed'; readonly seed: Seed }
  | { readonly kind: 'limits'; readonly limits: Limits }
  | { readonly kind: 'modes'; readonly modes: Readonly<Record<string, Json>> };

/**
 * Starts a strict simulator of Alibaba Dataphin's OpenAPI (`dataphin-public`, 2023-06-30) on 127.0.0.1: the two lineage
 * writes and the two lineage reads. Codes beginning with `Simulated.` are made up where the vendor documents none.
 */
export async function startDataphin(options: SimulatorOptions<DataphinCredentials> = {}): Promise<Simulator> {
  const credentials = { ...simulatedDataphinCredentials, ...options.credentials };
  const now = options.now ?? Date.now;
  const product = dataphin(credentials, options.stateFile, now);
  const running = await serve(product, options.port ?? 0, now);
  return {
    name: product.name,
    url: running.url,
    secret: () => ({ ...credentials, endpoint: running.url }),
    close: running.close,
  };
}

function dataphin(credentials: DataphinCredentials, stateFile: string | undefined, now: () => number): Product {
  const lineage = emptyLineage();
  const nonces: NonceMemory = nonceMemory();
  let around = surroundings({});
  const seed = stored<Seed>(seedSchema, {}, (value) => {
    journal.append({ kind: 'seed', seed: value });
    around = surroundings(value);
  });
  const limits = stored<Limits>(limitsSchema, {}, (value) => journal.append({ kind: 'limits', limits: value }));
  const modes = modeBoard(switches, (values) => journal.append({ kind: 'modes', modes: values }));

  const journal = openJournal<StateEvent>(stateFile, {
    replay(event) {
      if (event.kind === 'nonce') nonces.remember(event.nonce, event.at);
      else if (event.kind === 'seed') {
        seed.restore(event.seed);
        around = surroundings(event.seed);
      } else if (event.kind === 'limits') limits.restore(event.limits);
      else if (event.kind === 'modes') modes.restore(event.modes);
      else lineage.apply(event);
    },
    *snapshot() {
      yield { kind: 'seed', seed: seed.current() };
      yield { kind: 'limits', limits: limits.current() };
      yield { kind: 'modes', modes: modes.stored() };
      for (const { source, target, columns, relationProperties } of lineage.pairs()) {
        yield { kind: 'put', source, target, columns: [...columns.values()], relationProperties };
      }
      for (const [nonce, at] of nonces.kept(now())) yield { kind: 'nonce', nonce, at };
    },
  });

  const perform = performer({
    lineage,
    modes: modes.current,
    around: () => around,
    commit(event) {
      journal.append(event);
      lineage.apply(event);
    },
  });

  function admit(arrived: Arrived): Admission {
    const operation = String(arrived.headers['x-acs-action'] ?? 'unknown');
    const refuse = (reason: Refusal): Admission => ({ operation, refusal: gatewayError(arrived, PRODUCT, reason) });
    if (arrived.path !== '/')
      return refuse(refusal(404, 'InvalidApi.NotFound', 'Specified api is not found: post to /.'));
    if (arrived.method !== 'POST') {
      return refuse(refusal(400, 'UnsupportedHTTPMethod', 'This http method is not supported: use POST.'));
    }
    const verdict = verifyAcs3(
      arrived,
      {
        accessKeyId: credentials.access_key_id,
        accessKeySecret: credentials.access_key_secret,
        securityToken: credentials.security_token,
      },
      nonces,
    );
    if ('refusal' in verdict) return refuse(verdict.refusal);
    journal.append({ kind: 'nonce', nonce: verdict.nonce, at: arrived.at });
    nonces.remember(verdict.nonce, arrived.at);
    if (arrived.headers['x-acs-version'] !== VERSION) {
      return refuse(refusal(404, 'InvalidVersion', `Specified parameter Version is not valid: use ${VERSION}.`));
    }
    if (!OPERATIONS.includes(operation)) {
      return refuse(
        refusal(
          404,
          'InvalidApi.NotFound',
          `Specified api ${operation} is not found, please check your url and method.`,
        ),
      );
    }
    const decoded = decodeParameters(arrived);
    if ('code' in decoded) return refuse(decoded);
    const { query, form } = decoded;
    return {
      operation,
      request: { ...Object.fromEntries(query), ...Object.fromEntries(form) },
      perform() {
        const denied = callerRefusal(query.get('OpTenantId'), credentials.op_tenant_id, modes.current().permission);
        const outcome = denied ?? perform(operation, query, form);
        return 'status' in outcome ? dress(arrived, outcome) : success(outcome.data, textSuccess());
      },
    };
  }

  /** The service's own refusals may come inside HTTP 200; those of the gateway never do. */
  function dress(arrived: Arrived, reason: Refusal): Answer {
    if (modes.current().businessErrors === 'http' || !reason.code.startsWith('Simulated.')) {
      return gatewayError(arrived, PRODUCT, reason);
    }
    return failure(reason);
  }

  let turn = 0;
  function textSuccess(): boolean {
    const form = modes.current().success;
    return form === 'string' || (form === 'rotate' && turn++ % 2 === 1);
  }

  return {
    name: 'dataphin',
    operations: OPERATIONS,
    bodyLimit: 12 * 1024 * 1024,
    admit,
    tooLarge: (arrived) =>
      gatewayError(arrived, PRODUCT, refusal(413, 'Simulated.BodyTooLarge', 'The body exceeds 12 MB.')),
    fault(kind, arrived) {
      if (kind !== 'success-false') return gatewayError(arrived, PRODUCT, gatewayFaults[kind]);
      return failure(refusal(500, 'Simulated.BackendFailure', 'internal error'));
    },
    lineage: () => heldLineage(lineage, around),
    modes,
    limits,
    seed,
    close: journal.close,
  };
}
