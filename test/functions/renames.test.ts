import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import { alter, dropped, GRACE_MS, intakeWorld, renamed, run, table } from './intake-world.ts';

describe('a renamed table', () => {
  it('is followed when it is renamed again, and let go when it is dropped', async () => {
    const { take, pass, declared } = intakeWorld();
    await take([run('10:00', [table('src')], [table('c1')])]);
    await pass(1_000);
    expect(declared()).toEqual(['src > c1']);
    await take([alter('10:01', renamed('c1', 'c2'))]);
    await pass(1_000);
    expect(declared()).toEqual(['src > c2']);
    await take([alter('10:02', renamed('c2', 'c3'))]);
    await pass(1_000);
    expect(declared()).toEqual(['src > c3']);
    await take([alter('10:03', dropped('c3'))]);
    await pass(GRACE_MS - 1_000);
    expect(declared()).toEqual(['src > c3']);
    await pass(2_000);
    expect(declared()).toEqual([]);
  });

  it('is followed by a rename that comes while it is being published', async () => {
    const { deps, take, pass, declared } = intakeWorld();
    await take([run('10:00', [table('src')], [table('c1')])]);
    await take([alter('10:01', renamed('c1', 'c2'))]);
    const { write } = deps.ledger;
    let late: (() => Promise<void>) | undefined = () => take([alter('10:02', renamed('c2', 'c3'))]);
    // When the renames have been read, and the job is not found by its new name yet.
    Object.assign(deps.ledger, {
      write: async (row: Row, expected: string | null) => {
        const names = row.key.startsWith('ol/subject/') && (row.body['names'] as unknown);
        const now = names ? late : undefined;
        if (now) {
          late = undefined;
          await now();
        }
        return write.call(deps.ledger, row, expected);
      },
    });
    await pass(1_000);
    expect(late).toBeUndefined();
    expect(declared()).toEqual(['src > c3']);
  });

  it('keeps its lineage when a table of its old name is dropped later', async () => {
    const { take, pass, declared } = intakeWorld();
    await take([run('10:00', [table('src')], [table('tmp')])]);
    await take([alter('10:01', renamed('tmp', 'live'))]);
    await pass(1_000);
    await take([alter('11:00', dropped('tmp'))]);
    await pass(2 * GRACE_MS);
    expect(declared()).toEqual(['src > live']);
    await take([run('11:30', [table('src')], [table('tmp')], { run: { runId: 'r2' } })]);
    await pass(1_000);
    expect(declared()).toEqual(['src > live', 'src > tmp']);
  });

  it('is followed from a row that holds the last change alone, too', async () => {
    const { deps, take, pass, declared } = intakeWorld();
    await take([alter('10:01', renamed('tmp', 'live'))]);
    const [life] = (deps.ledger as unknown as { rows(): Row[] }).rows().filter(({ key }) => key.startsWith('ol/life/'));
    if (!life) throw new Error('nothing was remembered');
    const { id, changes } = JSON.parse(String(life.body['value'])) as { id: string; changes: JsonObject[] };
    expect(changes).toHaveLength(1);
    // Older programs would take it for a drop, and refuse it instead.
    expect(life.body).toMatchObject({ kind: 'ol-life', version: 2 });
    const value = JSON.stringify({ id, ...changes[0] });
    await deps.ledger.write({ key: life.key, rev: 'old', body: { value } }, life.rev);
    await take([run('10:00', [table('src')], [table('tmp')])]);
    await pass(1_000);
    expect(declared()).toEqual(['src > live']);
    await take([alter('11:00', dropped('tmp'))]);
    await pass(2 * GRACE_MS);
    expect(declared()).toEqual(['src > live']);
  });
});
