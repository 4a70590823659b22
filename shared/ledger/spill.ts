import { digest } from '../core/digest.ts';
import { Failure } from '../core/failure.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { FoundRow, Ledger, Row } from './ledger.ts';
import {
  collectPieces,
  type Piece,
  pieceKey,
  pieceRow,
  refersTo,
  removePieces,
  type Spilled,
  type SpilledFields,
} from './spill-pieces.ts';

export interface SpillSizes {
  /** A row whose JSON has more bytes than this is written in pieces. */
  readonly row: number;
  /** A field of such a row that is longer than this goes into rows of its own. */
  readonly field: number;
  /** Longest piece in UTF-16 units. */
  readonly piece: number;
}

/** DynamoDB takes 400 KB and bills each write by the KB. A piece stays below 100 KB with three bytes a unit, or with each escaped. */
const SIZES: SpillSizes = { row: 64_000, field: 4_000, piece: 32_000 };
const REMEMBERED = 200;
const TRIES = 20;
/** From its first piece to its row no write takes longer; its pieces are collected long after that (`Collect.before`). */
const GIVE_UP_MS = 600_000;

/** A large row as it was last read or written here, so that fields that stay the same need not be written again. */
interface Known {
  readonly fields: SpilledFields;
  readonly texts: Readonly<Record<string, string>>;
}

const versionOf = (key: string, rev: string): string => `${key}\n${rev}`;

/**
 * The same ledger for rows of any size: of a large row, the long fields of its body stand in rows of their own, in pieces of a bounded
 * size. Pieces are written before the row that refers to them and never change; which ones count is decided by the row alone, so one
 * conditional write still decides everything. What a row does not refer to any more is removed after it was replaced for certain; a
 * process that dies, or a write of unknown outcome, leaves pieces that nobody refers to, until they are collected.
 */
export function spilling(
  ledger: Ledger,
  sizes: SpillSizes = SIZES,
  now: () => number = Date.now,
): Ledger & Required<Pick<Ledger, 'collect'>> {
  const known = new Map<string, Known>();
  /** Ids of pieces whose row is being written here: however long that takes, nobody here takes them away. */
  const busy = new Set<string>();

  function remember({ key, rev }: Pick<Row, 'key' | 'rev'>, each: Known): void {
    known.delete(versionOf(key, rev));
    known.set(versionOf(key, rev), each);
    for (const oldest of known.keys()) {
      if (known.size <= REMEMBERED) break;
      known.delete(oldest);
    }
  }

  /** The row with its long fields; undefined when it was replaced while they were read. */
  async function whole(row: Row): Promise<Row | undefined> {
    const { spilled, ...rest } = row.body;
    if (spilled === undefined) return row;
    const fields = spilled as unknown as SpilledFields;
    const keys = Object.values(fields).flatMap(({ id, pieces }) =>
      Array.from({ length: pieces }, (_, piece) => pieceKey(id, piece)),
    );
    const rows = await ledger.getMany(keys);
    if (rows.size < keys.length) return undefined;
    const texts: Record<string, string> = {};
    const body: Record<string, Json> = { ...rest };
    for (const [name, { id, pieces }] of Object.entries(fields)) {
      let text = '';
      for (let piece = 0; piece < pieces; piece += 1) text += String(rows.get(pieceKey(id, piece))?.body['text'] ?? '');
      texts[name] = text;
      body[name] = JSON.parse(text) as Json;
    }
    remember(row, { fields, texts });
    return { ...row, body };
  }

  async function get(key: string): Promise<Row | undefined> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const row = await ledger.get(key);
      if (row === undefined) return undefined;
      const found = await whole(row);
      if (found) return found;
    }
    throw new Failure('unavailable', `The ledger row ${key} changes faster than it can be read, or lacks a piece.`);
  }

  /** The row as it is stored, and the pieces that have to be there before. A copy: callers may change theirs meanwhile. */
  function split(row: Row, written: readonly Written[], before: Known | undefined) {
    const body: Record<string, Json> = {};
    const fields: Record<string, Spilled> = {};
    const texts: Record<string, string> = {};
    const fresh: Piece[] = [];
    for (const { name, text: own } of written) {
      if (own.length <= sizes.field) {
        body[name] = JSON.parse(own) as Json;
        continue;
      }
      texts[name] = own;
      const same = before?.texts[name] === own ? before.fields[name] : undefined;
      const id = `${digest(versionOf(row.key, row.rev))}/${name}`;
      const parts = same ? [] : piecesOf(own, sizes.piece);
      fields[name] = same ?? { id, pieces: parts.length };
      fresh.push(...parts.map((text, place): Piece => ({ id, place, text, of: row.key, pieces: parts.length })));
    }
    body['spilled'] = fields as unknown as JsonObject;
    const { index, ...rest } = row;
    return { stored: { ...rest, ...(index ? { index: [...index] } : {}), body }, after: { fields, texts }, fresh };
  }

  /** What cannot be removed now is collected later. */
  async function drop(before: Known | undefined, after: Known | undefined): Promise<void> {
    const kept = new Set(Object.values(after?.fields ?? {}).map(({ id }) => id));
    for (const each of Object.values(before?.fields ?? {})) if (!kept.has(each.id)) await removePieces(ledger, each);
  }

  /**
   * Each field's first piece before the others, because by it they are all found again. Nobody else can have made their keys: false says
   * that our own write came through before.
   */
  async function writePieces(pieces: readonly Piece[], rev: string, at: number): Promise<void> {
    const write = (piece: Piece) => ledger.write(pieceRow(piece, rev, at), null);
    await Promise.all(pieces.filter(({ place }) => place === 0).map(write));
    await Promise.all(pieces.filter(({ place }) => place > 0).map(write));
  }

  /** After a refused write: takes its pieces away, if the row can be seen to be another one, which nobody makes of them any more. */
  async function takeBack(key: string, expected: string | null, pieces: readonly Piece[]): Promise<void> {
    // Where there was no row there may be none again, and then an attempt of ours that is still under way would find its condition met.
    if (expected === null || pieces.length === 0) return;
    const row = await ledger.get(key);
    if (row?.rev === expected) return;
    for (const { id, pieces: count } of pieces.filter(({ place }) => place === 0)) {
      if (!refersTo(row, id)) await removePieces(ledger, { id, pieces: count });
    }
  }

  return {
    get,
    async getMany(keys) {
      const rows = await ledger.getMany(keys);
      for (const [key, row] of rows) {
        if (row.body['spilled'] === undefined) continue;
        const found = (await whole(row)) ?? (await get(key));
        if (found) rows.set(key, found);
        else rows.delete(key);
      }
      return rows;
    },
    async write(row, expected) {
      const before = expected === null ? undefined : known.get(versionOf(row.key, expected));
      const fields = written(row.body);
      // Of each member its name, quoted, a colon, and a comma or a brace.
      if (fields.reduce((sum, { name, bytes }) => sum + bytes + bytesOf(JSON.stringify(name)) + 2, 1) <= sizes.row) {
        const done = await ledger.write(row, expected);
        if (done) await drop(before, undefined).catch(() => {});
        return done;
      }
      const { stored, after, fresh } = split(row, fields, before);
      const { key, rev } = row;
      const at = now();
      for (const { id } of fresh) busy.add(id);
      try {
        await writePieces(fresh, rev, at);
        if (now() - at > GIVE_UP_MS) throw new Failure('unavailable', `The ledger row ${key} took too long to write.`);
        const done = await ledger.write(stored, expected);
        remember({ key, rev }, after);
        // Only now is it certain that nothing refers to them; and what failed may still have come through.
        await (done ? drop(before, after) : takeBack(key, expected, fresh)).catch(() => {});
        return done;
      } finally {
        for (const { id } of fresh) busy.delete(id);
      }
    },
    async remove(key, expected) {
      const removed = await ledger.remove(key, expected);
      if (removed) await drop(known.get(versionOf(key, expected)), undefined).catch(() => {});
      return removed;
    },
    find: (index, options) => ledger.find(index, options),
    collect: (options) => collectPieces(ledger, options, busy),
    ...(ledger.findRows && { findRows: wholeRows(ledger.findRows.bind(ledger), get) }),
  };
}

