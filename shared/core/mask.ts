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

/** Positions of the bits that are set, ascending. */
export function positions(mask: Mask): number[] {
  const found: number[] = [];
  const digits = mask.toString(16);
  for (let at = digits.length - 1, position = 0; at >= 0; at -= 1, position += 4) {
    const bits = Number.parseInt(digits.charAt(at), 16);
    for (let bit = 0; bit < 4; bit++) if ((bits >> bit) & 1) found.push(position + bit);
  }
  return found;
}

export function maskOf(bits: Iterable<number>): Mask {
  let mask = NONE;
  for (const bit of bits) mask |= 1n << BigInt(bit);
  return mask;
}

/** The first `limit` parts of a mask, lowest position first. */
export function take(mask: Mask, limit: number): Mask {
  return maskOf(positions(mask).slice(0, limit));
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
