import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Gives this machine a key of its own for signing links, unless it has one. */
export async function ensureLinksKey(secrets: string): Promise<void> {
  const path = join(secrets, 'lineage', 'links.json');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const content = `${JSON.stringify({ key: randomBytes(32).toString('base64url') })}\n`;
  await writeFile(path, content, { flag: 'wx', mode: 0o600 }).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'EEXIST') throw thrown;
  });
}
