import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ledgerBudget } from '../../shared/ledger/budget.ts';
import { sqliteLedger } from '../../shared/ledger/sqlite.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';

/** Makes as many calls as an account's budget allows for a while and prints when each was made. */
const [path = '', perSecond = '1', runMs = '1000'] = process.argv.slice(2);
const file = openSqliteFile(path);
const { permit } = ledgerBudget({
  ledger: sqliteLedger(file),
  account: 'shared',
  budget: { callsPerSecond: Number(perSecond) },
  now: Date.now,
  sleep: (ms) => delay(ms),
  id: randomUUID,
});
const end = Date.now() + Number(runMs);
await Promise.all(
  Array.from({ length: 4 }, async () => {
    while (Date.now() < end) {
      try {
        await permit(end);
      } catch {
        return;
      }
      console.log(Date.now());
    }
  }),
);
file.close();
