import { type DocumentFormat, parseDocument } from './document.ts';
import type { Problem } from './edge.ts';
import { crossRemarks } from './manifest-checks.ts';
import { type Blocks, type Manifest, manifestSchema } from './manifest-schema.ts';
import { shapeRemarks } from './manifest-shape.ts';
import { MAX_PROBLEMS, problemsOf } from './problems.ts';

export { type DocumentFormat, MAX_BYTES } from './document.ts';
export {
  type Blocks,
  MAX_ENTRIES,
  MAX_PAIRS,
  MAX_SIDE,
  type Manifest,
  manifestSchema,
  type VendorBlocks,
} from './manifest-schema.ts';

export type ParsedManifest = { readonly manifest: Manifest } | { readonly problems: readonly Problem[] };

const UNLOOKED = { remarks: [], unsaid: 0, complete: false };

/**
 * Reads manifest version 1. Either the manifest, or every problem found in it, in document order, with
 * path and line. Never throws on any bytes.
 */
export function parseManifest(bytes: Uint8Array, format: DocumentFormat, blocks: Blocks): ParsedManifest {
  const document = parseDocument(bytes, format);
  if (document.value === undefined) return { problems: problemsOf(document, []) };
  const broken = shapeRemarks(manifestSchema(blocks), document.value, blocks);
  // Beyond the limit `shapeRemarks` leaves the rest unlooked at, and nothing can be said about it.
  const cross = broken.length > MAX_PROBLEMS ? UNLOOKED : crossRemarks(document.value, broken, blocks);
  const remarks = [...broken, ...cross.remarks];
  if (remarks.length > 0 || document.problems.length > 0) return { problems: problemsOf(document, remarks, cross) };
  // The schema changes nothing, so the value that was read is the manifest.
  return { manifest: document.value as unknown as Manifest };
}
