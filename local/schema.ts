import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { type Blocks, manifestSchema } from '../shared/core/manifest.ts';
import { namingSchema } from '../shared/core/naming.ts';
import { blocks } from '../shared/vendors/blocks.ts';
import { Misuse, readArguments, runCommand, say } from './command.ts';

const USAGE = `usage: npm run schema

Writes the JSON Schemas of manifests and of naming.yaml, which editors complete and check with, into events/.
  --json   the names of the files as JSON`;

/** The JSON Schemas (draft 2020-12) that editors complete and check with: file name under `events/` → text. */
export function schemaFiles(from: Blocks): Readonly<Record<string, string>> {
  const text = (schema: z.ZodType): string =>
    `${JSON.stringify(z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' }), null, 2)}\n`;
  return {
    'manifest.schema.json': text(manifestSchema(from)),
    'naming.schema.json': text(namingSchema(from)),
  };
}

/** Writes them into a folder; answers the names. */
export async function writeSchemas(folder: string): Promise<readonly string[]> {
  const files = Object.entries(schemaFiles(blocks));
  for (const [name, text] of files) await writeFile(join(folder, name), text);
  return files.map(([name]) => name);
}

async function main(): Promise<undefined> {
  const { values, positionals } = readArguments({});
  if (positionals.length > 0) throw new Misuse(`too much: ${positionals.join(' ')}; nothing was written`);
  const files = (await writeSchemas(fileURLToPath(new URL('../events', import.meta.url)))).map(
    (name) => `events/${name}`,
  );
  say(values.json, files, () => files.map((name) => `wrote ${name}`).join('\n'));
  return undefined;
}

/** `npm run schema` */
if (import.meta.main) await runCommand(USAGE, main);
