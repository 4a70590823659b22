import * as z from 'zod';
import { type Blocks, nameText } from './manifest-schema.ts';

/** Rules in one naming.yaml. */
export const MAX_RULES = 10_000;

const made = new WeakMap<Blocks, z.ZodObject>();

/** The schema of naming.yaml version 1, the one source of its JSON Schema too. It transforms nothing. */
export function namingSchema(blocks: Blocks): z.ZodObject {
  const known = made.get(blocks);
  if (known !== undefined) return known;
  const schema = makeSchema(blocks);
  made.set(blocks, schema);
  return schema;
}

function makeSchema(blocks: Blocks): z.ZodObject {
  const pattern = (what: string) => nameText(`${what}: * is any text, {x} one segment without a dot`);
  const matchKeys: Record<string, z.ZodType> = {};
  const outputKeys: Record<string, z.ZodType> = {};
  for (const [vendor, { dataset, entry }] of Object.entries(blocks)) {
    const patterns = Object.keys(dataset.shape).map((key) => [key, pattern(`Pattern for ${key}`).optional()] as const);
    matchKeys[vendor] = z
      .strictObject(Object.fromEntries(patterns))
      .optional()
      .describe(`Datasets whose ${vendor} block fits; its keys can be used as {key}`);
    const templates = Object.entries({ ...dataset.shape, ...entry?.shape }).map(([key, schema]) => [
      key,
      templated(schema as z.ZodType),
    ]);
    outputKeys[vendor] = z
      .strictObject(Object.fromEntries(templates) as Record<string, z.ZodType>)
      .optional()
      .describe(`What ${vendor} calls these datasets, and its entry options; {x} is filled in`);
  }
  const rule = z.strictObject({
    match: z
      .strictObject({
        namespace: pattern('Pattern for the namespace').optional(),
        name: pattern('Pattern for the name').optional(),
        ...matchKeys,
      })
      .describe('All that is given must fit'),
    dataset: z
      .strictObject({ namespace: nameText('Namespace, {x} is filled in'), name: nameText('Name, {x} is filled in') })
      .optional()
      .describe('OpenLineage identity of datasets that have none'),
    ...outputKeys,
  });
  return z
    .strictObject({
      $schema: z.string().optional().describe('For editors; nothing else reads it'),
      version: z.literal(1).describe('Version of this format'),
      rules: z.array(rule).max(MAX_RULES).describe('The first rule that fits counts, per vendor'),
    })
    .meta({ title: 'Lineage Functions naming rules, version 1' });
}

const TEXTUAL: ReadonlySet<string> = new Set(['string', 'enum', 'literal']);

/** A key's own schema, or a text with a placeholder where the key takes text of some shape. */
function templated(schema: z.ZodType): z.ZodType {
  let inner = schema as unknown as { _zod: { def: { type: string; innerType?: unknown } } };
  while (inner._zod.def.innerType !== undefined) inner = inner._zod.def.innerType as typeof inner;
  if (!TEXTUAL.has(inner._zod.def.type)) return schema;
  const either = z.union([schema, z.string().regex(/\{[A-Za-z]/, { abort: true })]).optional();
  return schema.description === undefined ? either : either.describe(schema.description);
}
