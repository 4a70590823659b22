import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { local, manifest } from '../functions/local.ts';
import { folder, script } from './script.ts';

const NOBODY = 'http://127.0.0.1:9';

describe('commands that ask a service', () => {
  it.each([
    ['adopt', []],
    ['resolve', ['e1', '--registered']],
    ['replay', ['--since', '1d']],
    ['plan', []],
  ])('npm run %s names the URL at which nobody is, and what to do', async (name, args) => {
    const { code, err } = await script(name, [...args, '--url', NOBODY], { DATA_DIR: await folder() });
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:9 cannot be reached .*npm start, or give the --url/),
    ]);
  });

  it('send the key of --key or LINEAGE_KEY, and say how where it is missing', { timeout: 30_000 }, async () => {
    const here = await local({ AUTH: 'required' });
    const environment = { DATA_DIR: here.dataDir };
    const scopes = ['--scope', 'reconcile', '--scope', 'register'];
    const made = await script('keys', ['create', 'ops', ...scopes], environment);
    const key = /key: (\S+)/.exec(made.out)?.[1] ?? '';
    for (const [name, args] of [
      ['adopt', []],
      ['plan', []],
      ['replay', ['--since', '1d']],
    ] as const) {
      const without = await script(name, args, environment);
      expect([name, without.code, without.err]).toEqual([name, 1, expect.stringMatching(/--key.*LINEAGE_KEY/)]);
      expect([name, (await script(name, [...args, '--key', key], environment)).code]).toEqual([name, 0]);
      expect([name, (await script(name, args, { ...environment, LINEAGE_KEY: key })).code]).toEqual([name, 0]);
    }
    const word = ['e1', '--registered'];
    expect((await script('resolve', word, environment)).err).toMatch(/--key.*LINEAGE_KEY/);
    expect((await script('resolve', [...word, '--key', key], environment)).err).not.toMatch(/key/);
  });
});

describe('npm run plan', () => {
  it('ends with 1 when edges go to a target that cannot be used, and says which and why', async () => {
    const DATA_DIR = await folder();
    const place = join(DATA_DIR, 'lineage');
    await mkdir(join(DATA_DIR, 'secrets/lineage'), { recursive: true, mode: 0o700 });
    await writeFile(join(DATA_DIR, 'secrets/lineage/dataarts.json'), '{ not JSON', { mode: 0o600 });
    await mkdir(place);
    await writeFile(join(place, 'a.json'), manifest([['a', 'b']], { targets: ['dataarts'] }));
    await writeFile(join(place, 'b.json'), manifest([['a', 'b']], { targets: ['dataphin/finanse'] }));
    const { code, out } = await script('plan', [place], { DATA_DIR });
    expect(code).toBe(1);
    expect(out).toMatch(/^cannot be used {2}dataarts: secret lineage\/dataarts: .*not valid JSON.*the edge that goes/m);
    expect(out).toMatch(
      /^cannot be used {2}dataphin\/finanse: no secret lineage\/dataphin\/finanse is .*npm run doctor/m,
    );
    expect((await script('plan', [place, '--format', 'markdown'], { DATA_DIR })).out).toContain(
      '<code>dataphin/finanse</code>',
    );
    await writeFile(join(place, 'a.json'), manifest([['a', 'b']]));
    await writeFile(join(place, 'b.json'), manifest([['c', 'd']]));
    expect(await script('plan', [place], { DATA_DIR })).toMatchObject({ code: 2, err: '' });
  });

  it('says of a name that is nothing what it may be, and of text that is not UTF-8 where', async () => {
    const DATA_DIR = await folder();
    const nothing = await script('plan', [join(DATA_DIR, 'nosuch/')], { DATA_DIR });
    expect([nothing.code, nothing.err]).toEqual([
      1,
      expect.stringMatching(/nosuch\/ is neither a file nor a folder here/),
    ]);
    const latin = manifest([['a', 'b']]).replace('"lineage"', '\n"job":{"namespace":"n","name":"caf\u00e9"},"lineage"');
    await writeFile(join(DATA_DIR, 'a.json'), Buffer.from(latin, 'latin1'));
    const told = await script('plan', [join(DATA_DIR, 'a.json')], { DATA_DIR });
    expect(told.code).toBe(1);
    expect(told.err).toMatch(/a\.json, line 2: the document is not UTF-8 text; save it as UTF-8/);
  });
});

describe('called wrongly', () => {
  it('npm run schema writes nothing, and knows --help', async () => {
    const path = resolve(import.meta.dirname, '../../events/manifest.schema.json');
    const before = await readFile(path, 'utf8');
    expect(await script('schema', ['--bogus'])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/--bogus[\s\S]*usage: npm run schema/),
    });
    expect((await script('schema', ['folder'])).code).toBe(2);
    expect(await script('schema', ['--help'])).toMatchObject({ code: 0, out: expect.stringMatching(/^usage/) });
    expect(await readFile(path, 'utf8')).toBe(before);
  });

  it('npm run export says what was wrong before how it is used', async () => {
    const told = async (...args: string[]) => {
      const { code, err } = await script('export', args, { DATA_DIR: await folder() });
      return `${code} ${err.replace(/\n\nusage[\s\S]*/, '')}`;
    };
    expect(await told()).toBe('2 from where? give --from');
    expect(await told('--from', 'sap')).toBe('2 --from is dataphin, flink or ledger, and not sap');
    expect(await told('--from', 'ledger', '--depth', '0', '--most', 'x')).toBe(
      '2 --depth is a whole number from 1, and not 0\n--most is a whole number from 1, and not x',
    );
    expect(await told('--bogus')).toMatch(/^2 .*--bogus/);
  });
});
