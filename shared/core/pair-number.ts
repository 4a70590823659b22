/**
 * One number for two whole numbers below 2^26, another one for any other two (Szudzik's pairing). As a key it is cheaper than a text,
 * and for numbers that are small themselves it stays a small integer, which engines hash several times as fast as others.
 */
export function pairNumber(left: number, right: number): number {
  return left < right ? right * right + left : left * left + left + right;
}
