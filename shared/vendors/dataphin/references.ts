import { Failure } from '../../core/failure.ts';
import { readCall, type WireCall } from './document.ts';
import type { Asset, Column } from './wire.ts';

/**
 * Refuses what a call must not say of its tables and columns, each field fine by itself (Alibaba Dataphin, "Register data lineage using
 * OpenAPI", updated 2026-06-23). Throws `Failure` `invalid`, naming the field, with the gateway's code, `Missing<Field>` or `Invalid<Field>`;
 * also as `readCall`. Only for a call that comes in: what was taken before can still be read, and withdrawn as it was sent.
 */
export function checkReferences(call: Pick<WireCall, 'operation' | 'command'>): void {
  const { Source, Target, DetailedLineages: details = [] } = readCall(call).command;
  checkTable(Source, 'Source');
  checkTable(Target, 'Target');
  for (const [at, detail] of details.entries()) {
    checkColumn(detail.Source, Source, `DetailedLineages.${at}.Source`);
    checkColumn(detail.Target, Target, `DetailedLineages.${at}.Target`);
  }
}

function checkTable(table: Asset, where: string): void {
  const byGuid = table.ReferenceType === 'BY_GUID';
  if (byGuid && table.Guid === undefined) throw missing(where, 'Guid', 'is required when ReferenceType is BY_GUID');
  if (!byGuid && table.Guid !== undefined) throw invalid(where, 'Guid', 'goes only with ReferenceType BY_GUID');
  // The page asks for no property at all; without a name nothing is referred to.
  if (!byGuid && table.Name === undefined)
    throw missing(where, 'Name', 'is required when ReferenceType is BY_PROPERTY');
  if (table.MetadataSubType !== undefined && (byGuid || table.MetadataType !== 'TABLE')) {
    throw invalid(where, 'MetadataSubType', 'goes only with MetadataType TABLE, and not with BY_GUID');
  }
}

function checkColumn(column: Column, table: Asset, where: string): void {
  const { ReferenceType: way, Guid: guid, ParentGuid: parent, Name: name } = column;
  if (way === 'BY_PROPERTY' && guid !== undefined) throw invalid(where, 'Guid', 'goes only with ReferenceType BY_GUID');
  if (table.Guid !== undefined && parent !== undefined && parent !== table.Guid) {
    throw invalid(where, 'ParentGuid', `is not the GUID of the table, ${table.Guid}`);
  }
  if (name === undefined || guid === undefined) return;
  const known = table.Guid ?? parent;
  if (known === undefined ? !`.${guid}`.endsWith(`.${name}`) : guid !== `${known}.${name}`) {
    throw invalid(where, 'Name', 'is not the column of the Guid');
  }
}

function missing(where: string, field: string, why: string): Failure {
  return new Failure('invalid', `${where}.${field} ${why}.`, { code: `Missing${field}` });
}

function invalid(where: string, field: string, why: string): Failure {
  return new Failure('invalid', `${where}.${field} ${why}.`, { code: `Invalid${field}` });
}
