import { Failure } from '../../core/failure.ts';
import type { Json, JsonObject } from '../../core/json.ts';
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

/**
 * A manifest that declares what the call says, with the call verbatim under `wire`. Throws `Failure` `invalid`, naming the
 * field, when the command is not a valid one or a column does not say its name.
 */
export function commandToDocument(call: WireCall, target = 'dataphin'): JsonObject {
  const schema = call.operation === 'AddRegisterLineage' ? addCommandSchema : deleteCommandSchema;
  const parsed = schema.safeParse(call.command);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Failure('invalid', `${call.operation}Command is not valid. ${issues.join('; ')}`);
  }
  const command: AddCommand & { CascadeDeleteLineage?: boolean } = parsed.data;
  const { DetailedLineages: details = [], Source, Target } = command;
  const columns = details.map((each, at) => ({
    from: { dataset: 'source', column: columnName(each.Source, Source, `DetailedLineages.${at}.Source`) },
    to: { dataset: 'target', column: columnName(each.Target, Target, `DetailedLineages.${at}.Target`) },
    direct: each.IsDirect ?? true,
  }));
  const options: EntryBlock = {
    ...(command.CheckAssetExist === undefined ? {} : { checkAssetExist: command.CheckAssetExist }),
    ...(command.RelationProperties === undefined ? {} : { relationProperties: command.RelationProperties }),
    ...(command.CascadeDeleteLineage === undefined ? {} : { cascadeDelete: command.CascadeDeleteLineage }),
    ...(command.TenantId === undefined ? {} : { tenantId: command.TenantId }),
    ...(command.UserId === undefined ? {} : { userId: command.UserId }),
  };
  return {
    version: 1,
    targets: [target],
    datasets: {
      source: {
        dataphin: datasetOf(
          Source,
          details.map((each) => each.Source),
        ) as JsonObject,
      },
      target: {
        dataphin: datasetOf(
          Target,
          details.map((each) => each.Target),
        ) as JsonObject,
      },
    },
    lineage: [
      {
        from: 'source',
        to: 'target',
        ...(columns.length === 0 ? {} : { columns }),
        ...(Object.keys(options).length === 0 ? {} : { dataphin: options as JsonObject }),
      },
    ],
    wire: { operation: call.operation, opTenantId: call.opTenantId, command: call.command },
  };
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
function datasetOf(asset: Asset, columns: readonly Column[]): DatasetBlock {
  const ext = asset.ExtProperties === undefined ? {} : { extProperties: asset.ExtProperties };
  if (asset.ReferenceType === 'BY_GUID') {
    if (asset.Guid === undefined) throw new Failure('invalid', 'Guid is required when ReferenceType is BY_GUID.');
    return { referenceType: 'BY_GUID', guid: asset.Guid, metadataType: asset.MetadataType, ...ext };
  }
  const guid = columns.find((column) => column.ParentGuid !== undefined)?.ParentGuid;
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

/** A column's Guid is its table's Guid, a dot and its name. */
function columnName(column: Column, table: Asset, path: string): string {
  const parent = table.ReferenceType === 'BY_GUID' ? table.Guid : column.ParentGuid;
  if (column.Guid !== undefined && parent !== undefined && column.Guid.startsWith(`${parent}.`)) {
    return column.Guid.slice(parent.length + 1);
  }
  if (column.Guid === undefined && column.Name !== undefined) return column.Name;
  throw new Failure('invalid', `${path} must be <Guid of its table>.<column>, or have a Name and no Guid.`);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
