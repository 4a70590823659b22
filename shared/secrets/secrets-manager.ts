import {
  GetSecretValueCommand,
  ListSecretsCommand,
  SecretsManagerClient,
  type SecretsManagerClientConfig,
} from '@aws-sdk/client-secrets-manager';
import { AWS_CLIENT, type AwsOptions, type AwsSession, awsSessions } from '../aws.ts';
import { Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { checkSecretName, parseSecret } from './document.ts';
import type { Secrets } from './secrets.ts';

export interface SecretsManagerOptions extends AwsOptions {
  /** Default: one from this process's region and role. */
  readonly client?: SecretsManagerClient;
}

/** A client with our timeouts; region, credentials and endpoint come from the environment unless given. */
export function secretsManagerClient(config: SecretsManagerClientConfig = {}): SecretsManagerClient {
  return new SecretsManagerClient({ ...AWS_CLIENT, ...config });
}

const SECRETS_PER_LISTING = 100;

/**
 * Secrets in Secrets Manager, named `<prefix><name>` (`prod/` and `lineage/dataphin` make `prod/lineage/dataphin`). One that was
 * deleted but can still be restored is `denied`, not absent. `list` needs `secretsmanager:ListSecrets` on `*`; AWS says that it
 * may miss changes of the last minutes.
 */
export function secretsManagerSecrets(prefix: string, options: SecretsManagerOptions = {}): Secrets {
  const client = options.client ?? secretsManagerClient();
  const open = awsSessions(options);

  /** The secret's text; `invalid` for bytes, undefined if there is none of that name, or none with a current value. */
  async function textOf(id: string): Promise<string | undefined> {
    const call = { what: `Secrets Manager read of ${id}`, writes: false, quiet: true };
    const { value } = await open().send(call, async (abortSignal) => {
      try {
        return await client.send(new GetSecretValueCommand({ SecretId: id }), { abortSignal });
      } catch (thrown) {
        const { name } = thrown as { readonly name?: unknown };
        if (name === 'ResourceNotFoundException') return undefined;
        if (name === 'InvalidRequestException') throw notNow(id);
        throw thrown;
      }
    });
    if (value !== undefined && value.SecretString === undefined) {
      throw new Failure('invalid', `The secret ${id} holds no text; store its JSON object as text.`);
    }
    return value?.SecretString;
  }

  async function* namesBelow(beginning: string, session: AwsSession): AsyncGenerator<string> {
    for (let token: string | undefined; ; ) {
      const input = {
        MaxResults: SECRETS_PER_LISTING,
        ...(beginning === '' ? {} : { Filters: [{ Key: 'name' as const, Values: [beginning] }] }),
        ...(token === undefined ? {} : { NextToken: token }),
      };
      const call = { what: `Secrets Manager list of ${beginning}*`, writes: false, quiet: true };
      const { value } = await session.send(call, (abortSignal) =>
        client.send(new ListSecretsCommand(input), { abortSignal }),
      );
      for (const { Name } of value.SecretList ?? []) if (Name !== undefined) yield Name;
      token = value.NextToken;
      if (token === undefined) return;
    }
  }

  return {
    async get(name): Promise<JsonObject | undefined> {
      checkSecretName(name);
      const text = await textOf(prefix + name);
      return text === undefined ? undefined : parseSecret(text, `The secret ${prefix}${name}`);
    },

    async list(beginning) {
      const names: string[] = [];
      for await (const name of namesBelow(prefix + beginning, open())) {
        // The service's filter is a prefix match today; it has been looser.
        if (name.startsWith(prefix + beginning)) names.push(name.slice(prefix.length));
      }
      return names.sort();
    },
  };
}

function notNow(id: string): Failure {
  return new Failure('denied', `The secret ${id} cannot be read now; if it is marked for deletion, restore it.`, {
    code: 'InvalidRequestException',
  });
}
