import { Failure } from '../core/failure.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Ledger, Row } from './ledger.ts';

/** A row whose JSON has more bytes than this is written in pieces: DynamoDB takes 400 KB, and bills each write by the KB. */
const MOST_IN_ROW = 64_000;
/** A field of such a row that is longer than this goes into rows of its own. */
const SMALL_FIELD = 4_000;
/** Longest piece in UTF-16 units: with three bytes each it still stays below 100 KB. */
const PIECE = 32_000;
const REMEMBERED = 200;
const TRIES = 20;

/** Where a field's text stands: rows `piece/<id>/0` … */
interface Spilled {
  readonly id: string;
  readonly pieces: number;
}
type SpilledFields = Readonly<Record<string, Spilled>>;

/** A large row as it was last read or written here, so that fields that stay the same need not be written again. */
interface Known {
  readonly fields: SpilledFields;
  readonly texts: Readonly<Record<string, string>>;
}

const pieceKey = (id: string, piece: number): string => `piece/${id}/${piece}`;

/**
 * The same ledger for rows of any size: of a large row, the long fields of its body stand in rows of their own, in pieces of a bounded
 * size. Pieces are written before the row that refers to them and never change; which ones count is decided by the row alone, so one
 * conditional write still decides everything. What a row does not refer to any more is removed after it was replaced for certain; a
 * process that dies, or a write of unknown outcome, leaves pieces that nobody refers to.
 */
export function spilling(ledger: Ledger): Ledger {
  const known = new Map<string, Known>();

  function remember(rev: string, each: Known): void {
    known.delete(rev);
    known.set(rev, each);
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
      for (let piece = 0; piece < pieces; piece += 1)
        text += String(rows.get(pieceKey(id, piece))?.body['text'] ?? '');
      texts[name] = text;
      body[name] = JSON.parse(text) as Json;
    }
    remember(row.rev, { fields, texts });
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

  /** The row as it is stored; its pieces are written. */
  async function split(row: Row, before: Known | undefined): Promise<{ readonly row: Row; readonly after?: Known }> {
    if (Buffer.byteLength(JSON.stringify(row.body)) <= MOST_IN_ROW) return { row };
    const body: Record<string, Json> = {};
    const fields: Record<string, Spilled> = {};
    const texts: Record<string, string> = {};
    for (const [name, value] of Object.entries(row.body)) {
      const text = JSON.stringify(value);
      if (text.length <= SMALL_FIELD) {
        body[name] = value;
        continue;
      }
      texts[name] = text;
      const same = before?.texts[name] === text ? before.fields[name] : undefined;
      fields[name] = same ?? (await write(`${row.rev}/${name}`, row.rev, text));
    }
    body['spilled'] = fields as unknown as JsonObject;
    return { row: { ...row, body }, after: { fields, texts } };
  }

  async function write(id: string, rev: string, text: string): Promise<Spilled> {
    const cut = piecesOf(text);
    for (const [piece, part] of cut.entries()) {
      const body = { kind: 'piece', version: 1, text: part };
      // Nobody else can have made this key: false says that our own write came through before.
      await ledger.write({ key: pieceKey(id, piece), rev, body }, null);
    }
    return { id, pieces: cut.length };
  }

  async function drop(before: Known | undefined, after: Known | undefined): Promise<void> {
    const kept = new Set(Object.values(after?.fields ?? {}).map(({ id }) => id));
    for (const { id, pieces } of Object.values(before?.fields ?? {})) {
      if (kept.has(id)) continue;
      const keys = Array.from({ length: pieces }, (_, piece) => pieceKey(id, piece));
      for (const row of (await ledger.getMany(keys)).values()) await ledger.remove(row.key, row.rev);
    }
  }

  return {
    get,
    async getMany(keys) {
      const rows = await ledger.getMany(keys);
      for (const [key, row] of rows) {
        const found = (await whole(row)) ?? (await get(key));
        if (found) rows.set(key, found);
        else rows.delete(key);
      }
      return rows;
    },
    async write(row, expected) {
      const before = expected === null ? undefined : known.get(expected);
      const { row: stored, after } = await split(row, before);
      const written = await ledger.write(stored, expected);
      if (after) remember(row.rev, after);
      // Only now is it certain that nothing refers to them; and what failed may still have come through.
      if (written) await drop(before, after);
      return written;
    },
    async remove(key, expected) {
      const removed = await ledger.remove(key, expected);
      if (removed) await drop(known.get(expected), undefined);
      return removed;
    },
    find: (index, options) => ledger.find(index, options),
  };
}

/** Never through the middle of a character of two units: a store would not give half of one back. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + PIECE);
    if (end < text.length && /[\uD800-\uDBFF]/.test(text.charAt(end - 1))) end -= 1;
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}
