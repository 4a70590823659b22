import { upgradeLedger } from '../../shared/converge/upgrade-ledger.ts';
import { tidyDaily } from '../../shared/intake/tidy.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { scheduled } from '../../shared/triggers/schedule.ts';
import { pass } from './pass.ts';

export const entry = scheduled(async (services, deadlineMs) => {
  await upgradeLedger(services.deps, deadlineMs);
  await tidyDaily(services);
  await pass(services, deadlineMs);
});
export const handler = onLambda(entry);
