import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { Outcome, Phase } from './flood.ts';

const NODE = ['--disable-warning=ExperimentalWarning'];
const SAMPLE_MS = 100;
/** What Linux counts CPU in: USER_HZ is 100 (time(7)). */
const TICK_OF_CLOCK_MS = 10;

async function ended(child: ChildProcess): Promise<void> {
  const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  child.kill('SIGKILL');
  await gone;
}

/** The service as `npm start` runs it, in a process that can be killed and started again on what it left. */
export async function serviceProcess() {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-load-'));
  await mkdir(join(dataDir, 'bucket'), { recursive: true });
  let child: ChildProcess | undefined;
  let port = 0;
  let highestMb = 0;

  async function sample(): Promise<void> {
    const status = await readFile(`/proc/${child?.pid}/status`, 'utf8').catch(() => '');
    highestMb = Math.max(highestMb, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024);
  }
  const sampling = setInterval(() => void sample(), SAMPLE_MS);
  onTestFinished(async () => {
    clearInterval(sampling);
    if (child) await ended(child);
    await rm(dataDir, { recursive: true, force: true });
  });

  return {
    bucket: join(dataDir, 'bucket'),
    port: () => port,
    /** Resident memory at its highest, of any process so far; 0 where the system does not tell. */
    highestMb: () => highestMb,
    /** CPU that the process has used, in ms; 0 where the system does not tell. */
    async cpuMs(): Promise<number> {
      const stat = await readFile(`/proc/${child?.pid}/stat`, 'utf8').catch(() => '');
      const [user = 0, system = 0] = (stat.split(') ')[1] ?? '').split(' ').slice(11, 13).map(Number);
      return (user + system) * TICK_OF_CLOCK_MS;
    },
    alive: () => child?.exitCode === null && child.signalCode === null,
    /** kill -9, if one runs, then a new one. */
    async start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
      if (child) await ended(child);
      const common = { PORT: '0', DATA_DIR: dataDir, RECONCILE_EVERY: '3600', LOG_LEVEL: 'error' };
      const started = spawn(process.execPath, [...NODE, 'local/run.ts'], {
        env: { ...process.env, ...common, ...settings },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child = started;
      for await (const text of started.stdout as AsyncIterable<Buffer>) {
        port = Number(/ready http:\/\/127\.0\.0\.1:(\d+)/.exec(String(text))?.[1] ?? 0);
        if (port > 0) break;
      }
      started.stdout.resume();
    },
  };
}

/** A process that does nothing but send, see `flood`. */
export function generator(): (phase: Phase) => Promise<Outcome> {
  const child = fork(fileURLToPath(new URL('flood.ts', import.meta.url)), { execArgv: NODE });
  onTestFinished(() => ended(child));
  return async (phase) => {
    child.send(phase);
    const [outcome] = await once(child, 'message');
    return outcome as Outcome;
  };
}
