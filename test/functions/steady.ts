import type { ConvergeSettings } from '../../shared/converge/deps.ts';
import { DEFAULT_LIMITS } from '../../shared/core/policy.ts';
import { vendors } from '../../shared/vendors/index.ts';
import type { Vendor } from '../../shared/vendors/vendor.ts';

/** Settings under which nothing waits. */
export const SETTINGS: ConvergeSettings = {
  deployment: 'test',
  policy: DEFAULT_LIMITS,
  graceMs: 0,
  lateBoundMs: 0,
  clockSkewMs: 0,
  ledgerTimeoutMs: 100,
  callBudgetMs: 1_000,
  concurrency: 8,
};

export function vendorOf(name: string): Vendor {
  const found = vendors.find((each) => each.name === name);
  if (!found) throw new Error(`no vendor ${name}`);
  return found;
}
