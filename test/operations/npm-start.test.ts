import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startRuntime } from '../../local/runtime.ts';
import { readSettings } from '../../shared/settings.ts';
import { temporaryFolder } from '../contract/opened.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** As a person, a script or a supervisor starts it. */
async function npmStart(dataDir: string) {
  const npm = spawn('npm', ['start'], {
    cwd: ROOT,
    env: { ...process.env, PORT: '0', DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(npm, 'exit');
  let said = '';
  const ready = new Promise<string>((done) => {
    npm.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      const url = /^ready (\S+)$/m.exec(said)?.[1];
      if (url !== undefined) done(url);
    });
  });
  const runtime = async () => JSON.parse(await readFile(join(dataDir, 'runtime.json'), 'utf8')) as { pid: number };
  onTestFinished(async () => {
    npm.kill('SIGKILL');
    await runtime().then(
      ({ pid }) => process.kill(pid, 'SIGKILL'),
      () => {},
    );
  });
  return { npm, ended, url: await ready, runtime };
}

const answers = (url: string) =>
  fetch(url).then(
    () => true,
    () => false,
  );

it('ends cleanly when npm is told to, and leaves nothing that points at it', async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const { npm, ended, url, runtime } = await npmStart(folder.path);
  const { pid } = await runtime();
  expect(await answers(url)).toBe(true);
  npm.kill('SIGTERM');
  await ended;
  await expect.poll(() => answers(url), { timeout: 10_000 }).toBe(false);
  await expect.poll(() => existsSync(join(folder.path, 'runtime.json')), { timeout: 10_000 }).toBe(false);
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
}, 60_000);

it('takes away what one that was killed has left, before anything else can go wrong', async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  await writeFile(join(folder.path, 'runtime.json'), '{"url":"http://127.0.0.1:1","pid":1}');
  const taken = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  await expect(startRuntime(readSettings({ DATA_DIR: folder.path, PORT: String(port) }))).rejects.toThrow('in use');
  expect(existsSync(join(folder.path, 'runtime.json'))).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
