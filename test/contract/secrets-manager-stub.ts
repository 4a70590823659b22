import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { type Emulator, stub } from './aws-emulators.ts';

/**
 * Secrets Manager's answers, as its API reference gives them: GetSecretValue, PutSecretValue, CreateSecret and ListSecrets (pages of two,
 * whatever is asked for, so that paging is seen). It refuses whatever else it is asked.
 */
export interface SecretsManagerStub extends Emulator {
  readonly requests: string[];
  /** Name to text; bytes for a binary secret. */
  held: Readonly<Record<string, string | Uint8Array>>;
  /** Set: every request is answered with this error. */
  refuse:
    | { readonly status: number; readonly code: string; readonly message?: string; readonly raw?: string }
    | undefined;
}

interface Asked {
  readonly Name?: string;
  readonly SecretString?: string;
  readonly ClientRequestToken?: string;
  readonly SecretId?: string;
  readonly NextToken?: string;
  readonly MaxResults?: number;
  readonly Filters?: readonly { readonly Key: string; readonly Values: readonly string[] }[];
}

const PAGE = 2;

export async function startSecretsManagerStub(): Promise<SecretsManagerStub> {
  const requests: string[] = [];
  const state: Pick<SecretsManagerStub, 'held' | 'refuse'> = { held: {}, refuse: undefined };

  const emulator = await stub((request, response) => {
    handle(request, response).catch((thrown: unknown) => answer(response, 500, { __type: String(thrown) }));
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = String(request.headers['x-amz-target']).replace('secretsmanager.', '');
    const asked = JSON.parse(await text(request)) as Asked;
    requests.push(operation);
    const { refuse } = state;
    if (refuse?.raw !== undefined) {
      response.statusCode = refuse.status;
      response.end(refuse.raw);
    } else if (refuse) {
      answer(response, refuse.status, { __type: refuse.code, message: refuse.message ?? 'no' });
    } else if (operation === 'GetSecretValue') {
      get(asked, response);
    } else if (operation === 'PutSecretValue' || operation === 'CreateSecret') {
      put(operation, asked, response);
    } else if (operation === 'ListSecrets') {
      list(asked, response);
    } else {
      answer(response, 400, { __type: 'UnknownOperationException' });
    }
  }

  function get({ SecretId = '' }: Asked, response: ServerResponse): void {
    const held = state.held[SecretId];
    if (held === undefined) {
      const message = "Secrets Manager can't find the specified secret.";
      answer(response, 400, { __type: 'ResourceNotFoundException', Message: message });
      return;
    }
    const value =
      typeof held === 'string' ? { SecretString: held } : { SecretBinary: Buffer.from(held).toString('base64') };
    answer(response, 200, { Name: SecretId, VersionId: 'v1', VersionStages: ['AWSCURRENT'], ...value });
  }

  function put(operation: string, asked: Asked, response: ServerResponse): void {
    const name = (operation === 'CreateSecret' ? asked.Name : asked.SecretId) ?? '';
    const there = state.held[name] !== undefined;
    if (asked.SecretString === undefined || asked.ClientRequestToken === undefined) {
      answer(response, 400, { __type: 'InvalidParameterException' });
    } else if (operation === 'CreateSecret' && there) {
      answer(response, 400, { __type: 'ResourceExistsException' });
    } else if (operation === 'PutSecretValue' && !there) {
      answer(response, 400, { __type: 'ResourceNotFoundException' });
    } else {
      state.held = { ...state.held, [name]: asked.SecretString };
      answer(response, 200, { Name: name, VersionId: 'v2' });
    }
  }

  function list({ Filters = [], NextToken = '0', MaxResults }: Asked, response: ServerResponse): void {
    const wrong = Filters.some(({ Key, Values }) => Key !== 'name' || Values.length !== 1 || Values[0] === '');
    if (wrong || MaxResults === undefined || MaxResults > 100) {
      answer(response, 400, { __type: 'InvalidParameterException' });
      return;
    }
    const prefix = Filters[0]?.Values[0] ?? '';
    // In no order at all.
    const names = Object.keys(state.held).filter((name) => name.startsWith(prefix));
    const from = Number(NextToken);
    const more = from + PAGE < names.length ? { NextToken: String(from + PAGE) } : {};
    answer(response, 200, { SecretList: names.slice(from, from + PAGE).map((Name) => ({ Name })), ...more });
  }

  return {
    ...emulator,
    requests,
    get held() {
      return state.held;
    },
    set held(held) {
      state.held = held;
    },
    get refuse() {
      return state.refuse;
    },
    set refuse(refusal) {
      state.refuse = refusal;
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/x-amz-json-1.1');
  response.end(JSON.stringify(body));
}
