import { Failure } from '../core/failure.ts';

/** Orders strings by their UTF-8 bytes, as DynamoDB, S3 and SQLite do; JavaScript's own order differs above U+D7FF. */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above U+FFFF, so they rank above U+E000..U+FFFF. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** Throws `Failure` `invalid` for a key that a store could not give back unchanged: empty, or with half a character. */
export function checkLedgerKey(key: string): void {
  if (key === '') throw new Failure('invalid', 'A ledger key is empty; give the row a key.');
  if (!key.isWellFormed()) {
    throw new Failure('invalid', `The ledger key ${JSON.stringify(key)} holds half a character; encode it first.`);
  }
}

/** How many items a page holds: `limit`, at least 1, or 1,000. */
export function pageSize(limit: number | undefined): number {
  return Math.max(1, Math.floor(limit ?? 1_000));
}