/** `findRows` of whole rows; one that was replaced by a row without index meanwhile is not found any more. */
function wholeRows(findRows: NonNullable<Ledger['findRows']>, get: Ledger['get']): NonNullable<Ledger['findRows']> {
  const whole = async (found: FoundRow): Promise<FoundRow[]> => {
    if (found.body?.['spilled'] === undefined) return [found];
    const row = await get(found.key);
    return row?.index === undefined ? [] : [{ key: row.key, body: row.body }];
  };
  return async (indexes, options) => {
    const pages = await findRows(indexes, options);
    return Promise.all(
      pages.map(async (page) => {
        if (page.items.every(({ body }) => body?.['spilled'] === undefined)) return page;
        return { ...page, items: (await Promise.all(page.items.map(whole))).flat() };
      }),
    );
  };
}

/** A member of a body as JSON. */
interface Written {
  readonly name: string;
  readonly text: string;
  /** Of the text in UTF-8. */
  readonly bytes: number;
}

/** Texts of what is frozen, and so was made to stay as it is: a unit of thousands of columns has them in each of its writes. */
const texts = new WeakMap<object, Omit<Written, 'name'>>();

function written(body: JsonObject): readonly Written[] {
  return Object.entries(body).flatMap(([name, value]) => {
    // JSON has no such member.
    if (value === undefined) return [];
    const lasting = typeof value === 'object' && value !== null && Object.isFrozen(value) ? value : undefined;
    const known = lasting && texts.get(lasting);
    if (known) return [{ name, ...known }];
    const text = JSON.stringify(value);
    const made = { text, bytes: bytesOf(text) };
    if (lasting) texts.set(lasting, made);
    return [{ name, ...made }];
  });
}

const bytesOf = (text: string): number => Buffer.byteLength(text);

/** Never through the middle of a character of two units: a store would not give half of one back. */
function piecesOf(text: string, longest: number): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + longest);
    if (end < text.length && /[\uD800-\uDBFF]/.test(text.charAt(end - 1))) end -= 1;
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}
