/** The least that is gzip: header, one block, checksum and size (RFC 1952). */
const SMALLEST = 18;

/** What gzip says that it inflates to, in bytes: its last four (RFC 1952, ISIZE), true of what was written in one go. At least 1. */
export function saidInflated(bytes: Uint8Array): number {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteLength < SMALLEST) return 1;
  return Math.max(1, new DataView(buffer, byteOffset, byteLength).getUint32(byteLength - 4, true));
}
