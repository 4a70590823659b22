import type { UnitState, UnitTable } from './unit-state.ts';

/** Which way a walk goes from a dataset: to what it is made of, or to what is made of it. */
export type Direction = 'upstream' | 'downstream';

/** Beginnings of words kept per table; names have two or three words, and each one is an index entry to be written. */
const WORDS = 8;
const WORD_LENGTH = 3;

/** The name under which a table's edges are indexed: its identity, else its name at the vendor. */
function indexedName(table: UnitTable, vendor: string): string {
  return table.dataset ?? table.same ?? ownName(table, vendor);
}

/** Without a vendor it has no other name than its identity. */
const ownName = (table: UnitTable, vendor: string): string => (vendor === '' ? table.name : `${vendor}:${table.name}`);

/**
 * Entry of the units that a dataset feeds (downstream), or that feed it (upstream). One per table and side, so that a hub with many
 * readers costs nothing to whoever asks for its sources.
 */
export function edgeEntry(name: string, direction: Direction): string {
  return direction === 'downstream' ? `feeds:${name}` : `fed:${name}`;
}

/** Entry of units that tell under which name the edges of a vendor's table are indexed, when it is not its own. */
export const identityEntry = (own: string): string => `same:${own}`;

/** Entry of units that tell how a vendor calls the table of an indexed name. */
export const ownNameEntry = (vendor: string, name: string): string => `same:${vendor}=${name}`;

/** Entry of units of a table with a word that begins like this. */
export const wordEntry = (start: string): string => `word:${start}`;

/**
 * Index entries of a unit: `units`, its account, and per table one for its edges, two that join its names if it has more than one, and
 * at most eight for search. So writes stay in proportion to the tables of the unit.
 */
export function unitIndex(unit: Pick<UnitState, 'vendor' | 'account' | 'from' | 'to'>): readonly string[] {
  const entries = new Set(['units', `account:${unit.account}`]);
  for (const [tables, direction] of [
    [unit.from, 'downstream'],
    [unit.to, 'upstream'],
  ] as const) {
    for (const table of tables) {
      const name = indexedName(table, unit.vendor);
      entries.add(edgeEntry(name, direction));
      const own = ownName(table, unit.vendor);
      if (name !== own) entries.add(identityEntry(own)).add(ownNameEntry(unit.vendor, name));
      for (const word of [...new Set([...startsOf(name), ...startsOf(table.name)])].slice(0, WORDS)) {
        entries.add(wordEntry(word));
      }
    }
  }
  return [...entries];
}

/** Beginnings of the words of a table's name proper (after the last dot, slash or colon); of Chinese, Japanese and Korean each pair of characters. */
export function startsOf(name: string): readonly string[] {
  return wordsOf(name.slice(name.search(/[^./:]*$/))).flatMap((word) => {
    const characters = [...word];
    if (!IDEOGRAPHS.test(word)) return [characters.slice(0, WORD_LENGTH).join('')];
    if (characters.length < 2) return [word];
    return characters.slice(1).map((character, at) => `${characters[at] ?? ''}${character}`);
  });
}

/** The entry to look into for a part of a name: of its last word that is long enough; undefined when none is. */
export function searchEntry(question: string): string | undefined {
  for (const word of wordsOf(question).toReversed()) {
    const characters = [...word];
    const length = IDEOGRAPHS.test(word) ? 2 : WORD_LENGTH;
    if (characters.length >= length) return wordEntry(characters.slice(0, length).join(''));
  }
  return undefined;
}

const IDEOGRAPHS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** In lower case; a change from lower to upper case begins a word, and so does a change between scripts. */
function wordsOf(text: string): readonly string[] {
  const parts = text
    .replace(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})/gu, ' ')
    .toLowerCase()
    .match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]+|[\p{L}\p{N}\p{M}]+/gu);
  return (parts ?? []).flatMap((part) =>
    IDEOGRAPHS.test(part)
      ? (part.match(
          /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]+|[^\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]+/gu,
        ) ?? [])
      : [part],
  );
}
