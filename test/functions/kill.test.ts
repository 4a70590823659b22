import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import type { DataArtsHeld, DataphinHeld } from './local.ts';
import { manifest, pairs, until } from './local.ts';

const KILLS = 12;
const MANIFESTS = 6;
const EDGES = 60;

/**
 * The runtime is killed at random points of a convergence of hundreds of edges, again and again, while the vendors (in this process)
 * live on. The vendors' secrets are files, so these are "real" targets as far as the runtime knows.
 */
it('survives kill -9 at random points while calls get lost, late and refused: Dataphin holds exactly the manifests, DataArts no node twice', {
  timeout: 240_000,
}, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-kill-'));
  const dataphin = await startDataphin();
  const dataarts = await startDataArts();
  let child: ChildProcess | undefined;
  onTestFinished(async () => {
    child?.kill('SIGKILL');
    await Promise.all([dataphin.close(), dataarts.close()]);
    await rm(dataDir, { recursive: true, force: true });
  });
  await mkdir(join(dataDir, 'secrets/lineage'), { recursive: true, mode: 0o700 });
  for (const simulator of [dataphin, dataarts]) {
    const secret = { ...simulator.secret(), calls_per_second: 400 };
    await writeFile(join(dataDir, `secrets/lineage/${simulator.name}.json`), JSON.stringify(secret), { mode: 0o600 });
  }
  // A vendor that takes its time gives a kill something to hit.
  await mkdir(join(dataDir, 'bucket/manifests'), { recursive: true });
  let seed = 20_261_121;
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  const write = async (index: number, version: number) => {
    const edges = pairs(`m${index}_`, EDGES).filter((_, edge) => (edge + version) % 7 !== 0);
    const text = manifest(edges, {
      targets: ['dataphin', 'dataarts'],
      columns: version % 2 ? ['id', 'a'] : ['id', 'b'],
    });
    await writeFile(join(dataDir, `bucket/manifests/${index}.json`), text);
  };
  const environment = {
    PORT: '0',
    DATA_DIR: dataDir,
    UNKNOWN_WAIT: '1',
    VANISH_GRACE: '0.2',
    RECONCILE_EVERY: '1',
    LOG_LEVEL: 'warn',
  };
  const start = async () => {
    child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'local/run.ts'], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
  };
  let interrupted = 0;
  for (let turn = 0; turn < KILLS; turn += 1) {
    await Promise.all(
      Array.from({ length: MANIFESTS }, (_, index) =>
        turn % 3 === 0 || index === turn % MANIFESTS ? write(index, turn) : undefined,
      ),
    );
    for (const { url } of [dataphin, dataarts]) await misbehave(url, turn, random);
    await start();
    const before = (await calls(dataphin.url)).length;
    await sleep(200 + random() * 1_200);
    child?.kill('SIGKILL');
    await once(child as ChildProcess, 'exit');
    if ((await calls(dataphin.url)).length > before) interrupted += 1;
  }
  expect(interrupted).toBeGreaterThanOrEqual(KILLS / 2);
  const struck = await Promise.all([dataphin.url, dataarts.url].map(faultsPending));
  for (const { url } of [dataphin, dataarts]) await fetch(`${url}/_sandbox/faults`, { method: 'DELETE' });
  // Most of what was to go wrong did.
  expect(struck.reduce((sum, each) => sum + each, 0)).toBeLessThan((2 * KILLS * FAULTS.length * 2) / 2);
  await Promise.all(Array.from({ length: MANIFESTS }, (_, index) => write(index, KILLS)));
  await start();
  const owners = Array.from({ length: MANIFESTS }, (_, index) => `manifests/${index}.json`);
  const wanted = new Map<string, string[]>();
  for (const owner of owners) {
    const declared = JSON.parse(await readFile(join(dataDir, 'bucket', owner), 'utf8')) as {
      lineage: { from: string; to: string; columns: object }[];
    };
    for (const entry of declared.lineage) wanted.set(`${entry.from}>${entry.to}`, Object.keys(entry.columns).sort());
  }
  const shown = async () =>
    new Map(
      ((await (await fetch(`${dataphin.url}/_sandbox/lineage`)).json()) as DataphinHeld[]).map((edge) => [
        `${edge.source}>${edge.target}`.replaceAll('odps.300000001.p.', ''),
        edge.columns.map(([from]) => from).sort(),
      ]),
    );
  const settled = async () => {
    const states = await Promise.all(
      owners.map(
        async (owner) =>
          (
            JSON.parse(await readFile(join(dataDir, `bucket/status/${owner}.json`), 'utf8').catch(() => '{}')) as {
              state?: string;
            }
          ).state,
      ),
    );
    const now = await shown();
    return (
      !states.includes('pending') &&
      now.size === wanted.size &&
      [...wanted].every(([edge, columns]) => now.get(edge)?.join() === columns.join())
    );
  };
  let last = '';
  await until(
    async () => {
      const now = await shown();
      const missing = [...wanted.keys()].filter((edge) => now.get(edge)?.join() !== wanted.get(edge)?.join());
      const extra = [...now.keys()].filter((edge) => !wanted.has(edge));
      last = `wrong or missing: ${missing.slice(0, 5)} (${missing.length}), extra: ${extra.slice(0, 5)} (${extra.length})`;
      return settled();
    },
    120_000,
    () => last,
  );

  const nodes = (await (await fetch(`${dataarts.url}/_sandbox/lineage`)).json()) as DataArtsHeld[];
  const contents = nodes.map((node) =>
    JSON.stringify([node.jobId, node.inputs, node.outputs, [...node.columns].sort()]),
  );
  expect(new Set(contents).size).toBe(contents.length);
  const wantedAtDataArts = [...wanted].filter(([edge, columns]) => {
    const [from, to] = edge.split('>');
    return !nodes.some(
      (node) =>
        node.inputs[0] === `db.${from}` &&
        node.outputs[0] === `db.${to}` &&
        columns.every((column) => node.columns.some(([, target]) => target.endsWith(`.${column}`))),
    );
  });
  const statuses = await Promise.all(
    owners.map(
      async (owner) =>
        JSON.parse(await readFile(join(dataDir, `bucket/status/${owner}.json`), 'utf8')) as {
          edges: { target: string; from: string; outcome: string }[];
        },
    ),
  );
  const unknown = statuses.flatMap((status) =>
    status.edges
      .filter((edge) => edge.target === 'dataarts' && edge.outcome === 'unknown')
      .map((edge) => edge.from.replace('dataarts:db.', '')),
  );
  // What is not there must be said to be unknown.
  for (const [edge] of wantedAtDataArts) expect(unknown).toContain(edge.split('>')[0]);
});

const FAULTS = ['lost-answer', 'late-apply', 'reset', 'throttle', 'unavailable'] as const;

/** The next calls get lost, come late, or are turned away; what comes late comes before the wait is over. */
async function misbehave(url: string, turn: number, random: () => number): Promise<void> {
  for (const kind of FAULTS) {
    const late = kind === 'late-apply' ? { delayMs: Math.round(100 + random() * 700) } : {};
    const fault = { kind, times: 1 + (turn % 2), ...late };
    const answer = await fetch(`${url}/_sandbox/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(fault),
    });
    if (!answer.ok) throw new Error(`${kind}: ${await answer.text()}`);
  }
}

async function faultsPending(url: string): Promise<number> {
  const pending = (await (await fetch(`${url}/_sandbox/faults`)).json()) as { times: number }[];
  return pending.reduce((sum, each) => sum + each.times, 0);
}

async function calls(url: string): Promise<unknown[]> {
  return (await fetch(`${url}/_sandbox/calls`)).json() as Promise<unknown[]>;
}
