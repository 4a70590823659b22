import { describe, expect, it } from 'vitest';
import { searchEntry, startsOf, unitIndex } from '../../shared/core/unit-index.ts';

const unit = (from: object[], to: object[], vendor = 'dataphin') =>
  unitIndex({ vendor, account: 'a', from, to } as never);

describe('the index entries of a unit', () => {
  it('are one per table and side, and what joins its names', () => {
    const entries = unit([{ name: 'odps.1.p.raw', dataset: 'ns/p.raw' }], [{ name: 'odps.1.p.fine' }]);
    expect([...entries].sort()).toEqual([
      'account:a',
      'fed:dataphin:odps.1.p.fine',
      'feeds:ns/p.raw',
      'same:dataphin:odps.1.p.raw',
      'same:dataphin=ns/p.raw',
      'units',
      'word:fin',
      'word:raw',
    ]);
  });

  it('find a table under the name another vendor gives it', () => {
    const entries = unit([{ name: 'db.raw', same: 'dataphin:odps.1.p.raw' }], [{ name: 'db.fine' }], 'dataarts');
    expect(entries).toContain('feeds:dataphin:odps.1.p.raw');
    expect(entries).toContain('same:dataarts:db.raw');
    expect(entries).toContain('same:dataarts=dataphin:odps.1.p.raw');
  });

  it('stay in proportion to the tables, however long their names', () => {
    const long = Array.from({ length: 40 }, (_, at) => `w${at}x`).join('_');
    const tables = (prefix: string) =>
      Array.from({ length: 100 }, (_, at) => ({
        name: `p.${prefix}${at}_${long}`,
        dataset: `ns/p.${prefix}${at}_${long}`,
      }));
    const entries = unit(tables('a'), tables('b'));
    // An edge, two that join names, eight words; and two for the unit.
    expect(entries.length).toBeLessThanOrEqual(200 * 11 + 2);
    expect(
      unit(
        [{ name: 'p.orders_raw', dataset: 'ns/p.orders_raw' }],
        [{ name: 'p.orders_clean', dataset: 'ns/p.orders_clean' }],
      ),
    ).toHaveLength(11);
  });
});

describe('words', () => {
  it('begin at a change of case, at a mark, and at every other ideograph', () => {
    expect(startsOf('proj.ordersDaily_v2')).toEqual(['ord', 'dai', 'v2']);
    expect(startsOf('mc://cn/shop.订单汇总_raw')).toEqual(['订单', '单汇', '汇总', 'raw']);
    expect(startsOf('shop.客')).toEqual(['客']);
    expect(startsOf('shop.---')).toEqual([]);
  });

  it('are looked up by the last one that is long enough', () => {
    expect(searchEntry('shop.ORDERS r')).toBe('word:ord');
    expect(searchEntry('汇总')).toBe('word:汇总');
    expect(searchEntry('a b')).toBeUndefined();
  });
});
