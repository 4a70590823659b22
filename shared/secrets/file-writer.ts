import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Failure } from '../core/failure.ts';
import { checkSecretName } from './document.ts';
import type { SecretWriter } from './writer.ts';

/** Writes secrets as files that their owner alone can read; whole or not at all. */
export function fileSecretWriter(folder: string): SecretWriter {
  return {
    async put(name, value) {
      checkSecretName(name);
      const path = `${join(resolve(folder), ...name.split('/'))}.json`;
      // Begins with a dot, so that nobody takes it for a secret.
      const next = join(dirname(path), `.${randomBytes(6).toString('hex')}.tmp`);
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        const handle = await open(next, 'wx', 0o600);
        try {
          await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(next, path);
      } catch (thrown) {
        await rm(next, { force: true });
        const code = String((thrown as { readonly code?: unknown }).code ?? 'unknown error');
        throw new Failure('unavailable', `${path} could not be written (${code}); check the disk and its rights.`, {
          code,
        });
      }
    },
  };
}
