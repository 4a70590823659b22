import * as z from 'zod';
import { anyJson } from './any-json.ts';
import type { Job } from './edge.ts';
import type { Json, JsonObject } from './json.ts';

/**
 * What a vendor lets a manifest say about a dataset and about an entry. Strict objects, every key optional. A vendor without
 * `entry` can only be read, so it is no target. `check` says what is wrong between the keys of a dataset block, defaults
 * included; it is only called with blocks that fit the schema.
 */
export interface VendorBlocks {
  readonly dataset: z.ZodObject;
  readonly entry?: z.ZodObject;
  check?(dataset: JsonObject): readonly string[];
  /** Which tables a dataset block means, each by nothing but what says it: equal ones are the same table. Several when it names one in several ways. */
  tables?(dataset: JsonObject): readonly JsonObject[];
  /** What its table is called in graphs and status documents; undefined when it names none. */
  label?(dataset: JsonObject): string | undefined;
  /** Tables, likewise, that an entry's block names by itself. */
  mentions?(entry: JsonObject): readonly JsonObject[];
}

export type Blocks = Readonly<Record<string, VendorBlocks>>;

export const MAX_ENTRIES = 10_000;
/** Table pairs, and likewise column pairs, of all entries together. */
export const MAX_PAIRS = 100_000;
export const MAX_SIDE = 100;

/** OpenLineage identity, written where a dataset is used. */
export interface InlineDataset {
  readonly namespace: string;
  readonly name: string;
}

export type DatasetRef = string | InlineDataset;
export type ColumnName = string | { readonly dataset: DatasetRef; readonly column: string };
export type OneOrMore<T> = T | readonly T[];
export type ColumnsMap = Readonly<Record<string, OneOrMore<ColumnName>>>;
export type ColumnsList = readonly {
  readonly from: OneOrMore<ColumnName>;
  readonly to: ColumnName;
  readonly direct?: boolean;
}[];

/** `namespace`, `name`, `symlinks` and one block per vendor. */
export type DatasetEntry = {
  readonly namespace?: string;
  readonly name?: string;
  readonly symlinks?: readonly { readonly namespace: string; readonly name: string }[];
} & Readonly<Record<string, Json>>;

/** One entry of `lineage`; every other key is a vendor's block. */
export interface LineageEntry {
  readonly from: OneOrMore<DatasetRef>;
  readonly to: OneOrMore<DatasetRef>;
  readonly columns?: ColumnsMap | ColumnsList;
  readonly [vendor: string]: unknown;
}

/** A manifest as it was written and found correct; `resolveManifest` looks everything up. Plain data. */
export interface Manifest {
  readonly version: 1;
  readonly targets?: readonly string[];
  readonly job?: Job;
  readonly defaults?: {
    readonly datasets?: Readonly<Record<string, JsonObject>>;
    readonly lineage?: Readonly<Record<string, JsonObject>>;
  };
  readonly datasets?: Readonly<Record<string, DatasetEntry>>;
  readonly lineage: readonly LineageEntry[];
  readonly evidence?: readonly ManifestEvidence[];
  readonly omitted?: ManifestOmitted;
  /** The calls in a vendor's own format that it was made from, as they came; `kept`: it goes to no target. */
  readonly wire?: JsonObject;
}

/** What events declare beyond what a manifest holds. */
export interface ManifestOmitted {
  /** Edges left out. */
  readonly edges: number;
  /** Column pairs left out, of edges that are there. */
  readonly columns: number;
}

/** The event that last showed some edges of a manifest made from events. */
export interface ManifestEvidence {
  readonly event: 'run' | 'job' | 'dataset';
  readonly run?: string;
  /** UTC with nine decimals. */
  readonly eventTime: string;
  readonly producer: string;
  readonly guess?: boolean;
  /** Pairs of aliases. */
  readonly edges: readonly (readonly [string, string])[];
}

/** Vendors that can be written to, and so be targets. */
export function targetVendors(blocks: Blocks): readonly string[] {
  return Object.keys(blocks).filter((vendor) => blocks[vendor]?.entry !== undefined);
}

/** What datasets of a manifest may be called in it. */
export const ALIAS = /^[A-Za-z_][A-Za-z0-9_-]*$/;

const MAX_NAME = 2_000;
const NO_CONTROL = /^\P{Cc}*$/u;

/** What `nameText` accepts, without a word about why not. */
export function isNameText(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > MAX_NAME) return false;
  return isPrintable(value) || (NO_CONTROL.test(value) && value.isWellFormed());
}

/** Whether all of it is printable ASCII, as most names are: several times as fast as a regular expression. */
function isPrintable(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 32 || code > 126) return false;
  }
  return true;
}

/** Any text that may name something: not empty, no control characters. */
export function nameText(what: string) {
  return z
    .string()
    .min(1)
    .max(MAX_NAME)
    .regex(NO_CONTROL, 'must not hold control characters')
    .refine((text) => text.isWellFormed(), 'must be valid Unicode')
    .describe(what);
}

const SPLIT = 'Split the manifest into several, each with its own entries';

export function tooManyEntries(count: number): string {
  return `${count} entries; the limit is ${MAX_ENTRIES}. ${SPLIT}`;
}

export function tooManyPairs(kind: 'table' | 'column', count: number): string {
  return `${count} ${kind} pairs after expansion; the limit is ${MAX_PAIRS}. ${SPLIT}`;
}

const lengthOf = (input: unknown): number => (input as readonly unknown[]).length;
const pairsError = { error: ({ input }: { input?: unknown }) => tooManyPairs('column', lengthOf(input)) };

const made = new WeakMap<Blocks, z.ZodObject>();

