import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { template } from '../../shared/vendors/_template/index.ts';
import { vendors } from '../../shared/vendors/index.ts';
import { dataset, entry, mappingInput } from './entries.ts';
import { loopback, type Scripted, surroundings } from './loopback.ts';

describe('the list of vendors', () => {
  it('has each vendor once, under its folder name, and not the template', () => {
    const names = vendors.map((vendor) => vendor.name);
    const folders = readdirSync(new URL('../../shared/vendors/', import.meta.url), { withFileTypes: true })
      .filter((each) => each.isDirectory())
      .map((each) => each.name);
    expect(new Set(names).size).toBe(names.length);
    expect(folders).toEqual(expect.arrayContaining(names));
    expect(names).toEqual(['dataphin', 'dataarts', 'flink']);
  });
  it.each(vendors)('$name says how to take back by hand what it cannot', ({ abilities }) => {
    expect(abilities.withdraw || (abilities.withdrawHint ?? '').length > 20).toBe(true);
  });
});

describe('the template', () => {
  let server: Awaited<ReturnType<typeof loopback>>;
  beforeAll(async () => {
    server = await loopback();
  });
  afterAll(() => server.close());
  const table = (name: string) => dataset('template', { table: name });

  it('maps one unit per pair', () => {
    const nameless = { alias: 'raw', vendors: {} };
    const { units, unresolved } = template.units(
      mappingInput([entry([table('a'), nameless], [table('x')], [['c', 0, 'd', 0]])]),
    );
    expect(units.map((unit) => [unit.spec, unit.columns.length])).toEqual([[{ source: 'a', target: 'x' }, 1]]);
    expect(unresolved[0]).toMatchObject({ from: 'raw' });
  });

  async function register(answer: Scripted) {
    server.answers(answer);
    const { io, options, close } = surroundings();
    const { units } = template.units(mappingInput([entry([table('a')], [table('x')], [['c', 0, 'd', 0]])]));
    const [unit] = units;
    try {
      if (unit) return await template.connect({ endpoint: server.url, token: 'tok-123' }, io).register?.(unit, options);
    } finally {
      await close();
    }
    return undefined;
  }
  it('registers', async () => {
    expect(await register({ body: { id: 'e1' } })).toEqual({ receipt: 'e1', ambiguous: false });
    expect(server.seen[0]).toMatchObject({ method: 'PUT', target: '/edges' });
    expect(JSON.parse(server.seen[0]?.body.toString() ?? '')).toEqual({
      source: 'a',
      target: 'x',
      columns: [['c', 'd']],
    });
  });
  it.each([
    [{ status: 401, body: { code: 'no', message: 'tok-123 is bad' } }, 'denied', 1],
    [{ status: 404 }, 'missing', 1],
    [{ status: 422 }, 'rejected', 1],
    [{ status: 429 }, 'throttled', 3],
    [{ status: 500 }, 'unavailable', 3],
    [{ body: 'oops' }, 'unknown-outcome', 3],
  ] as const)('maps %j to %s', async (answer, kind, calls) => {
    await expect(register(answer)).rejects.toMatchObject({ kind });
    await expect(register(answer)).rejects.not.toThrow(/tok-123/);
    expect(server.seen).toHaveLength(calls);
  });
});
