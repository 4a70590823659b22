import * as z from 'zod';
import { anyMap } from '../../core/any-json.ts';
import { digest } from '../../core/digest.ts';
import { Failure } from '../../core/failure.ts';
import { canonicalJson, type Json } from '../../core/json.ts';

/**
 * How a call in Dataphin's own format referred to tables and columns, so that it is sent on unchanged: redundant fields, ExtProperties of
 * columns and all. Columns that are referred to alike share a form, in which `true` stands for what follows from the column's name.
 */
type Reference = Readonly<Record<string, Json>>;
const reference: z.ZodType<Reference> = anyMap;
const pair = z.lazy(() => z.tuple([z.string(), z.string()]));
const form = z.lazy(() =>
  z.strictObject({
    source: reference,
    target: reference,
    /** `IsDirect` stood there; otherwise its default was meant. */
    direct: z.boolean(),
    /** The columns of this form, from and to; the first form is for all others. */
    pairs: z.array(pair).exactOptional(),
  }),
);

export const asSentSchema = z.lazy(() =>
  z.strictObject({
    source: reference.exactOptional(),
    target: reference.exactOptional(),
    columns: z.array(form).exactOptional(),
  }),
);
export type AsSent = z.output<typeof asSentSchema>;
type Form = z.output<typeof form>;

/** A column pair with the two references as they came. */
export interface SentColumn {
  readonly from: string;
  readonly to: string;
  readonly source: Reference;
  readonly target: Reference;
  readonly direct: boolean;
}

/** GUIDs of the tables, where known: a column's Guid begins with it. */
export interface Parents {
  readonly source: string | undefined;
  readonly target: string | undefined;
}

/** Rows of the ledger hold these; what needs more is refused, not cut. */
const MAX_BYTES = 48_000;

/** Changes when tables or columns are referred to in another way, and not when there are only more columns. */
export function formsKey({ source, target, columns = [] }: AsSent): string {
  const forms = columns.map(({ pairs: _pairs, ...each }) => canonicalJson(each)).sort();
  return digest(canonicalJson([source ?? null, target ?? null, forms]));
}

/** Throws `Failure` `invalid` when the columns are referred to in too many ways. */
export function asSentOf(
  tables: { readonly source: Reference; readonly target: Reference },
  columns: readonly SentColumn[],
  parents: Parents,
): AsSent {
  const forms = new Map<string, { form: Form; pairs: [string, string][] }>();
  for (const column of columns) {
    const source = shortened(column.source, column.from, parents.source);
    const target = shortened(column.target, column.to, parents.target);
    const key = JSON.stringify([Object.entries(source).sort(), Object.entries(target).sort(), column.direct]);
    const known = forms.get(key) ?? { form: { source, target, direct: column.direct }, pairs: [] };
    forms.set(key, known);
    known.pairs.push([column.from, column.to]);
  }
  const ordered = [...forms.values()].sort((a, b) => b.pairs.length - a.pairs.length);
  const asSent: AsSent = {
    ...tables,
    ...(ordered.length === 0
      ? {}
      : { columns: ordered.map(({ form: each, pairs }, at) => (at === 0 ? each : { ...each, pairs })) }),
  };
  if (JSON.stringify(asSent).length > MAX_BYTES) {
    throw new Failure(
      'invalid',
      'The columns of this pair carry too many different fields (ExtProperties, say) to be kept; send fewer of them.',
      { code: 'InvalidDetailedLineages' },
    );
  }
  return asSent;
}

/** The references of one column pair, or undefined when none came. */
export function sentColumn(
  asSent: AsSent | undefined,
  from: string,
  to: string,
  parents: Parents,
): Omit<SentColumn, 'from' | 'to'> | undefined {
  const forms = asSent?.columns ?? [];
  const own = forms.find(({ pairs }) => pairs?.some(([a, b]) => a === from && b === to));
  const found = own ?? forms.find(({ pairs }) => pairs === undefined);
  if (found === undefined) return undefined;
  return {
    source: filled(found.source, from, parents.source),
    target: filled(found.target, to, parents.target),
    direct: found.direct,
  };
}

function shortened(reference: Reference, column: string, parent: string | undefined): Record<string, Json> {
  const short: Record<string, Json> = { ...reference };
  if (parent !== undefined && short['Guid'] === `${parent}.${column}`) short['Guid'] = true;
  if (short['Name'] === column) short['Name'] = true;
  return short;
}

function filled(reference: Reference, column: string, parent: string | undefined): Record<string, Json> {
  const whole: Record<string, Json> = { ...reference };
  if (whole['Guid'] === true) whole['Guid'] = `${parent ?? ''}.${column}`;
  if (whole['Name'] === true) whole['Name'] = column;
  return whole;
}
