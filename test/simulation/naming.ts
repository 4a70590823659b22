import type { NamingFile } from '../../shared/converge/deps.ts';
import { digest } from '../../shared/core/digest.ts';
import { parseNaming } from '../../shared/core/naming.ts';
import { blocks } from '../../shared/vendors/blocks.ts';

/** The rule that names datasets at both vendors; `name` may be a pattern. */
const rule = (name: string): string =>
  `  - match: { namespace: sim, name: "${name}" }\n    dataphin: { guid: "{x}" }\n    dataarts: { table: "{x}" }\n`;

/** Versions of naming.yaml: complete, without some datasets, absent, and one that cannot be used. */
const TEXTS = {
  all: `version: 1\nrules:\n${rule('{x}')}`,
  // The same names by another text: everybody plans again, and nothing changes.
  again: `version: 1\nrules:\n${rule('{x}')}# once more\n`,
  some: `version: 1\nrules:\n${rule('{x}').replace('"{x}"', '"{x}0"').replaceAll('"{x}" }', '"{x}0" }')}`,
  nothing: 'version: 1\nrules: []\n',
  broken: 'version: 1\nrules: 7\n',
} as const;
export type NamingVersion = keyof typeof TEXTS;
export const NAMING_VERSIONS = Object.keys(TEXTS) as NamingVersion[];

const files = new Map<NamingVersion, NamingFile>();

export function namingOf(which: NamingVersion): NamingFile {
  let file = files.get(which);
  if (!file) {
    const text = TEXTS[which];
    const parsed = parseNaming(new TextEncoder().encode(text), blocks);
    const etag = digest(text);
    file = 'problems' in parsed ? { etag, problems: parsed.problems } : { etag, naming: parsed };
    if ('problems' in parsed !== (which === 'broken'))
      throw new Error(`naming.yaml ${which}: ${JSON.stringify(parsed)}`);
    files.set(which, file);
  }
  return file;
}
