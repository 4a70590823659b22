import type * as z from 'zod';
import { type Refusal, refusal } from '../alibaba-gateway.ts';
import type { Setting } from '../modes.ts';
import type { Json } from '../product.ts';
import {
  type AddCommand,
  addCommand,
  type DeleteCommand,
  deleteCommand,
  filterQuery,
  parameterRefusal,
} from './command.ts';
import { columnsOf, endOf, hasSource } from './ends.ts';
import { type Column, columnKey, type Lineage, type LineageEvent, type Pair } from './lineage.ts';
import type { switches } from './modes.ts';
import type { Parameters } from './parameters.ts';
import { lineageRows } from './reads.ts';
import type { Surroundings } from './seed.ts';

/** Groups of column lineage that one call may carry (Alibaba Dataphin, "Limits", updated 2026-06-23). */
const MOST_DETAILS = 100;

interface Backend {
  readonly lineage: Lineage;
  readonly modes: () => Setting<typeof switches>;
  readonly around: () => Surroundings;
  /** Stores an event, then applies it. */
  commit(event: LineageEvent): void;
}

/** The data of a success, or why not. Nothing has changed when it is a refusal. */
type Outcome = Refusal | { readonly data: Readonly<Record<string, Json>> };

/** The four operations over one backend; `operation` must be one of them. */
export function performer(backend: Backend): (operation: string, query: Parameters, form: Parameters) => Outcome {
  return (operation, query, form) => {
    switch (operation) {
      case 'AddRegisterLineage':
        return withCommand(addCommand, 'AddRegisterLineageCommand', query, form, (command) => add(backend, command));
      case 'DeleteRegisterLineage':
        return withCommand(deleteCommand, 'DeleteRegisterLineageCommand', query, form, (command) =>
          remove(backend, command),
        );
      default:
        return read(backend, operation === 'GetTableColumnLineages', query, form);
    }
  };
}

function withCommand<Command extends AddCommand | DeleteCommand>(
  schema: z.ZodType<Command>,
  name: string,
  query: Parameters,
  form: Parameters,
  work: (command: Command) => Outcome,
): Outcome {
  const unknown = unknownParameter(query, ['OpTenantId']) ?? unknownParameter(form, [name]);
  if (unknown !== undefined) return unknown;
  const value = form.get(name);
  const details =
    typeof value === 'object' && value !== null
      ? (value as { DetailedLineages?: unknown }).DetailedLineages
      : undefined;
  if (Array.isArray(details) && details.length > MOST_DETAILS) {
    return refusal(
      400,
      'Simulated.TooManyDetailedLineages',
      `DetailedLineages has ${details.length} groups; at most ${MOST_DETAILS} are allowed (simulated; code not documented).`,
    );
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? work(parsed.data) : parameterRefusal(name, value, parsed.error);
}

const done: Outcome = { data: {} };

function add(backend: Backend, command: AddCommand): Outcome {
  const columns = columnsOf(command);
  if (!Array.isArray(columns)) return columns as Refusal;
  const { sources, assets } = backend.around();
  for (const ref of [command.Source, command.Target]) {
    if (sources !== undefined && !hasSource(sources, ref)) {
      return refusal(404, 'Simulated.SourceNotFound', `The source of ${endOf(ref).label} does not exist in Dataphin.`);
    }
    if (command.CheckAssetExist === true && assets !== undefined && !assets.has(endOf(ref).label)) {
      return refusal(404, 'Simulated.AssetNotFound', `The asset ${endOf(ref).label} does not exist in Dataphin.`);
    }
  }
  const source = endOf(command.Source);
  const target = endOf(command.Target);
  const known = backend.lineage.find(source, target);
  const { repeatAdd } = backend.modes();
  const nothingNew = known !== undefined && columns.every((column) => known.columns.has(columnKey(column)));
  if ((known !== undefined && repeatAdd === 'error') || (nothingNew && repeatAdd === 'error-when-nothing-new')) {
    return refusal(
      409,
      'Simulated.LineageAlreadyExists',
      `The lineage ${source.label} -> ${target.label} already exists.`,
    );
  }
  backend.commit({
    kind: 'put',
    source,
    target,
    columns,
    relationProperties: command.RelationProperties,
    replace: repeatAdd === 'replace' ? true : undefined,
  });
  return done;
}

function remove(backend: Backend, command: DeleteCommand): Outcome {
  const columns = columnsOf(command);
  if (!Array.isArray(columns)) return columns as Refusal;
  const source = endOf(command.Source);
  const target = endOf(command.Target);
  const { deleteUnknown, deleteWithoutDetails } = backend.modes();
  const notFound = refusal(
    404,
    'Simulated.LineageNotFound',
    `The lineage ${source.label} -> ${target.label} does not exist.`,
  );
  const pair = backend.lineage.find(source, target);

  if (columns.length === 0 && deleteWithoutDetails === 'error') {
    return refusal(400, 'MissingDetailedLineages', 'DetailedLineages is mandatory for this action.');
  }
  if (pair === undefined) return deleteUnknown === 'error' ? notFound : done;
  if (columns.length === 0) {
    if (deleteWithoutDetails === 'pair' || pair.columns.size === 0) backend.commit({ kind: 'drop', source, target });
    return done;
  }
  const held = heldColumns(pair, columns);
  if (deleteUnknown === 'error' && held.size < new Set(columns.map(columnKey)).size) return notFound;
  if (held.size === 0) return done;
  const last = held.size === pair.columns.size && (command.CascadeDeleteLineage ?? true);
  backend.commit(
    last ? { kind: 'drop', source, target } : { kind: 'cut', source, target, columns: [...held.values()] },
  );
  return done;
}

function heldColumns(pair: Pair, columns: readonly Column[]): Map<string, Column> {
  return new Map(
    columns.map((column) => [columnKey(column), column] as const).filter(([key]) => pair.columns.has(key)),
  );
}

function read(backend: Backend, columns: boolean, query: Parameters, form: Parameters): Outcome {
  const unknown = unknownParameter(query, ['OpTenantId', 'TableGuid']) ?? unknownParameter(form, ['FilterQuery']);
  if (unknown !== undefined) return unknown;
  const guid = query.get('TableGuid');
  if (typeof guid !== 'string' || guid === '')
    return refusal(400, 'MissingTableGuid', 'TableGuid is mandatory for this action.');
  const value = form.has('FilterQuery') ? form.get('FilterQuery') : {};
  const filter = filterQuery.safeParse(value);
  if (!filter.success) return parameterRefusal('FilterQuery', value, filter.error);
  const rows = lineageRows(guid, filter.data, columns, backend.lineage, backend.around());
  return { data: columns ? { TableColumnLineageList: rows } : { TableLineageList: rows } };
}

function unknownParameter(parameters: Parameters, known: readonly string[]): Refusal | undefined {
  const unknown = [...parameters.keys()].find((name) => !known.includes(name));
  return unknown === undefined
    ? undefined
    : refusal(400, 'InvalidParameter.Format', `The parameter ${unknown} does not belong to this action.`);
}
