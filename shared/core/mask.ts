/**
 * A set of a unit's parts as bits: bit 0 is the table edge, bit n its nth column edge. One number says what is claimed,
 * shown or uncertain, so that set algebra is `&`, `|` and `~`, and a ledger row stays small.
 */
export type Mask = bigint;

export const NONE: Mask = 0n;
/** The table edge itself. */
export const EDGE: Mask = 1n;

export function without(mask: Mask, removed: Mask): Mask {
  return mask & ~removed;
}

export function has(mask: Mask, part: Mask): boolean {
  return (mask & part) === part;
}

/** Positions of the bits that are set, ascending; of many, only the first `limit`. */
export function positions(mask: Mask, limit = Number.POSITIVE_INFINITY): number[] {
  const found: number[] = [];
  const digits = mask.toString(16);
  for (let at = digits.length - 1, position = 0; at >= 0 && found.length < limit; at -= 1, position += 4) {
    const code = digits.charCodeAt(at);
    if (code === ZERO) continue;
    const bits = code < LETTERS ? code - ZERO : code - LETTERS + 10;
    for (let bit = 0; bit < 4; bit++) if ((bits >> bit) & 1) found.push(position + bit);
  }
  return found.length > limit ? found.slice(0, limit) : found;
}

const ZERO = 48;
const LETTERS = 97;
/** Up to here `|` of plain numbers does. */
const SMALL = 30;

/** In time that grows with the highest bit: to add bits to a large mask one by one would copy it for each of them. */
export function maskOf(bits: Iterable<number>): Mask {
  let small = 0;
  const digits: number[] = [];
  for (const bit of bits) {
    if (bit < SMALL) small |= 1 << bit;
    else {
      const at = bit >> 2;
      while (digits.length <= at) digits.push(0);
      digits[at] = (digits[at] ?? 0) | (1 << (bit & 3));
    }
  }
  if (digits.length === 0) return BigInt(small);
  return (
    BigInt(small) |
    BigInt(
      `0x${digits
        .map((digit) => digit.toString(16))
        .reverse()
        .join('')}`,
    )
  );
}

/** The table edge and the first `columns` column edges. */
export function all(columns: number): Mask {
  return (2n << BigInt(columns)) - 1n;
}

/** The first `limit` parts of a mask, lowest position first. */
export function take(mask: Mask, limit: number): Mask {
  return maskOf(positions(mask, limit));
}

/** The last `limit` parts of a mask, highest position first. */
export function latest(mask: Mask, limit: number): Mask {
  return maskOf(positions(mask).slice(-limit));
}

export function encodeMask(mask: Mask): string {
  return mask.toString(16);
}

export function decodeMask(text: string): Mask {
  if (text === '0') return NONE;
  return BigInt(`0x${text}`);
}
