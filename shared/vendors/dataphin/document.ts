import type * as z from 'zod';
import { Failure } from '../../core/failure.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { asSentOf, formsKey, type Parents, type SentColumn } from './as-sent.ts';
import type { DatasetBlock, EntryBlock } from './blocks.ts';
import {
  type AddCommand,
  type Asset,
  addCommandSchema,
  type Column,
  deleteCommandSchema,
  type Operation,
} from './wire.ts';

/** One call in Dataphin's own format: query parameter OpTenantId and the JSON of the command field. */
export interface WireCall {
  readonly operation: Operation;
  readonly opTenantId: string;
  readonly command: JsonObject;
}

/** What a call says: its command, checked, and the names of its column pairs. */
export interface Said {
  readonly command: AddCommand & { readonly CascadeDeleteLineage?: boolean };
  readonly columns: readonly (SentColumn & { readonly isDirect: boolean })[];
  readonly parents: Parents;
}

/**
 * Reads a call. Throws `Failure` `invalid`, naming the field, when the command is not a valid one or a column does not say its name;
 * its code is the gateway's, `Missing<Field>` or `Invalid<Field>`.
 */
export function readCall(call: Pick<WireCall, 'operation' | 'command'>): Said {
  const schema = call.operation === 'AddRegisterLineage' ? addCommandSchema : deleteCommandSchema;
  const parsed = schema.safeParse(call.command);
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 20).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    const code = codeOf(parsed.error.issues[0], call.command, `${call.operation}Command`);
    throw new Failure('invalid', `${call.operation}Command is not valid. ${issues.join('; ')}`, { code });
  }
  const command: Said['command'] = parsed.data;
  const { DetailedLineages: details = [], Source, Target } = command;
  const sent = (call.command['DetailedLineages'] ?? []) as readonly { Source: JsonObject; Target: JsonObject }[];
  const columns = details.map((each, at) => ({
    from: columnName(each.Source, Source, `DetailedLineages.${at}.Source`),
    to: columnName(each.Target, Target, `DetailedLineages.${at}.Target`),
    source: sent[at]?.Source ?? {},
    target: sent[at]?.Target ?? {},
    direct: each.IsDirect !== undefined,
    isDirect: each.IsDirect ?? true,
  }));
  const parents = {
    source: parentOf(
      Source,
      details.map((each) => each.Source),
    ),
    target: parentOf(
      Target,
      details.map((each) => each.Target),
    ),
  };
  return { command, columns, parents };
}

/**
 * A manifest that declares what the call says, with the call verbatim under `wire`. Throws as `readCall`. `targets` empty: it is only
 * kept; `all`: every configured target that can register.
 */
export function commandToDocument(call: WireCall, targets: string | readonly string[] = 'dataphin'): JsonObject {
  const { command, columns, parents } = readCall(call);
  const { Source, Target } = command;
  const asSent = asSentOf(
    { source: call.command['Source'] as JsonObject, target: call.command['Target'] as JsonObject },
    columns,
    parents,
  );
  const options: EntryBlock = {
    ...(command.CheckAssetExist === undefined ? {} : { checkAssetExist: command.CheckAssetExist }),
    ...(command.RelationProperties === undefined ? {} : { relationProperties: command.RelationProperties }),
    ...(command.CascadeDeleteLineage === undefined ? {} : { cascadeDelete: command.CascadeDeleteLineage }),
    ...(command.TenantId === undefined ? {} : { tenantId: command.TenantId }),
    ...(command.UserId === undefined ? {} : { userId: command.UserId }),
    asSent,
    sentLike: formsKey(asSent),
  };
  return {
    version: 1,
    ...(targets === 'all' || targets.length === 0 ? {} : { targets: [targets].flat() }),
    datasets: {
      source: { dataphin: datasetOf(Source, parents.source) as JsonObject },
      target: { dataphin: datasetOf(Target, parents.target) as JsonObject },
    },
    lineage: [
      {
        from: 'source',
        to: 'target',
        ...(columns.length === 0 ? {} : { columns: columns.map(columnEntry) }),
        dataphin: options as unknown as JsonObject,
      },
    ],
    wire: { operation: call.operation, opTenantId: call.opTenantId, command: call.command, ...keptOnly(targets) },
  };
}

