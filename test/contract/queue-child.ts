// Run by queue.test.ts: sends messages and prints each owner once its send has been acknowledged.
import { writeSync } from 'node:fs';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';
import { sqliteQueue } from '../../shared/queue/sqlite.ts';

const [path = ''] = process.argv.slice(2);
const queue = sqliteQueue(openSqliteFile(path), { now: Date.now });

for (let at = 0; ; at++) {
  await queue.send({ kind: 'converge', owner: `${at}` });
  writeSync(1, `${at}\n`);
}
