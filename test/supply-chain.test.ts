import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}
interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}

const own = JSON.parse(read('package.json')) as Package;
const lock = JSON.parse(read('package-lock.json')) as { packages: Readonly<Record<string, Locked>> };
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

/** May be given on with the product. */
const PERMISSIVE = [
  'MIT',
  'MIT-0',
  'Apache-2.0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'Unlicense',
];
/** Only used to build and test, never given on; with the reason where it is not a matter of course. */
const TOOLS = [
  ...PERMISSIVE,
  'Python-2.0',
  'PSF-2.0',
  // Copyleft of single files, which stay as they are.
  'MPL-2.0',
  'Apache License 2.0',
];
/** Packages whose licence field says nothing or too much, and what their licence file says. */
const LOOKED_AT: Readonly<Record<string, string>> = {
  // A part of mermaid, which the tests render with: its licence file is MIT.
  khroma: 'MIT',
  // A part of mermaid; used under EPL-2.0, unchanged and never given on.
  elkjs: 'EPL-2.0 OR GPL-3.0-or-later',
};

function licences(each: Locked): readonly string[] {
  return (each.license ?? '').replace(/[()]/g, '').split(/ OR /);
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

it('every version is exact', () => {
  const all = { ...own.dependencies, ...own.devDependencies, ...own.optionalDependencies };
  const loose = Object.entries(all).filter(([, version]) => !/^(npm:[a-z-]+@)?\d+\.\d+\.\d+$/.test(version));
  expect(loose).toEqual([]);
});

it('every package is pinned by its content, and comes from a registry', () => {
  const bad = locked.filter(
    ([, each]) =>
      !each.link &&
      (each.integrity === undefined || !/^https:\/\/[^/]+\/.*\.tgz$/.test(each.resolved ?? 'https://x/a.tgz')),
  );
  expect(bad.map(([path]) => path)).toEqual([]);
});

it('every licence is on the list', () => {
  const bad = locked.filter(([path, each]) => {
    const looked = LOOKED_AT[nameOf(path)];
    if (each.dev && looked !== undefined && (each.license ?? looked) === looked) return false;
    const allowed = each.dev ? TOOLS : PERMISSIVE;
    return !licences(each).some((licence) => allowed.includes(licence));
  });
  expect(bad.map(([path, { license }]) => `${path}: ${license ?? 'none given'}`)).toEqual([]);
});

it('few packages run in production, each with its reason in the README', () => {
  const listed = read('README.md').match(/What runs in production[\s\S]*?\n\n(\|[\s\S]*?)\n\n/)?.[1] ?? '';
  const rows = listed.split('\n').slice(2);
  const named = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1]));
  expect(named.sort()).toEqual([...Object.keys(own.dependencies), ...Object.keys(own.optionalDependencies)].sort());
  for (const row of rows) expect((row.split('|')[2] ?? '').trim().length).toBeGreaterThan(10);
  expect(Object.keys(own.dependencies).length).toBeLessThanOrEqual(15);
});

it('nothing that runs in production wants to run a script when it is installed, and neither do we', () => {
  const scripted = locked.filter(([, each]) => each.hasInstallScript).map(([path, each]) => ({ path, each }));
  expect(scripted.filter(({ each }) => !each.dev).map(({ path }) => path)).toEqual([]);
  // Tools that ship what the script would fetch (esbuild, watcher), or need none of it here.
  expect(scripted.map(({ path }) => nameOf(path)).sort()).toEqual([
    '@alicloud/openapi-core',
    '@parcel/watcher',
    'classic-level',
    'es5-ext',
    'esbuild',
  ]);
  const hooks = ['preinstall', 'install', 'postinstall', 'prepare'].filter((name) => name in own.scripts);
  expect(hooks).toEqual([]);
});
