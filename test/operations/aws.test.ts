import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { manifest, pairs } from '../functions/local.ts';
import { folder, script } from './script.ts';

/** The settings of a stage, as the functions have them. */
const stage = {
  TABLE: 'lineage-functions-prod',
  BUCKET: 'lineage-functions-prod-1-eu-west-1',
  QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/1/lineage-functions-prod-work',
};

/** What the shell would give to curl: arguments and stdin. */
async function curled(lines: string): Promise<{ args: string[]; stdin: string }> {
  const bin = await folder();
  await writeFile(join(bin, 'curl'), '#!/bin/sh\nprintf "%s\\0" "$@" > "$OUT"\ncat > "$OUT.stdin"\n', { mode: 0o755 });
  const out = join(bin, 'out');
  const text = `${lines.slice(lines.indexOf('#'))}\n`;
  const started = promisify(execFile)('/bin/sh', ['-c', text], {
    env: { PATH: `${bin}:${process.env['PATH']}`, OUT: out, AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' },
  });
  started.child.stdin?.end();
  await started;
  const { stdout } = await promisify(execFile)('cat', [out]);
  const { stdout: stdin } = await promisify(execFile)('cat', [`${out}.stdin`]);
  return { args: stdout.split('\0').slice(0, -1), stdin };
}

describe('with the settings of a stage in AWS, and no --url,', () => {
  it.each([
    ['plan', [], '<URL of reconcile-http>plan?format=text'],
    ['plan', ['--format', 'json', '--deep'], '<URL of reconcile-http>plan?deep=true'],
    ['lineage', ['x/a b', '--upstream'], '<URL of fetch-http>lineage?dataset=x%2Fa%20b&direction=upstream&format=json'],
  ])('npm run %s says which request does it there, and makes nothing here', async (name, args, url) => {
    const DATA_DIR = await folder();
    const { code, out, err } = await script(name, args, { ...stage, DATA_DIR });
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^Nothing was asked and nothing done: TABLE, BUCKET or QUEUE_URL is set/);
    expect(err).toContain('npx serverless info --stage prod --region eu-west-1 --verbose');
    const { args: given } = await curled(err);
    expect(given).toEqual([
      ...['--aws-sigv4', 'aws:amz:eu-west-1:lambda', '--user', 'id:key', '-H', 'x-amz-security-token: ', url],
    ]);
    expect(await readdir(DATA_DIR)).toEqual([]);
  });

  it.each([
    ['replay', ['--since', '2026-11-20'], 'register-http>replay', { since: '2026-11-20T00:00:00.000Z', dryRun: false }],
    ['resolve', ["e'1", '--resend'], 'reconcile-http>reconcile', { resolve: { edge: "e'1", as: 'absent' } }],
    ['adopt', [], 'reconcile-http>reconcile', { adopt: true }],
    ['adopt', ['manifests/a.yaml'], 'reconcile-http>reconcile', { adopt: true, owners: ['manifests/a.yaml'] }],
  ])('npm run %s prints the request with its body', async (name, args, url, body) => {
    const DATA_DIR = await folder();
    const { code, out, err } = await script(name, args, { ...stage, DATA_DIR });
    expect([code, out]).toEqual([1, '']);
    const { args: given } = await curled(err);
    expect(given).toContain(`<URL of ${url}`);
    expect(JSON.parse(given.at(-1) ?? '')).toEqual(body);
    expect(await readdir(DATA_DIR)).toEqual([]);
  });

  it('a body too long for an argument goes in by stdin, as it is', async () => {
    const place = await folder();
    const job = { namespace: 'n', name: "it's $HOME `x` \\ $(x)" };
    const text = JSON.stringify({ ...JSON.parse(manifest(pairs('a', 40))), job });
    await writeFile(join(place, 'a.json'), text);
    for (const [name, rest] of [
      ['plan', { dryRun: true }],
      ['adopt', { adopt: true }],
    ] as const) {
      const { err } = await script(name, [join(place, 'a.json')], { ...stage, DATA_DIR: place });
      const { args, stdin } = await curled(err);
      expect(args.slice(-2)).toEqual(['--data-binary', '@-']);
      expect(JSON.parse(stdin)).toEqual({ ...rest, manifests: { 'manifests/a.json': text } });
    }
  });

  it('another service is asked where --url names it', async () => {
    const { code, err } = await script('plan', ['--url', 'http://127.0.0.1:9'], stage);
    expect([code, err]).toEqual([1, expect.stringMatching(/^http:\/\/127\.0\.0\.1:9 cannot be reached/)]);
  });
});

it('backup and restore name the stage, and keep its other parameters', async () => {
  const saved = await script('backup', ['x'], stage);
  expect(saved.out).toMatch(/create-backup --table-name lineage-functions-prod --backup-name lineage-functions-prod-2/);
  const { out } = await script('restore', ['2026-11-20T08:00:00Z'], stage);
  expect(out).toMatch(/with the other parameters of your last deploy/);
  expect(out).toContain('deploy --stage prod --region eu-west-1 --param TABLE=lineage-functions-prod-restored\n');
  const other = { ...stage, QUEUE_URL: 'http://127.0.0.1:4566/1/q' };
  const named = await script('restore', ['2026-11-20T08:00:00Z'], { ...other, DEPLOYMENT: 'staging' });
  expect(named.out).toContain('--stage staging --region <region> --param');
  const unknown = await script('restore', ['2026-11-20T08:00:00Z'], other);
  expect(unknown.out).toContain('--stage <stage> --region <region> --param');
});
