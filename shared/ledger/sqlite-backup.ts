import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Failure } from '../core/failure.ts';
import { sqliteFailure } from './sqlite-failure.ts';
import type { SqliteFile } from './sqlite-file.ts';

/** Of the file as a whole; a newer one is refused. */
const FORMAT = 1;

export interface BackupFacts {
  /** When it was made, epoch milliseconds. */
  readonly at: number;
  readonly deployment: string;
  readonly objects: number;
}

const SCHEMA = `
  CREATE TABLE backup_object (key TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE backup_facts (format INTEGER NOT NULL, at INTEGER NOT NULL, deployment TEXT NOT NULL, objects INTEGER NOT NULL) STRICT;
`;

/**
 * Copies the database as it is at this moment into a new file, which then takes the bucket's objects too; other users of the database
 * are not disturbed. Objects are read after the ledger: so a manifest may be newer than what the ledger knows of it, which the next
 * convergence makes good, but never older. The file appears whole or not at all.
 */
export async function writeBackup(
  source: SqliteFile,
  path: string,
  facts: Omit<BackupFacts, 'objects'>,
  objects: AsyncIterable<{ readonly key: string; readonly bytes: Uint8Array }>,
): Promise<BackupFacts> {
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  try {
    // SQLite writes into an empty file as into none, and what it says of one that cannot be made is told of the database it reads.
    closeSync(openSync(partial, 'wx'));
  } catch (thrown) {
    throw cannotBeMade(thrown, path);
  }
  try {
    source.read(() => source.database.prepare('VACUUM INTO ?').run(partial));
    const copy = new DatabaseSync(partial);
    let count = 0;
    try {
      copy.exec(SCHEMA);
      copy.exec('BEGIN');
      const put = copy.prepare('INSERT INTO backup_object (key, bytes) VALUES (?, ?)');
      for await (const { key, bytes } of objects) {
        put.run(key, bytes);
        count += 1;
      }
      copy
        .prepare('INSERT INTO backup_facts (format, at, deployment, objects) VALUES (?, ?, ?, ?)')
        .run(FORMAT, facts.at, facts.deployment, count);
      copy.exec('COMMIT');
    } finally {
      copy.close();
    }
    sync(partial);
    renameSync(partial, path);
    return { ...facts, objects: count };
  } catch (thrown) {
    rmSync(partial, { force: true });
    throw sqliteFailure(thrown, path);
  }
}

function cannotBeMade(thrown: unknown, path: string): Failure {
  const { code } = thrown as { readonly code?: unknown };
  if (code !== 'ENOENT' && code !== 'ENOTDIR') return sqliteFailure(thrown, path);
  const message = `${path} cannot be written, because there is no folder ${dirname(path)}; make it, or name another file.`;
  return new Failure('missing', message, { cause: thrown });
}

export interface Backup {
  readonly facts: BackupFacts;
  objects(): Iterable<{ readonly key: string; readonly bytes: Uint8Array }>;
  /** Writes the database, without the objects, to a new file. */
  writeDatabase(path: string): void;
  close(): void;
}

/** Opens a backup, checked. Throws `Failure` `invalid` for a file that is none, or is damaged or cut short. */
export function openBackup(path: string): Backup {
  if (!existsSync(path)) throw new Failure('missing', `there is no file ${path}`);
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path, { readOnly: true });
  } catch (thrown) {
    throw sqliteFailure(thrown, path);
  }
  try {
    const facts = check(database, path);
    return {
      facts,
      *objects() {
        for (const each of database.prepare('SELECT key, bytes FROM backup_object ORDER BY key').iterate()) {
          yield { key: String(each['key']), bytes: each['bytes'] as Uint8Array };
        }
      },
      writeDatabase(to) {
        try {
          database.prepare('VACUUM INTO ?').run(to);
          const copy = new DatabaseSync(to);
          copy.exec('DROP TABLE backup_object; DROP TABLE backup_facts; VACUUM');
          copy.close();
          sync(to);
        } catch (thrown) {
          throw sqliteFailure(thrown, to);
        }
      },
      close: () => database.close(),
    };
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

function check(database: DatabaseSync, path: string): BackupFacts {
  const no = (why: string) => new Failure('invalid', `${path} ${why}; nothing was restored.`);
  try {
    const state = database.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check'];
    if (state !== 'ok') throw no('is damaged');
    const facts = database.prepare('SELECT format, at, deployment, objects FROM backup_facts').get();
    const count = database.prepare('SELECT count(*) AS count FROM backup_object').get()?.['count'];
    if (facts === undefined || facts['objects'] !== count) throw no('is not whole');
    if (Number(facts['format']) > FORMAT) throw no('was made by a newer version; use that one');
    return { at: Number(facts['at']), deployment: String(facts['deployment']), objects: Number(count) };
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown;
    throw no('is no backup of npm run backup');
  }
}

function sync(path: string): void {
  const handle = openSync(path, 'r+');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
