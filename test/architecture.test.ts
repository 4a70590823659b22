import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { entries } from '../local/entries.ts';
import { vendors } from '../shared/vendors/index.ts';

/** The rules of the house (README, "Architecture"), read off the imports. */
const root = resolve(import.meta.dirname, '..');

interface Import {
  readonly file: string;
  readonly from: string;
  readonly typesOnly: boolean;
  readonly statement: string;
}

const files = ['functions', 'shared', 'local', 'test'].flatMap((folder) => filesBelow(join(root, folder)));
const imports = files.flatMap(importsOf);

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') || name.endsWith('.js'))
    .map((name) => relative(root, join(folder, name)));
}

function textOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Static imports and re-exports; a relative specifier as a path from the root. */
function importsOf(file: string): Import[] {
  const found = textOf(file).matchAll(
    /^\s*(?:import|export)\s[^;]*?from\s+'([^']+)'|^\s*import\s+'([^']+)'|import\('([^']+)'\)/gm,
  );
  return [...found].map((match) => {
    const from = match[1] ?? match[2] ?? match[3] ?? '';
    const statement = match[0].trim();
    const typesOnly = /^(import|export) type\b/.test(statement);
    const path = from.startsWith('.') ? relative(root, resolve(root, dirname(file), from)) : from;
    return { file, from: path, typesOnly, statement };
  });
}

/** Imports that break a rule, as readable lines. */
function offenders(rule: (each: Import) => boolean): string[] {
  return imports.filter(rule).map((each) => `${each.file} imports ${each.from}`);
}

const isCode = (file: string): boolean => !file.startsWith('test/');
const inside = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);

describe('directions', () => {
  it('keeps shared/ below functions/ and local/, and functions/ below local/', () => {
    expect(
      offenders(
        (each) => inside(each.file, 'shared') && (inside(each.from, 'functions') || inside(each.from, 'local')),
      ),
    ).toEqual([]);
    expect(offenders((each) => inside(each.file, 'functions') && inside(each.from, 'local'))).toEqual([]);
    expect(offenders((each) => isCode(each.file) && inside(each.from, 'test'))).toEqual([]);
  });

  it('lets core know nothing but itself, zod, yaml and hashing', () => {
    const allowed = new Set(['zod', 'yaml', 'node:crypto']);
    expect(
      offenders(
        (each) => inside(each.file, 'shared/core') && !inside(each.from, 'shared/core') && !allowed.has(each.from),
      ),
    ).toEqual([]);
    expect(
      offenders((each) => each.from === 'yaml' && isCode(each.file) && each.file !== 'shared/core/document.ts'),
    ).toEqual([]);
  });

  it('lets signing know nothing but itself, core and hashing', () => {
    const allowed = (from: string) =>
      inside(from, 'shared/signing') || inside(from, 'shared/core') || from === 'node:crypto';
    expect(offenders((each) => inside(each.file, 'shared/signing') && !allowed(each.from))).toEqual([]);
  });

  it('lets vendors know core, signing, http and their common files, never each other or a store', () => {
    const wrong = (each: Import) => {
      const own = /^shared\/vendors\/(\w+)\//.exec(each.file)?.[1];
      if (own === undefined) return false;
      const other = /^shared\/vendors\/(\w+)\//.exec(each.from)?.[1];
      if (other !== undefined) return other !== own;
      const known = ['shared/vendors', 'shared/core', 'shared/signing', 'shared/http'].some((folder) =>
        inside(each.from, folder),
      );
      return !(known || each.from === 'zod' || each.from === 'node:crypto');
    };
    expect(offenders(wrong)).toEqual([]);
  });

  it('lets converge know stores and vendors by their types only', () => {
    const wrong = (each: Import) =>
      inside(each.file, 'shared/converge') &&
      !each.typesOnly &&
      /^shared\/(ledger|manifests|queue|secrets|vendors)\//.test(each.from) &&
      !['shared/ledger/id-set.ts', 'shared/ledger/keys.ts', 'shared/vendors/blocks.ts'].includes(each.from);
    expect(offenders(wrong)).toEqual([]);
  });

  it('lets functions know adapters only through the wiring', () => {
    const wrong = (each: Import) =>
      inside(each.file, 'functions') &&
      /^shared\/(ledger|manifests|queue|secrets|http|vendors)\//.test(each.from) &&
      !each.typesOnly &&
      each.from !== 'shared/vendors/blocks.ts' &&
      // What calls in a vendor's own format say is its folder's to read, and pure.
      !(inside(each.file, 'functions/vendor-wire') && /^shared\/vendors\/\w+\/inbound\.ts$/.test(each.from));
    expect(offenders(wrong)).toEqual([]);
  });

  it('keeps simulators free of the code they judge', () => {
    const wrong = (each: Import) =>
      inside(each.file, 'local/simulators') &&
      !each.typesOnly &&
      (inside(each.from, 'shared') || inside(each.from, 'functions'));
    expect(offenders(wrong)).toEqual([]);
  });
});

