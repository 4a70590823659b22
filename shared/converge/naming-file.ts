import { NO_NAMING, parseNaming } from '../core/naming.ts';
import type { Manifests } from '../manifests/manifests.ts';
import { blocks } from '../vendors/blocks.ts';
import type { NamingFile } from './deps.ts';

export const NAMING_KEY = 'naming.yaml';
const NAMING_MAX_BYTES = 1_048_576;

/**
 * naming.yaml as it stands, parsed once per version. A file that cannot be understood comes with its problems: owners are then
 * reported and left as they are. A bucket that cannot be read throws, and nothing happens at all.
 */
export function namingFile(manifests: Manifests): () => Promise<NamingFile> {
  let cached: NamingFile | undefined;
  return async () => {
    const head = await manifests.head(NAMING_KEY);
    const etag = head?.etag ?? 'none';
    if (cached?.etag === etag) return cached;
    const object = head ? await manifests.get(NAMING_KEY, { maxBytes: NAMING_MAX_BYTES }) : undefined;
    const parsed = object ? parseNaming(object.bytes, blocks) : NO_NAMING;
    const version = object?.etag ?? 'none';
    cached = 'problems' in parsed ? { etag: version, problems: parsed.problems } : { etag: version, naming: parsed };
    return cached;
  };
}
