import type { Collect, Collected, Ledger, Row } from './ledger.ts';

/** Where a field's text stands: rows `piece/<id>/0` … */
export interface Spilled {
  readonly id: string;
  readonly pieces: number;
}
export type SpilledFields = Readonly<Record<string, Spilled>>;

/** A part of a field's text. */
export interface Piece extends Spilled {
  readonly place: number;
  readonly text: string;
  /** Key of the row that it is written for. */
  readonly of: string;
}

/** What the first piece of a field says besides its text. */
interface Head {
  readonly of: string;
  readonly pieces: number;
  /** When it was written (epoch ms). */
  readonly at: number;
}

/** The index entry of each field's first piece. */
const INDEX = 'pieces';
const AT_ONCE = 25;

export const pieceKey = (id: string, place: number): string => `piece/${id}/${place}`;

export function pieceRow({ id, place, text, of, pieces }: Piece, rev: string, at: number): Row {
  const row = { key: pieceKey(id, place), rev };
  const body = { kind: 'piece', version: 1, text };
  return place > 0 ? { ...row, body } : { ...row, body: { ...body, of, pieces, at }, index: [INDEX] };
}

/** Whether a row, as it is stored, has a field that stands in these pieces. */
export function refersTo(row: Row | undefined, id: string): boolean {
  const fields = (row?.body['spilled'] ?? {}) as unknown as SpilledFields;
  return Object.values(fields).some((each) => each.id === id);
}

/** Removes a field's pieces, the first one last: as long as it is there, the others are found. Gives how many there were. */
export async function removePieces(ledger: Ledger, { id, pieces }: Spilled): Promise<number> {
  const keys = Array.from({ length: pieces }, (_, place) => pieceKey(id, place));
  const rows = await ledger.getMany(keys);
  const [first, ...others] = keys.map((key) => rows.get(key));
  const remove = async (row: Row | undefined) => row !== undefined && (await ledger.remove(row.key, row.rev));
  await Promise.all(others.map(remove));
  await remove(first);
  return rows.size;
}

/**
 * Removes pieces whose row does not refer to them: their writer died, or what it wrote was replaced by somebody who did not know of them.
 * A row that refers to them can only be written by their own writer, or by one that replaces a row which refers to them itself. So
 * whoever sees, when the writer cannot be at it any more, a row that does not, sees that none ever will. `busy`: ids of fields that
 * are being written here and now.
 */
export async function collectPieces(
  ledger: Ledger,
  { before, after, limit = AT_ONCE }: Collect,
  busy: ReadonlySet<string>,
): Promise<Collected> {
  const page = await ledger.find(INDEX, { limit, ...(after === undefined ? {} : { after }) });
  const heads = [...(await ledger.getMany(page.items)).values()].map(({ key, body }) => {
    const id = key.slice('piece/'.length, key.lastIndexOf('/'));
    return { id, ...(body as unknown as Head) };
  });
  const old = heads.filter((head) => head.at < before && !busy.has(head.id));
  // Only now: what was at work a moment ago may have written its row since.
  const rows = await ledger.getMany([...new Set(old.map((head) => head.of))]);
  let removed = 0;
  for (const head of old) if (!refersTo(rows.get(head.of), head.id)) removed += await removePieces(ledger, head);
  return { removed, ...(page.next === undefined ? {} : { next: page.next }) };
}
