import type { Problem } from './edge.ts';
import type { Manifest } from './manifest-schema.ts';

/** Who writes which keys, and below which prefixes. */
const WRITERS = [
  { who: 'the webhook', prefixes: ['openlineage/'], keys: ['evidence', 'omitted'] },
  { who: "calls in a vendor's own format", prefixes: ['dataphin/', 'dataarts/'], keys: ['wire'] },
] as const;

/** Keys that only a function may write, in a manifest of somebody else's: they would tell of events or calls that never were. */
export function foreignKeys(owner: string, manifest: Manifest): readonly Problem[] {
  return WRITERS.flatMap(({ who, prefixes, keys }) =>
    keys.flatMap((path) =>
      manifest[path] === undefined || prefixes.some((prefix) => owner.startsWith(prefix))
        ? []
        : [{ path, message: `is written by ${who}, below ${prefixes.join(' and ')}; leave it out here` }],
    ),
  );
}