/** A column pair as it stands in an entry of a manifest. */
export function columnEntry({ from, to, isDirect }: Said['columns'][number]): JsonObject {
  return { from: { dataset: 'source', column: from }, to: { dataset: 'target', column: to }, direct: isDirect };
}

/** The call that a document was made from, exactly. Throws `Failure` `invalid` when the document holds none. */
export function documentToCommand(document: JsonObject): WireCall {
  const wire = document['wire'];
  const { operation, opTenantId, command } = isObject(wire) ? wire : {};
  if (
    (operation !== 'AddRegisterLineage' && operation !== 'DeleteRegisterLineage') ||
    typeof opTenantId !== 'string' ||
    !isObject(command)
  ) {
    throw new Failure('invalid', 'The document holds no Dataphin call under "wire".');
  }
  return { operation, opTenantId, command };
}

/** What does not matter for the way of referring is not taken into the block; the body under `wire` keeps it. */
function datasetOf(asset: Asset, guid: string | undefined): DatasetBlock {
  const ext = asset.ExtProperties === undefined ? {} : { extProperties: asset.ExtProperties };
  if (asset.ReferenceType === 'BY_GUID') {
    if (asset.Guid === undefined) {
      throw new Failure('invalid', 'Guid is required when ReferenceType is BY_GUID.', { code: 'MissingGuid' });
    }
    return { referenceType: 'BY_GUID', guid: asset.Guid, metadataType: asset.MetadataType, ...ext };
  }
  return {
    referenceType: 'BY_PROPERTY',
    metadataType: asset.MetadataType,
    ...(guid === undefined ? {} : { guid }),
    ...(asset.MetadataSubType === undefined ? {} : { metadataSubType: asset.MetadataSubType }),
    ...(asset.Catalog === undefined ? {} : { catalog: asset.Catalog }),
    ...(asset.Schema === undefined ? {} : { schema: asset.Schema }),
    ...(asset.Env === undefined ? {} : { env: asset.Env }),
    ...(asset.Name === undefined ? {} : { name: asset.Name }),
    ...ext,
  };
}

/** The table's GUID: its own, else the one that its columns give as their parent. */
function parentOf(asset: Asset, columns: readonly Column[]): string | undefined {
  if (asset.ReferenceType === 'BY_GUID') return asset.Guid;
  return columns.find((column) => column.ParentGuid !== undefined)?.ParentGuid;
}

/** A column's Guid is its table's Guid, a dot and its name; where nobody gives the table's, its last part is the name. */
function columnName(column: Column, table: Asset, path: string): string {
  const parent = table.ReferenceType === 'BY_GUID' ? table.Guid : column.ParentGuid;
  const { Guid: guid, Name: name, ReferenceType: way } = column;
  if (guid === undefined && way === 'BY_GUID') {
    throw new Failure('invalid', `${path}.Guid is required when ReferenceType is BY_GUID.`, { code: 'MissingGuid' });
  }
  if (guid === undefined && name !== undefined) return name;
  const found = parent === undefined ? (name ?? guid?.split('.').at(-1)) : guid && tailOf(guid, parent);
  if (found) return found;
  throw new Failure('invalid', `${path} must be <Guid of its table>.<column>, or have a Name and no Guid.`, {
    code: guid === undefined ? 'MissingName' : 'InvalidGuid',
  });
}

function tailOf(guid: string, parent: string): string | undefined {
  return guid.startsWith(`${parent}.`) ? guid.slice(parent.length + 1) : undefined;
}

/** The gateway's code for the first thing that is wrong: the field's name behind `Missing` or `Invalid`. */
function codeOf(issue: z.core.$ZodIssue | undefined, command: JsonObject, whole: string): string {
  const path = issue?.path ?? [];
  const field = path.findLast((step) => typeof step === 'string') ?? whole;
  const there = path.reduce<unknown>(
    (inner, step) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, step) : undefined),
    command,
  );
  if (issue?.code === 'unrecognized_keys') return 'InvalidParameter.Format';
  return `${there === undefined ? 'Missing' : 'Invalid'}${String(field)}`;
}

function keptOnly(targets: string | readonly string[]): { readonly kept?: true } {
  return targets.length === 0 ? { kept: true } : {};
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
