import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Template } from './template.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

export interface Packaged {
  readonly folder: string;
  readonly template: Template;
  /** Zip names without ending, with the hash of their bytes. */
  readonly hashes: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/** `npm run package`, for somebody without an account, credentials, home or way out. */
export async function packaged(...args: readonly string[]): Promise<Packaged> {
  const folder = await mkdtemp(join(tmpdir(), 'lineage-package-'));
  const nowhere = 'http://127.0.0.1:9';
  await run(process.execPath, [join(root, 'node_modules/.bin/serverless'), 'package', '--package', folder, ...args], {
    cwd: root,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      HTTPS_PROXY: nowhere,
      HTTP_PROXY: nowhere,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
  }).catch((thrown: { stdout?: string; stderr?: string }) => {
    throw new Error(`serverless package failed:\n${thrown.stdout}\n${thrown.stderr}`);
  });
  const zips = (await readdir(folder)).filter((name) => name.endsWith('.zip'));
  const hashes = await Promise.all(
    zips.map(async (name) => {
      const hash = createHash('sha256').update(await readFile(join(folder, name)));
      return [name.replace('.zip', ''), hash.digest('hex')] as const;
    }),
  );
  const text = await readFile(join(folder, 'cloudformation-template-update-stack.json'), 'utf8');
  return {
    folder,
    template: JSON.parse(text) as Template,
    hashes: Object.fromEntries(hashes),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