describe('homes', () => {
  const home = (name: string | RegExp, allowed: (file: string) => boolean) =>
    offenders(
      (each) =>
        isCode(each.file) &&
        (typeof name === 'string' ? each.from === name : name.test(each.from)) &&
        !allowed(each.file),
    );

  it('gives undici, middy, node:sqlite and the AWS SDK one place each', () => {
    expect(home('undici', (file) => inside(file, 'shared/http'))).toEqual([]);
    expect(home(/^@middy\//, (file) => inside(file, 'shared/triggers'))).toEqual([]);
    expect(
      home('node:sqlite', (file) => /^shared\/(ledger|queue)\/sqlite/.test(file) || file === 'local/lock.ts'),
    ).toEqual([]);
    expect(
      home(/^@aws-sdk\//, (file) =>
        /^shared\/(ledger\/dynamodb|manifests\/s3|queue\/sqs|secrets\/secrets-manager|aws-credentials)/.test(file),
      ),
    ).toEqual([]);
  });

  it('imports zod as a namespace only, which bundles a fifth as large', () => {
    const wrong = imports.filter(
      (each) => each.from === 'zod' && !/^import (type )?\* as z from 'zod'/.test(each.statement),
    );
    expect(wrong.map((each) => `${each.file}: ${each.statement}`)).toEqual([]);
  });

  it('reads the environment in settings.ts alone', () => {
    const wrong = files.filter(
      (file) => isCode(file) && file !== 'shared/settings.ts' && /process\.env/.test(textOf(file)),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps clock, environment, network, timers and log out of the pure folders', () => {
    const impure =
      /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.\w|\bsetTimeout\(|\bfetch\(|\bconsole\.|log\.ts'/;
    const wrong = files.filter((file) => /^shared\/(core|formats|signing)\//.test(file) && impure.test(textOf(file)));
    expect(wrong).toEqual([]);
  });

  it('has no drawer for odds and ends', () => {
    expect(files.filter((file) => /(^|\/)(utils?|helpers?|common|misc)(\.|\/|-)/.test(file))).toEqual([]);
  });
});

describe('lists', () => {
  it('knows every vendor folder, and no other', () => {
    const folders = readdirSync(join(root, 'shared/vendors'), { withFileTypes: true })
      .filter((each) => each.isDirectory() && each.name !== '_template')
      .map((each) => each.name);
    expect(vendors.map((vendor) => vendor.name).sort()).toEqual(folders.sort());
    for (const folder of [...folders, '_template']) {
      const names = readdirSync(join(root, 'shared/vendors', folder));
      expect(names).toEqual(expect.arrayContaining(['README.md', 'index.ts', 'mapping.ts', 'wire.ts']));
    }
  });

  it('has one function in serverless.yml and one sample event per entry file', () => {
    const entryFiles = filesBelow(join(root, 'functions')).filter((file) => /onLambda\(entry\)/.test(textOf(file)));
    const config = parse(textOf('serverless.yml'), { maxAliasCount: -1 }) as {
      functions: Record<string, { handler: string }>;
    };
    const handlers = Object.entries(config.functions).map(([name, each]) => [
      name,
      `${each.handler.replace(/\.handler$/, '')}.ts`,
    ]);
    expect(handlers.map(([, file]) => file).sort()).toEqual(entryFiles.sort());
    const names = handlers.map(([name]) => name).sort();
    expect(Object.keys(entries).sort()).toEqual(names);
    const samples = readdirSync(join(root, 'events')).filter((name) => name.endsWith('.event.json'));
    expect(samples.map((name) => name.replace('.event.json', '')).sort()).toEqual(names);
  });
});
