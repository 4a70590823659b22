import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeSegment,
  flinkOwner,
  formatOf,
  httpOwner,
  isOwnerKey,
  OWNER_PREFIXES,
  openlineageOwner,
  statusKey,
  wireOwner,
} from '../../shared/core/owner-key.ts';

describe('owners', () => {
  test('by job, by content, by identity', () => {
    const job = { namespace: 'airflow://prod', name: 'orders.load' };
    expect(httpOwner(job)).toBe('http/airflow%3A%2F%2Fprod/orders.load.json');
    expect(httpOwner('0a1b2c')).toBe('http/0a1b2c.json');
    expect(openlineageOwner(job)).toBe('openlineage/airflow%3A%2F%2Fprod/orders.load.json');
    expect(flinkOwner('ns', 'dep loy')).toBe('flink/ns/dep%20loy.json');
    const key = wireOwner('dataphin', { source: 'a', target: 'b' });
    expect(key).toMatch(/^dataphin\/[0-9a-f]{64}\.json$/);
    expect(wireOwner('dataphin', { target: 'b', source: 'a' })).toBe(key);
    expect(wireOwner('dataphin', { target: 'a', source: 'b' })).not.toBe(key);
  });

  test('status documents keep the ending', () => {
    expect(statusKey('manifests/a.yaml')).toBe('status/manifests/a.yaml.json');
  });

  test.each([
    ['manifests/a.yaml', 'yaml'],
    ['manifests/a.yml', 'yaml'],
    ['manifests/a.json', 'json'],
    ['naming.yaml', 'yaml'],
  ])('%s is %s', (key, format) => {
    expect(formatOf(key)).toBe(format);
  });
});

describe('segments', () => {
  test.each([
    ['orders.load', 'orders.load'],
    ['a/b', 'a%2Fb'],
    ['a\\b', 'a%5Cb'],
    ['..', '%2E.'],
    ['.hidden', '%2Ehidden'],
    ['ü 表', '%C3%BC%20%E8%A1%A8'],
    ["~!'()*", '%7E%21%27%28%29%2A'],
    ['\u0000', '%00'],
    ['%2F', '%252F'],
    ['x'.repeat(200), 'x'.repeat(200)],
  ])('%j is %s', (text, segment) => {
    expect(encodeSegment(text)).toBe(segment);
  });

  test('long ones are cut between characters', () => {
    expect(encodeSegment('x'.repeat(201))).toMatch(/^x{150}~[0-9a-f]{64}$/);
    expect(encodeSegment(`x${'表'.repeat(50)}`)).toMatch(/^x(%E8%A1%A8){16}~[0-9a-f]{64}$/);
    expect(encodeSegment('')).toMatch(/^~[0-9a-f]{64}$/);
    expect(encodeSegment('\ud800')).not.toBe(encodeSegment('\ud801'));
  });

  test('different texts have different segments, each usable in a key', () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ minLength: 190, maxLength: 260 }));
    void fc.assert(
      fc.property(text, text, (one, other) => {
        const segment = encodeSegment(one);
        expect(segment).toMatch(/^[A-Za-z0-9._~%-]{1,215}$/);
        expect(segment.replace(/~.*/, '')).not.toMatch(/%(?![0-9A-F]{2})/);
        if (!segment.includes('~')) expect(decodeURIComponent(segment)).toBe(one);
        expect(isOwnerKey(`http/${segment}/${segment}.json`)).toBe(true);
        expect(encodeSegment(other) === segment).toBe(one === other);
      }),
      { numRuns: 500 },
    );
  });
});

describe('keys', () => {
  test.each([
    'manifests/a.yaml',
    'manifests/a.yml',
    'manifests/team/b/c d.json',
    'manifests/ü.yaml',
    'http/x.json',
    'openlineage/n/j.json',
    'flink/n/d.json',
    'dataphin/0a.json',
    'dataarts/0a.json',
  ])('%s is an owner', (key) => {
    expect(isOwnerKey(key)).toBe(true);
  });

  test.each([
    '',
    'a.yaml',
    'naming.yaml',
    'manifests',
    'manifests/',
    'manifests.yaml',
    'manifests/readme.md',
    'manifests/a.YAML',
    'manifests/a.yaml.tmp',
    'manifests//a.yaml',
    '/manifests/a.yaml',
    'manifests/./a.yaml',
    'manifests/../status/a.json',
    'manifests/..',
    'manifests/a\u0000.yaml',
    'manifests/a\n.yaml',
    'manifests\\a.yaml',
    'manifests/..\\a.yaml',
    'manifests/\ud800.yaml',
    'http/a.yaml',
    'status/manifests/a.yaml.json',
    'constructor/a.json',
    `manifests/${'x'.repeat(240)}.yaml`,
    `manifests/${'x/'.repeat(500)}a.yaml`,
  ])('%j is none', (key) => {
    expect(isOwnerKey(key)).toBe(false);
  });

  test('the prefixes are those of the contract', () => {
    expect(OWNER_PREFIXES).toEqual(['manifests/', 'http/', 'openlineage/', 'flink/', 'dataphin/', 'dataarts/']);
  });
});
