// Run by sqlite-ledger.test.ts: `increment <file> <times>` or `append <file>`.
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { sqliteLedger } from '../../shared/ledger/sqlite.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';

const [task, path = '', times] = process.argv.slice(2);
const file = openSqliteFile(path, { busyTimeoutMs: 20_000 });
const ledger = sqliteLedger(file);

async function increment(): Promise<boolean> {
  const row = await ledger.get('counter');
  const count = Number(row?.body['count'] ?? 0) + 1;
  return ledger.write({ key: 'counter', rev: randomUUID(), body: { count } }, row?.rev ?? null);
}

/** Prints a key only once its write has been acknowledged, straight to the descriptor: nothing stays in a buffer. */
async function append(writer: number): Promise<never> {
  for (let at = 0; ; at++) {
    const key = `${writer}-${at}`;
    await ledger.write({ key, rev: 'r', body: { text: 'x'.repeat(200) }, index: ['all:'] }, null);
    writeSync(1, `${key}\n`);
  }
}

if (task === 'increment') {
  let lost = 0;
  for (let left = Number(times); left > 0; ) {
    if (await increment()) left--;
    else lost++;
  }
  file.close();
  console.log(`lost the race ${lost} times`);
} else {
  await Promise.all([0, 1, 2, 3].map(append));
}
