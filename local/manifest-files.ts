import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import type { Problem } from '../shared/core/edge.ts';
import { formatOf, isOwnerKey } from '../shared/core/owner-key.ts';
import { decodeUtf8 } from '../shared/core/utf8.ts';
import { foreignKeys } from '../shared/core/written-keys.ts';
import { parse, withLines } from '../shared/parse.ts';
import { type ProblemLine, problemText } from './service.ts';

export interface ManifestFile {
  /** As it was named, or found below the folder that was. */
  readonly file: string;
  /** The key it gets in the bucket. */
  readonly key: string;
}

/**
 * The manifests that a name on the command line stands for, with keys as if the folder were `manifests/`; undefined when there is nothing
 * of that name. Other files of a folder are left alone, as they are in the bucket; one that is named itself is an error.
 */
export async function filesAt(name: string): Promise<readonly ManifestFile[] | undefined> {
  const found = await stat(name).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR') return undefined;
    throw new Error(`${name} cannot be read (${thrown.code}); give this user the right to`);
  });
  if (found === undefined) return undefined;
  const folder = found.isDirectory();
  const base = folder ? name : join(name, '..');
  const files = folder
    ? (await readdir(name, { recursive: true, withFileTypes: true }))
        .filter((each) => !each.isDirectory())
        .map((each) => join(each.parentPath, each.name))
        .sort()
    : [name];
  const keyed = files.map((file) => ({ file, key: `manifests/${relativeKey(base, file)}` }));
  if (!folder && !keyed.every(({ key }) => isOwnerKey(key)))
    throw new Error(`${name} is no manifest: its name ends in .yaml, .yml or .json`);
  return keyed.filter(({ key }) => isOwnerKey(key));
}

/** A file's path below a folder as keys are written. */
export function relativeKey(folder: string, file: string): string {
  return relative(resolve(folder), resolve(file)).split(sep).join('/');
}

/**
 * The texts of manifests by their keys. Throws with every problem when any of them is not UTF-8: as text it would be another manifest,
 * with replacement characters in its names. `whole`: also when one of them is no valid manifest for another reason.
 */
export async function manifestTexts(
  files: readonly ManifestFile[],
  { whole }: { readonly whole: boolean },
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const problems: ProblemLine[] = [];
  for (const { file, key } of files) {
    const bytes = await readFile(file);
    const text = bytes.toString('utf8');
    if (whole || decodeUtf8(bytes) === undefined)
      for (const { path, ...rest } of await problemsIn(key, bytes))
        problems.push({ path: path === '' ? file : `${file}: ${path}`, ...rest });
    if (texts.has(key)) throw new Error(`${key} is given twice; name one of the files that stand for it`);
    texts.set(key, text);
  }
  if (problems.length > 0)
    throw new Error(problemText('the manifests have problems; nothing was sent or stored', problems));
  return texts;
}

async function problemsIn(key: string, bytes: Uint8Array): Promise<readonly Problem[]> {
  const parsed = await parse(bytes, formatOf(key));
  return 'problems' in parsed ? parsed.problems : withLines(foreignKeys(key, parsed.manifest), bytes, formatOf(key));
}
