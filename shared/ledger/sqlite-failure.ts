import { Failure, type FailureKind } from '../core/failure.ts';

/** SQLite's primary result codes (sqlite.org, "Result and Error Codes", read 2026-11) that we can say something about. */
const KNOWN: Readonly<Record<number, { readonly kind: FailureKind; readonly says: string }>> = {
  3: { kind: 'denied', says: 'may not be accessed; give this user the right to read and write it' },
  5: { kind: 'unavailable', says: 'is held by another process; stop that process or try again' },
  6: { kind: 'unavailable', says: 'is locked; try again' },
  8: { kind: 'denied', says: 'is read-only; give this user the right to write it and its folder' },
  11: { kind: 'unavailable', says: 'is damaged; stop, keep a copy, and restore it from a backup' },
  13: { kind: 'unavailable', says: 'cannot grow, the disk is full; free some space' },
  14: {
    kind: 'unavailable',
    says: 'cannot be opened; check that its folder exists and that this user may write there',
  },
  23: { kind: 'denied', says: 'may not be accessed; give this user the right to read and write it' },
  26: { kind: 'unavailable', says: 'is damaged or not a database; stop, keep a copy, and restore it from a backup' },
};

/**
 * What SQLite or the file system threw, as a Failure. `committing`: an I/O error in COMMIT leaves open whether the
 * transaction will be found after a power cut, hence `unknown-outcome`; everything else was rolled back.
 */
export function sqliteFailure(thrown: unknown, path: string, committing = false): Failure {
  if (thrown instanceof Failure) return thrown;
  const error = thrown as { readonly errcode?: unknown; readonly code?: unknown; readonly message?: unknown };
  const message = String(error.message ?? thrown);
  if (typeof error.errcode === 'number') {
    const code = `SQLITE_${error.errcode}`;
    const known = KNOWN[error.errcode & 0xff];
    if (known !== undefined) return new Failure(known.kind, `${path} ${known.says}.`, { code, cause: thrown });
    const kind = committing ? 'unknown-outcome' : 'unavailable';
    return new Failure(kind, `${path} could not be used: ${message}. Check the disk.`, { code, cause: thrown });
  }
  if (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS') {
    return new Failure('denied', `${path} may not be written; give this user the right to.`, { cause: thrown });
  }
  return new Failure('unavailable', `${path} could not be used: ${message}`, { cause: thrown });
}
