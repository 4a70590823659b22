import { type DocumentFormat, type ParsedManifest, parseManifest } from './core/manifest.ts';
import { blocks } from './vendors/blocks.ts';

/** Reads a manifest; a port, so that a host that serves others meanwhile can do it elsewhere. */
export type Parse = (bytes: Uint8Array, format: DocumentFormat) => Promise<ParsedManifest>;

/** Reads a manifest with the blocks of all vendors, here and now. */
export const parse: Parse = async (bytes, format) => parseManifest(bytes, format, blocks);
