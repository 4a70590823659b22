import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { diagnose } from '../../local/doctor.ts';
import type { Finding } from '../../local/findings.ts';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import { startFlink } from '../../local/simulators/flink/index.ts';
import { markRestored } from '../../shared/converge/restored.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { sqliteLedger } from '../../shared/ledger/sqlite.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';
import { readSettings } from '../../shared/settings.ts';
import { folder, script } from './script.ts';

const SECRET = 'hunter2-hunter2-hunter2-hunter2-hunter2';

async function place() {
  const simulators = await Promise.all([startDataphin(), startDataArts(), startFlink()]);
  onTestFinished(async () => {
    await Promise.all(simulators.map((each) => each.close()));
  });
  const dataDir = await folder();
  const [dataphin, dataarts, flink] = simulators;
  const secretOf = (name: string) => {
    const found = simulators.find((each) => each.name === name);
    if (!found) throw new Error(name);
    return found.secret() as JsonObject;
  };
  return {
    urls: { dataphin: dataphin.url, dataarts: dataarts.url, flink: flink.url },
    dataDir,
    secretOf,
    async hold(name: string, secret: JsonObject | string) {
      const path = join(dataDir, 'secrets/lineage', `${name}.json`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, typeof secret === 'string' ? secret : JSON.stringify(secret), { mode: 0o600 });
    },
    fault: (url: string, fault: object) =>
      fetch(`${url}/_sandbox/faults`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(fault),
      }),
    look: (now: () => number = Date.now) => diagnose(() => readSettings({ DATA_DIR: dataDir }), now),
  };
}

const of = (findings: readonly Finding[], check: string, state?: Finding['state']) =>
  findings.filter((each) => each.check === check && (state === undefined || each.state === state));
const VENDORS = ['dataphin', 'dataarts', 'flink'] as const;

describe('with all vendors in order', () => {
  it('finds nothing wrong, and names what cannot be seen from here', async () => {
    const here = await place();
    for (const name of VENDORS) await here.hold(name, here.secretOf(name));
    const findings = await here.look();
    expect(findings.filter((each) => each.state === 'wrong' || each.state === 'warn')).toEqual([]);
    for (const name of VENDORS) {
      expect(of(findings, name, 'ok')).toHaveLength(1);
      expect(of(findings, name, 'info').length).toBeGreaterThan(1);
    }
    expect(of(findings, 'clock', 'ok')).toHaveLength(3);
    expect(JSON.stringify(of(findings, 'dataphin', 'info'))).toMatch(/Register External Lineage/);
    const asked = (await (await fetch(`${here.urls.dataarts}/_sandbox/calls`)).json()) as { operation: string }[];
    expect(asked.map((each) => each.operation)).toEqual(['ShowLineage']);
  });

  it('says at each which right is missing', async () => {
    const here = await place();
    for (const name of VENDORS) {
      await here.hold(name, here.secretOf(name));
      await here.fault(here.urls[name], { kind: 'denied', times: 3 });
    }
    const findings = await here.look();
    expect(of(findings, 'dataphin', 'wrong')[0]?.message).toMatch(/Grant|right/i);
    expect(of(findings, 'dataarts', 'wrong')[0]?.message).toMatch(/role/);
    expect(of(findings, 'flink', 'wrong')[0]?.message).toMatch(/Grant/);
  });
});

