import { parseDocument } from './core/document.ts';
import type { Problem } from './core/edge.ts';
import { type DocumentFormat, type ParsedManifest, parseManifest } from './core/manifest.ts';
import { parsePath } from './core/position.ts';
import { blocks } from './vendors/blocks.ts';

/** Reads a manifest; a port, so that a host that serves others meanwhile can do it elsewhere. */
export type Parse = (bytes: Uint8Array, format: DocumentFormat) => Promise<ParsedManifest>;

/** The 1-based lines of paths such as `lineage[0].to`, in their order; undefined in a document that cannot be read. Likewise a port. */
export type Lines = (
  bytes: Uint8Array,
  format: DocumentFormat,
  paths: readonly string[],
) => Promise<readonly (number | undefined)[]>;

/** Reads a manifest with the blocks of all vendors, here and now. */
export const parse: Parse = async (bytes, format) => parseManifest(bytes, format, blocks);

/** Finds lines here and now, by reading the document once more. */
export const lines: Lines = async (bytes, format, paths) => {
  const { position } = parseDocument(bytes, format);
  return paths.map((path) => position(parsePath(path)));
};

/**
 * Problems and warnings that were found after reading, with their lines. The document is read once more for them, and not at all when there
 * are none.
 */
export async function withLines(
  problems: readonly Problem[],
  bytes: Uint8Array,
  format: DocumentFormat,
  find: Lines = lines,
): Promise<readonly Problem[]> {
  if (problems.every(({ line }) => line !== undefined)) return problems;
  const found = await find(
    bytes,
    format,
    problems.map(({ path }) => path),
  );
  return problems.map((problem, at) => {
    const line = problem.line ?? found[at];
    return line === undefined ? problem : { ...problem, line };
  });
}
