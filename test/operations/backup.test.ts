import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { local, manifest, outcomes, pairs, until } from '../functions/local.ts';
import { folder, script } from './script.ts';

it('saves while the service runs; what was restored sends nothing until somebody has looked at it', {
  timeout: 60_000,
}, async () => {
  const one = await local();
  const saved = join(await folder(), 'monday.backup');
  await one.drop('manifests/a.json', manifest(pairs('a', 3)));
  await one.drop('manifests/b.json', manifest([['x', 'y']]));
  await one.statusWhen('manifests/a.json', (each) => each.state === 'converged');
  await one.statusWhen('manifests/b.json', (each) => each.state === 'converged');
  const environment = { DATA_DIR: one.dataDir };
  const made = await script('backup', [saved, '--json'], environment);
  expect(made).toMatchObject({ code: 0 });
  expect(JSON.parse(made.out)).toMatchObject({ deployment: 'local', objects: expect.any(Number) });
  expect((await script('backup', [saved], environment)).code).toBe(1);

  // Since the backup: one manifest changed, one is new.
  await one.drop('manifests/a.json', manifest(pairs('a', 2)));
  await one.drop('manifests/c.json', manifest([['p', 'q']]));
  await until(async () => (await one.dataphin()).length === 4);
  expect(await script('restore', [saved, '--force'], environment)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/in use/),
  });
  await one.close();
  expect(await script('restore', [saved], environment)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/--force/),
  });
  const restored = await script('restore', [saved, '--force'], environment);
  expect(restored).toMatchObject({ code: 0, out: expect.stringMatching(/\d objects.*before-restore.*npm run plan/s) });
  const aside = (await readdir(one.dataDir)).find((name) => name.startsWith('before-restore')) ?? '';
  expect((await readdir(join(one.dataDir, aside, 'bucket/manifests'))).sort()).toEqual(['a.json', 'b.json', 'c.json']);

  const two = await local({}, one.dataDir);
  await two.forgetCalls();
  await two.remove('manifests/b.json');
  await two.drop('manifests/d.json', manifest([['s', 't']]));
  const status = await two.statusWhen('manifests/d.json', (each) => each.edges.length === 1);
  expect(outcomes(status)).toEqual(['held']);
  expect(status.edges[0]?.reason).toMatch(/restored from a backup.*npm run restore -- --resume/);
  await two.runtime.reconcile();
  expect(await two.writes('dataphin')).toEqual([]);
  const unchanged = await two.statusWhen('manifests/a.json', (each) => outcomes(each).includes('unchanged'));
  expect(unchanged.edges.find((each) => each.outcome === 'unchanged')?.reason).toMatch(
    /dataphin is report-only.*restored from a backup.*npm run restore -- --resume/,
  );
  const report = async (name: string) => readFile(join(two.runtime.bucket, 'status/reconcile', name), 'utf8');
  expect(JSON.parse(await report('latest.json'))).toMatchObject({
    restored: {
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      targets: expect.arrayContaining(['dataphin']),
      message: expect.stringMatching(/restored from a backup.*nothing is sent to .*dataphin.*npm run plan/),
      resume: 'npm run restore -- --resume',
    },
  });
  expect(await report('latest.md')).toMatch(
    /## Restored from a backup\n\nSince .*dataphin.*\n\n {4}npm run restore -- --resume/,
  );

  expect((await script('restore', ['--resume'], environment)).code).toBe(0);
  expect((await script('restore', ['--resume'], environment)).code).toBe(1);
  await until(async () => {
    await two.runtime.reconcile();
    const held = (await two.dataphin()).map(({ source }) => source);
    return held.includes('odps.300000001.p.s') && !held.includes('odps.300000001.p.x');
  });
  expect(JSON.parse(await report('latest.json'))).not.toHaveProperty('restored');
  expect(await report('latest.md')).not.toContain('Restored');
});

it('takes nothing for a backup that is none, is cut short, or is of another deployment', async () => {
  const one = await local();
  await one.drop('manifests/a.json', manifest(pairs('a', 3)));
  await one.statusWhen('manifests/a.json', (each) => each.state === 'converged');
  const place = await folder();
  const saved = join(place, 'saved');
  expect((await script('backup', [saved], { DATA_DIR: one.dataDir })).code).toBe(0);
  const target = { DATA_DIR: await folder() };
  expect(await script('restore', [saved], { ...target, DEPLOYMENT: 'prod' })).toMatchObject({
    code: 1,
    err: expect.stringMatching(/DEPLOYMENT=local/),
  });
  const { length } = await readFile(saved);
  await truncate(saved, length - 4_096);
  expect(await script('restore', [saved], target)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/nothing was restored/),
  });
  await writeFile(saved, 'something else');
  expect((await script('restore', [saved], target)).err).toMatch(/no backup|not a database/);
  expect((await script('restore', [join(place, 'absent')], target)).err).toMatch(/there is no file/);
  expect(await readdir(target.DATA_DIR)).toEqual([]);
  expect((await script('restore', [], target)).code).toBe(2);
  expect((await script('backup', [join(place, 'x')], target)).err).toMatch(/nothing to save/);
  const nowhere = join(place, 'nosuch/x');
  expect((await script('backup', [nowhere], { DATA_DIR: one.dataDir })).err).toBe(
    `${nowhere} cannot be written, because there is no folder ${join(place, 'nosuch')}; make it, or name another file.\n`,
  );
});

it('prints the commands that do the same in AWS, and calls nobody', async () => {
  const aws = { TABLE: 'ledger', BUCKET: 'objects', QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/q' };
  expect((await script('backup', ['x'], aws)).out).toMatch(
    /dynamodb create-backup --table-name ledger[\s\S]*s3:\/\/objects/,
  );
  const { out } = await script('restore', ['2026-11-20T08:00:00Z'], aws);
  expect(out).toMatch(/restore-table-to-point-in-time[^\n]*2026-11-20T08:00:00Z[\s\S]*--mark[\s\S]*--resume/);
});
