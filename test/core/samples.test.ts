import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { schemaFiles } from '../../local/schema.ts';
import { parseDocument } from '../../shared/core/document.ts';
import { manifestSchema, parseManifest } from '../../shared/core/manifest.ts';
import { parseNaming } from '../../shared/core/naming.ts';
import { formatOf } from '../../shared/core/owner-key.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import { blocks } from '../../shared/vendors/blocks.ts';
import { vendors } from '../../shared/vendors/index.ts';
import { bytesOf } from './sample-blocks.ts';

const EVENTS = new URL('../../events/', import.meta.url);
const read = (name: string): Uint8Array => readFileSync(new URL(name, EVENTS));
const samples = readdirSync(new URL('manifests/', EVENTS));
const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true });
const compiled = (name: string) => ajv.compile(JSON.parse(new TextDecoder().decode(read(name))));
const checks = { manifest: compiled('manifest.schema.json'), naming: compiled('naming.schema.json') };

function manifestOf(bytes: Uint8Array, key: string) {
  const parsed = parseManifest(bytes, formatOf(key), blocks);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.manifest;
}

function sampleNaming() {
  const parsed = parseNaming(read('naming.yaml'), blocks);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed;
}

test('every vendor of the list has its blocks, and flink names datasets only', () => {
  expect(Object.keys(blocks).sort()).toEqual([...new Set([...vendors.map(({ name }) => name), 'flink'])].sort());
  for (const { name, blocks: own } of vendors) expect(blocks[name]).toBe(own);
  expect(Object.keys(blocks['flink']?.dataset.shape ?? {})).toEqual(['catalog', 'database', 'table']);
});

describe('the schemas for editors', () => {
  test.each(Object.entries(schemaFiles(blocks)))('events/%s is what `npm run schema` writes', (name, text) => {
    expect(new TextDecoder().decode(read(name))).toBe(text);
  });

  test('every key has a description', () => {
    const [entry] = [manifestSchema(blocks).shape['lineage']];
    expect(entry?.description).toBe('What feeds what');
    const text = new TextDecoder().decode(read('manifest.schema.json'));
    expect(JSON.parse(text).properties.lineage).toMatchObject({ maxItems: 10_000, description: 'What feeds what' });
    expect(JSON.parse(text).properties.lineage.items.properties.from.anyOf[2]).toMatchObject({
      minItems: 1,
      maxItems: 100,
    });
  });
});

describe.each(samples)('events/manifests/%s', (name) => {
  const bytes = read(`manifests/${name}`);

  test('is accepted by both schemas', () => {
    const { value, problems } = parseDocument(bytes, formatOf(name));
    expect(problems).toEqual([]);
    checks.manifest(value);
    expect(checks.manifest.errors ?? []).toEqual([]);
    expect(() => manifestOf(bytes, name)).not.toThrow();
  });

  test('declares edges that every target it names has names for, and nothing to warn of', () => {
    const { entries, targets, warnings } = resolveManifest(manifestOf(bytes, name), sampleNaming());
    expect(entries.length).toBeGreaterThan(0);
    expect(warnings).toEqual([]);
    for (const target of targets ?? ['dataphin']) {
      const [vendor = ''] = target.split('/');
      for (const { from, to } of entries) {
        for (const dataset of [...from, ...to]) expect(dataset.vendors[vendor]).toBeDefined();
      }
    }
  });
});

test('the naming sample is accepted by both schemas', () => {
  checks.naming(parseDocument(read('naming.yaml'), 'yaml').value);
  expect(checks.naming.errors ?? []).toEqual([]);
  expect(sampleNaming().rules).toHaveLength(3);
});

const table = { dataarts: { table: 'a' } };
const base = { version: 1, datasets: { a: table }, lineage: [{ from: 'a', to: 'a' }] };

describe('both schemas refuse', () => {
  test.each([
    ['another version', { ...base, version: 2 }],
    ['no lineage', { version: 1 }],
    ['an unknown key', { ...base, extra: 1 }],
    ['an unknown vendor key', { ...base, datasets: { a: { dataarts: { tabel: 'a' } } } }],
    ['an unknown entry option', { ...base, lineage: [{ from: 'a', to: 'a', dataphin: { guid: 'x' } }] }],
    ['flink options', { ...base, lineage: [{ from: 'a', to: 'a', flink: {} }] }],
    ['a dotted alias', { ...base, datasets: { ...base.datasets, 'b.c': table } }],
    ['no inputs', { ...base, lineage: [{ from: [], to: 'a' }] }],
    ['101 inputs', { ...base, lineage: [{ from: Array(101).fill('a'), to: 'a' }] }],
    ['half a dataset', { ...base, lineage: [{ from: { namespace: 'n' }, to: 'a' }] }],
    ['a number as column', { ...base, lineage: [{ from: 'a', to: 'a', columns: { x: 1 } }] }],
    ['an unknown target', { ...base, targets: ['flink'] }],
    ['no target', { ...base, targets: [] }],
    ['a control character', { ...base, job: { namespace: 'n', name: 'a\u0007' } }],
  ])('%s', (_, manifest) => {
    expect(checks.manifest(base)).toBe(true);
    expect(checks.manifest(manifest)).toBe(false);
    expect(() => manifestOf(bytesOf(JSON.stringify(manifest)), 'x.json')).toThrow();
  });
});
