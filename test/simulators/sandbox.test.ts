import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { request } from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { callLog } from '../../local/simulators/calls.ts';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import { A, add, at, B, callDataArts, command, http, lineageInfo, remove, sandbox, table } from './callers.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'simulator-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('the sandbox', () => {
  test('shows calls with their decoded body, and forgets them', async () => {
    const simulator = await startDataphin();
    await add(simulator.url, command([['x', 'y']]));
    await add(simulator.url, command(), { key: 'wrong' });
    const calls = (await sandbox(simulator.url, 'GET', 'calls')).body;
    expect(calls).toEqual([
      {
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        operation: 'AddRegisterLineage',
        outcome: 'ok',
        request: { OpTenantId: '30001011', AddRegisterLineageCommand: command([['x', 'y']]) },
      },
      { at: expect.any(String), operation: 'AddRegisterLineage', outcome: 'SignatureDoesNotMatch', request: null },
    ]);
    expect((await sandbox(simulator.url, 'DELETE', 'calls')).status).toBe(204);
    expect((await sandbox(simulator.url, 'GET', 'calls')).body).toEqual([]);
    await simulator.close();
  });

  test('documents its switches, and refuses those it has not', async () => {
    const simulator = await startDataphin();
    const modes = (await sandbox(simulator.url, 'GET', 'modes')).body;
    expect(modes.repeatAdd).toMatchObject({ value: 'upsert', default: 'upsert', about: expect.any(String) });
    expect((await sandbox(simulator.url, 'PUT', 'modes', { repeatAdd: 'error', deletes: 'x' })).status).toBe(400);
    expect((await sandbox(simulator.url, 'PUT', 'modes', { repeatAdd: 'never' })).status).toBe(400);
    expect((await sandbox(simulator.url, 'GET', 'modes')).body).toEqual(modes);
    await simulator.close();
  });

  test('answers to loopback names only, reads JSON only, and serves no foreign page', async () => {
    const simulator = await startDataphin();
    const limits = `${simulator.url}/_sandbox/limits`;
    const json = { 'content-type': 'application/json' };
    const status = async (init: RequestInit) => (await http(limits, init)).status;
    expect(await status({ method: 'PUT', body: '{}', headers: { 'content-type': 'text/plain' } })).toBe(200);
    expect(await status({ method: 'PUT', body: '{', headers: json })).toBe(400);
    expect(await status({ method: 'PUT', body: '{"calls":1}', headers: json })).toBe(400);
    expect(await status({ method: 'PUT', body: '{}', headers: { ...json, origin: 'https://elsewhere.example' } })).toBe(
      403,
    );
    expect(await status({ method: 'PUT', body: '{}', headers: json })).toBe(200);
    expect((await http(`${simulator.url}/_sandbox/nothing`, {})).status).toBe(404);
    const { port } = new URL(simulator.url);
    const foreign = await new Promise<number | undefined>((resolve, reject) => {
      request(
        { host: '127.0.0.1', port, path: '/_sandbox/lineage', headers: { host: `evil.example:${port}` } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      )
        .on('error', reject)
        .end();
    });
    expect(foreign).toBe(403);
    await simulator.close();
  });

  test('remembers 10,000 calls and no more than 64 MiB of them', () => {
    const log = callLog();
    const call = (operation: string) => ({ at: '', operation, outcome: 'ok', request: null });
    for (let n = 0; n < 25_000; n += 1) log.add(call(String(n)), 10);
    expect(log.list()).toHaveLength(10_000);
    expect(log.list()[0]?.operation).toBe('15000');
    for (let n = 0; n < 10; n += 1) log.add(call(`big${n}`), 12 * 1024 * 1024);
    expect(log.list().map((one) => one.operation)).toEqual(['big5', 'big6', 'big7', 'big8', 'big9']);
  });
});

describe('restarts', () => {
  const file = () => path.join(folder, 'deeper', 'state.jsonl');

  test('Dataphin keeps lineage, seeds, modes, limits and used nonces', async () => {
    const nonce = { headers: { 'x-acs-signature-nonce': 'once' } };
    const first = await startDataphin({ stateFile: file() });
    await add(
      first.url,
      command(
        [
          ['x', 'y'],
          ['x', 'z'],
        ],
        { RelationProperties: { k: 'v' } },
      ),
      nonce,
    );
    const gone = command([], { Source: table('odps.300000001.project1.gone') });
    await add(first.url, gone);
    await remove(first.url, gone);
    await sandbox(first.url, 'PUT', 'seed', { sources: ['project1'] });
    await sandbox(first.url, 'PUT', 'modes', { repeatAdd: 'error' });
    await sandbox(first.url, 'PUT', 'limits', { callsPerDay: 50 });
    await first.close();

    for (let start = 0; start < 2; start += 1) {
      const again = await startDataphin({ stateFile: file() });
      expect((await sandbox(again.url, 'GET', 'lineage')).body).toEqual([
        {
          source: A,
          target: B,
          columns: [
            ['x', 'y'],
            ['x', 'z'],
          ],
          origin: 'registered',
        },
      ]);
      expect((await sandbox(again.url, 'GET', 'seed')).body).toEqual({ sources: ['project1'] });
      expect((await sandbox(again.url, 'GET', 'limits')).body).toEqual({ callsPerDay: 50 });
      expect((await add(again.url, command(), nonce)).body.Code).toBe('SignatureNonceUsed');
      expect((await add(again.url, command())).status).toBe(409);
      await again.close();
    }
  });

  test('DataArts keeps nodes under their names', async () => {
    const first = await startDataArts({ stateFile: file() });
    const created = await callDataArts(first.url, { body: lineageInfo() });
    await sandbox(first.url, 'PUT', 'modes', { repeatCreate: 'upsert' });
    await first.close();
    const again = await startDataArts({ stateFile: file() });
    expect((await sandbox(again.url, 'GET', 'lineage')).body).toHaveLength(1);
    expect((await callDataArts(again.url, { body: lineageInfo() })).body).toEqual(created.body);
    await again.close();
  });

  test('a last line that a crash has cut is dropped; a broken line before it is reported', async () => {
    const first = await startDataphin({ stateFile: file() });
    await add(first.url, command());
    await first.close();
    fs.appendFileSync(file(), '{"kind":"put","sou');
    const again = await startDataphin({ stateFile: file() });
    expect((await sandbox(again.url, 'GET', 'lineage')).body).toHaveLength(1);
    await again.close();
    fs.appendFileSync(file(), 'oops\n{}\n');
    await expect(startDataphin({ stateFile: file() })).rejects.toThrow(/line \d+ is not JSON/);
  });

  test('what was answered survives kill -9', async () => {
    const program = path.join(folder, 'run.ts');
    const module = path.resolve('local/simulators/dataarts/index.ts');
    fs.writeFileSync(
      program,
      `import { startDataArts } from ${JSON.stringify(module)};
       const simulator = await startDataArts({ stateFile: ${JSON.stringify(file())} });
       process.stdout.write(simulator.url + '\\n');`,
    );
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const url = await new Promise<string>((resolve) =>
      child.stdout.once('data', (text) => resolve(String(text).trim())),
    );
    const answered: unknown[] = [];
    for (let n = 0; n < 20; n += 1) {
      answered.push(
        at((await callDataArts(url, { body: lineageInfo({ job_id: `job${n}` }) })).body, 0, 'qualified_name'),
      );
    }
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    const again = await startDataArts({ stateFile: file() });
    expect((await sandbox(again.url, 'GET', 'lineage')).body).toHaveLength(answered.length);
    await again.close();
  });

  test('a taken port is an error, and leaves the state file free', async () => {
    const first = await startDataphin();
    const port = Number(new URL(first.url).port);
    await expect(startDataphin({ port, stateFile: file() })).rejects.toThrow(/EADDRINUSE/);
    await first.close();
  });
});
