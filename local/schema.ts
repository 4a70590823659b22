import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { type Blocks, manifestSchema } from '../shared/core/manifest.ts';
import { namingSchema } from '../shared/core/naming.ts';
import { blocks } from '../shared/vendors/blocks.ts';

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

if (import.meta.main) {
  const folder = fileURLToPath(new URL('../events', import.meta.url));
  for (const name of await writeSchemas(folder)) console.log(`wrote events/${name}`);
}
