import { expect, it } from 'vitest';
import { makePlan } from '../../shared/converge/plan-all.ts';
import { ledgerBudget } from '../../shared/ledger/budget.ts';
import { pairs } from './local.ts';
import { Place } from './passes.ts';

it('a plan knows which of the calls of today are spent', async () => {
  const place = new Place();
  const budget = { callsPerDay: 10 };
  const { deps: plain } = place.services();
  const { list } = await plain.targets();
  const targets = async () => ({ list: list.map((target) => ({ ...target, budget })), problems: [] });
  const deps = { ...plain, targets };
  const eta = async () => (await makePlan({ deadlineMs: place.now + 60_000 }, deps)).etaSeconds;
  await place.put('manifests/a.json', pairs('a', 8));
  expect(await eta()).toBe(0);
  const { permit } = ledgerBudget({ ...deps, account: 'a', budget, sleep: async () => {} });
  for (let call = 0; call < 5; call += 1) await permit(place.now + 1_000);
  const halfADay = 43_200;
  expect(await eta()).toBe(halfADay);
  place.now += halfADay * 1_000;
  expect(await eta()).toBe(0);
});
