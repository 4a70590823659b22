import { CreateSecretCommand, PutSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type AwsOptions, awsSessions } from '../aws.ts';
import { checkSecretName } from './document.ts';
import { secretsManagerClient } from './secrets-manager.ts';
import type { SecretWriter } from './writer.ts';

/** Writes secrets to Secrets Manager; whoever runs this needs PutSecretValue and CreateSecret on `<prefix>lineage/*`. */
export function secretsManagerWriter(
  prefix: string,
  options: AwsOptions & { readonly client?: SecretsManagerClient } = {},
): SecretWriter {
  const client = options.client ?? secretsManagerClient();
  const open = awsSessions(options);
  return {
    async put(name, value) {
      checkSecretName(name);
      const id = prefix + name;
      const text = { SecretString: JSON.stringify(value) };
      const call = { what: `Secrets Manager write of ${id}`, writes: true, quiet: true };
      await open().send(call, async (abortSignal) => {
        try {
          await client.send(new PutSecretValueCommand({ SecretId: id, ...text }), { abortSignal });
        } catch (thrown) {
          if ((thrown as { readonly name?: unknown }).name !== 'ResourceNotFoundException') throw thrown;
          await client.send(new CreateSecretCommand({ Name: id, ...text }), { abortSignal });
        }
      });
    },
  };
}
