import { join } from 'node:path';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { spilling } from '../../shared/ledger/spill.ts';
import { sqliteLedger } from '../../shared/ledger/sqlite.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';
import { graphSuite } from './graph-suite.ts';
import { ledgerSuite } from './ledger-suite.ts';
import { temporaryFolder } from './opened.ts';
import { piecesSuite } from './pieces-suite.ts';

ledgerSuite('the memory ledger', () => ({ subject: memoryLedger(), close: () => {} }));

// With sizes that every row of the suite is above.
const TINY = { row: 10, field: 4, piece: 7 };
ledgerSuite('rows in pieces', () => ({ subject: spilling(memoryLedger(), TINY), close: () => {} }));

async function sqlite() {
  const folder = await temporaryFolder();
  const file = openSqliteFile(join(folder.path, 'ledger.db'));
  return {
    subject: sqliteLedger(file),
    close: () => {
      file.close();
      return folder.remove();
    },
  };
}

ledgerSuite('the sqlite ledger', sqlite);
ledgerSuite('rows in pieces in the sqlite ledger', async () => {
  const { subject, close } = await sqlite();
  return { subject: spilling(subject, TINY), close };
});
graphSuite('the sqlite ledger', async () => {
  const { subject, close } = await sqlite();
  return { subject: { ledger: subject }, close };
});
piecesSuite('the memory ledger', () => ({ subject: memoryLedger(), close: () => {} }));
piecesSuite('the sqlite ledger', sqlite);
