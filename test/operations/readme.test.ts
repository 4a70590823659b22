import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { local, manifest } from '../functions/local.ts';
import { folder, script } from './script.ts';

const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

function section(title: string): string {
  const found = readme.split(/^## /m).find((each) => each.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`no section ${title} in README.md`);
  return found;
}

/** Every `npm run x -- …` of a text, wherever it stands. */
function commands(text: string): { name: string; args: string }[] {
  return [...text.matchAll(/npm run ([a-z-]+)(?: -- ([^\n`#|&]*))?/g)].map((match) => ({
    name: match[1] ?? '',
    args: (match[2] ?? '').trim(),
  }));
}

const sections = ['Deploy', 'Something is wrong'] as const;
const all = sections.flatMap((title) => commands(section(title)));
const names = [...new Set(all.map((each) => each.name))];
/** What builds or deploys instead of asking: test/package runs it. */
const BUILDS = new Set(['package']);

describe('the commands of "Deploy" and "Something is wrong"', () => {
  it('are some, and every script exists', () => {
    expect(names).toEqual(expect.arrayContaining(['doctor', 'keys', 'dead-letters', 'backup', 'restore', 'resolve']));
    for (const name of names) expect(scripts, name).toHaveProperty(name);
  });

  it.each(names.filter((name) => !BUILDS.has(name)))('npm run %s -- --help explains itself', async (name) => {
    const file = /local\/([a-z-]+)\.ts$/.exec(scripts[name] ?? '')?.[1] ?? '';
    expect(existsSync(join(root, 'local', `${file}.ts`))).toBe(true);
    const { code, out, err } = await script(file, ['--help'], { DATA_DIR: await folder() });
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(`npm run ${name}`);
    for (const { args } of all.filter((each) => each.name === name)) {
      const flags = args.match(/--[a-z-]+/g) ?? [];
      for (const flag of flags) expect(out, `npm run ${name} -- ${args}`).toContain(flag);
    }
  });

  it('work against a service that runs here, as they stand', { timeout: 60_000 }, async () => {
    const one = await local();
    const environment = { DATA_DIR: one.dataDir };
    await one.drop('manifests/a.json', manifest([['a', 'b']]));
    await one.statusWhen('manifests/a.json', (each) => each.state === 'converged');
    await one.runtime.services.queue.bury('{"kind":"converge","owner":"manifests/a.json"}', 'a test');
    await one.runtime.services.queue.bury('nonsense', 'a test');
    const made = await script('keys', ['create', 'airflow', '--scope', 'ingest'], environment);
    expect(made.code).toBe(0);
    const [key] = JSON.parse((await script('keys', ['list', '--json'], environment)).out) as { id: string }[];
    const letters = await one.runtime.services.queue.deadLetters();
    const saved = join(await folder(), 'monday.backup');
    for (const { name, args } of all) {
      // A plan and a word about an unknown edge have tests of their own; a restore needs the service stopped (backup.test.ts).
      if (BUILDS.has(name) || ['restore', 'resolve', 'replay', 'plan', 'adopt'].includes(name)) continue;
      if (name === 'keys' && args.startsWith('create airflow --scope')) continue;
      const given = args
        .replace('<id of the old one>', key?.id ?? '')
        .replace('show <id>', `show ${letters[0]?.id}`)
        .replace('replay --all', `replay ${letters[0]?.id}`)
        .replace('drop <id>', `drop ${letters[1]?.id}`)
        .replace(/\S+\.backup|<file>/, saved);
      if (/^(show|replay|drop)?$/.test(given) && name === 'dead-letters') continue;
      const { code, err } = await script(name, given.split(/\s+/).filter(Boolean), environment);
      expect([`npm run ${name} -- ${given}`, code, code === 0 ? '' : err]).toEqual([
        `npm run ${name} -- ${given}`,
        0,
        '',
      ]);
    }
    expect(await one.runtime.services.queue.deadLetters()).toEqual([]);
  });
});