/** The schema of manifest version 1, the one source of the JSON Schema too. It transforms nothing. */
export function manifestSchema(blocks: Blocks): z.ZodObject {
  const known = made.get(blocks);
  if (known !== undefined) return known;
  const schema = makeSchema(blocks);
  made.set(blocks, schema);
  return schema;
}

/** One optional key per vendor. */
export function vendorKeys(blocks: Blocks, part: 'dataset' | 'entry', what: string): Record<string, z.ZodType> {
  const keys: Record<string, z.ZodType> = {};
  for (const [vendor, { [part]: block }] of Object.entries(blocks)) {
    if (block !== undefined) keys[vendor] = block.optional().describe(what.replaceAll('VENDOR', vendor));
  }
  return keys;
}

function makeSchema(blocks: Blocks): z.ZodObject {
  const inline = z
    .strictObject({ namespace: nameText('OpenLineage namespace'), name: nameText('OpenLineage name') })
    .describe('A dataset by its OpenLineage identity; a naming rule must know its vendor names');
  const alias = nameText('An alias under `datasets`');
  const side = (key: string, what: string) => {
    const many = z
      .array(z.union([alias, inline]))
      .min(1)
      .max(MAX_SIDE, {
        error: ({ input }) =>
          `${lengthOf(input)} datasets in \`${key}\`; the limit is ${MAX_SIDE}. Split the entry into several with the same other side`,
      });
    return z.union([alias, inline, many]).describe(what);
  };

  const column = z.union([
    nameText('`column` of the only dataset of that side, or `alias.column`, split at the first dot'),
    z
      .strictObject({ dataset: z.union([alias, inline]), column: nameText('Column name, taken as it is') })
      .describe('For columns with dots in their name, and for datasets without an alias'),
  ]);
  const columns = z
    .union([column, z.array(column).min(1).max(MAX_PAIRS, pairsError)])
    .describe('One source column or a list');
  const columnsMap = z.record(nameText('Target column'), columns).describe('Target column: its source columns');
  const columnsList = z
    .array(
      z.strictObject({
        from: columns,
        to: column.describe('Target column'),
        direct: z.boolean().optional().describe('false where the source only filters, joins or sorts; default true'),
      }),
    )
    .max(MAX_PAIRS, pairsError)
    .describe('The long form, one item per target column');

  const entry = z.strictObject({
    from: side('from', 'Inputs: one or a list of 1..100'),
    to: side('to', 'Outputs: one or a list of 1..100'),
    columns: z.union([columnsMap, columnsList]).optional(),
    ...vendorKeys(blocks, 'entry', 'Options of VENDOR for this entry'),
  });
  const dataset = z.strictObject({
    namespace: nameText('OpenLineage namespace; needs `name` too').optional(),
    name: nameText('OpenLineage name; needs `namespace` too').optional(),
    symlinks: z
      .array(inline)
      .max(MAX_SIDE)
      .optional()
      .describe('Other names of the dataset; naming rules try them after namespace and name'),
    ...vendorKeys(blocks, 'dataset', 'What VENDOR calls this dataset'),
  });
  const evidence = z.strictObject({
    event: z.enum(['run', 'job', 'dataset']),
    run: z.string().max(2_000).optional(),
    eventTime: z.string().max(100),
    producer: z.string().max(2_000),
    guess: z.boolean().optional().describe('One of several possible pairs of inputs and outputs'),
    edges: z
      .array(z.tuple([alias, alias]))
      .max(MAX_PAIRS)
      .describe('Pairs of aliases: from, to'),
  });
  const writable = targetVendors(blocks);
  const targetName = new RegExp(`^(${writable.join('|')})(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)?$`);

  return z
    .strictObject({
      $schema: z.string().optional().describe('For editors; nothing else reads it'),
      version: z.literal(1).describe('Version of this format'),
      targets: z
        .array(
          z.string().regex(targetName, {
            error: (issue) =>
              `${JSON.stringify(issue.input)} is no target; write a vendor (${writable.join(', ')}) or vendor/account, e.g. ${writable[0]}/finance`,
          }),
        )
        .min(1, 'must not be empty; leave `targets` out to mean every configured target')
        .max(100)
        .optional()
        .describe('Where to register; default: every configured target that can register'),
      job: z
        .strictObject({ namespace: nameText('Job namespace'), name: nameText('Job name') })
        .optional()
        .describe('What makes the data flow'),
      defaults: z
        .strictObject({
          datasets: z
            .strictObject(
              vendorKeys(blocks, 'dataset', 'Keys for every dataset that has a VENDOR block; the nearer value wins'),
            )
            .optional(),
          lineage: z
            .strictObject(vendorKeys(blocks, 'entry', 'VENDOR options for every entry; the nearer value wins'))
            .optional(),
        })
        .optional(),
      datasets: z
        .record(
          z.string().regex(ALIAS, 'an alias starts with a letter or _ and holds only letters, digits, _ and -'),
          dataset,
        )
        .optional()
        .describe('Aliases used below'),
      lineage: z
        .array(entry)
        .max(MAX_ENTRIES, { error: ({ input }) => tooManyEntries(lengthOf(input)) })
        .describe('What feeds what'),
      evidence: z
        .array(evidence)
        .max(MAX_PAIRS)
        .optional()
        .describe('Which event last showed which edge; written by the webhook alone, and nothing follows from it'),
      omitted: z
        .strictObject({ edges: z.number().int().min(0), columns: z.number().int().min(0) })
        .optional()
        .describe('What events declare beyond what a manifest holds; written by the webhook alone'),
      wire: z
        .record(z.string(), anyJson)
        .optional()
        .describe(
          "The calls in a vendor's own format that it was made from, as they came; `kept`: it goes to no target",
        ),
    })
    .meta({ title: 'Lineage Functions manifest, version 1' });
}