describe.each([
  ['dataphin', { access_key_secret: SECRET }],
  ['dataarts', { sk: SECRET }],
  ['flink', { access_key_secret: SECRET }],
] as const)('at %s', (name, replaced) => {
  it('tells an expired key, and quotes no secret', async () => {
    const here = await place();
    await here.hold(name, { ...here.secretOf(name), ...replaced });
    const [finding] = of(await here.look(), name, 'wrong');
    expect(finding?.message).toMatch(name === 'dataarts' ? /sk/ : /access_key_secret/);
    expect(JSON.stringify(finding)).not.toContain('hunter2');
  });

  it('tells a wrong endpoint: nobody there, or somebody else', async () => {
    const here = await place();
    await here.hold(name, { ...here.secretOf(name), endpoint: 'http://127.0.0.1:9' });
    expect(of(await here.look(), name, 'wrong')[0]?.message).toMatch(/endpoint/);
    const other = name === 'dataarts' ? here.urls.dataphin : here.urls.dataarts;
    await here.hold(name, { ...here.secretOf(name), endpoint: other });
    expect(of(await here.look(), name, 'wrong')).toHaveLength(1);
  });

  it('tells a clock that is wrong', async () => {
    const here = await place();
    await here.hold(name, here.secretOf(name));
    const fast = await here.look(() => Date.now() + 20 * 60_000);
    expect(of(fast, 'clock', 'wrong')[0]?.message).toMatch(/120\d s ahead/);
    expect(of(fast, name, 'wrong')[0]?.message).toMatch(/clock/);
    expect(of(await here.look(() => Date.now() - 10 * 60_000), 'clock', 'warn')).toHaveLength(1);
  });

  it('tells a secret that is not usable, and stays with the others', async () => {
    const here = await place();
    await here.hold(name, { ...here.secretOf(name), typo: SECRET });
    const others = VENDORS.filter((each) => each !== name);
    for (const other of others) await here.hold(other, here.secretOf(other));
    const findings = await here.look();
    expect(of(findings, name, 'wrong')).toHaveLength(1);
    expect(JSON.stringify(findings)).not.toContain('hunter2');
    for (const other of others) expect(of(findings, other, 'ok')).toHaveLength(1);
  });
});

it('tells broken JSON, an open file, a foreign name, unusable clients', async () => {
  const here = await place();
  await here.hold('dataphin', `{ "access_key_secret": "${SECRET}", }`);
  await here.hold('sap', {});
  await here.hold('clients', { clients: [{ name: 'x', scopes: ['everything'], key_sha256: SECRET }] });
  const findings = await here.look();
  expect(of(findings, 'lineage/dataphin', 'wrong')[0]?.message).toMatch(/not valid JSON/);
  expect(of(findings, 'lineage/sap', 'warn')).toHaveLength(1);
  expect(of(findings, 'lineage/clients', 'wrong')[0]?.message).toMatch(/client 1/);
  expect(JSON.stringify(findings)).not.toContain('hunter2');
});

it('tells a ledger that was lost, and one that was restored and not resumed', async () => {
  const here = await place();
  const status = join(here.dataDir, 'bucket/status/manifests');
  await mkdir(status, { recursive: true });
  expect(of(await here.look(), 'ledger')).toEqual([]);
  await writeFile(join(status, 'a.json.json'), '{}');
  expect(of(await here.look(), 'ledger', 'wrong')).toMatchObject([
    { message: expect.stringMatching(/empty beside status documents/), fix: expect.stringMatching(/npm run adopt/) },
  ]);
  const file = openSqliteFile(join(here.dataDir, 'lineage.db'));
  const ledger = sqliteLedger(file);
  // Looking at it has decided nothing.
  expect(await ledger.get('meta/ledger')).toBeUndefined();
  await ledger.write({ key: 'owner/a', rev: '1', body: {}, index: ['owners'] }, null);
  await markRestored(ledger, Date.now(), () => '2');
  file.close();
  expect(of(await here.look(), 'ledger', 'wrong')).toMatchObject([
    { message: expect.stringMatching(/restored from a backup/), fix: expect.stringMatching(/--resume/) },
  ]);
});

it('npm run doctor ends with 1 when something is wrong, a setting too', async () => {
  const dataDir = await folder();
  expect(await script('doctor', ['--json'], { DATA_DIR: dataDir })).toMatchObject({ code: 0 });
  const { code, out } = await script('doctor', [], { DATA_DIR: '/dev/null/nowhere' });
  expect([code, out]).toMatchObject([1, expect.stringMatching(/WRONG disk/)]);
  expect((await script('doctor', [], { DATA_DIR: dataDir, PORT: 'x' })).out).toMatch(/WRONG settings[\s\S]*PORT/);
});
