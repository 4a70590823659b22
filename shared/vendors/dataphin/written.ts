import type { JsonObject } from '../../core/json.ts';
import type { Unit, Written } from '../vendor.ts';
import type { TableRef } from './wire.ts';

/** A pair of tables as a manifest would say it: how each is referred to, and the options of the entry. */
export function written({ spec, options }: Pick<Unit, 'spec' | 'options'>): Written {
  const { source, target } = spec as unknown as { readonly source: TableRef; readonly target: TableRef };
  const { sourceExtProperties, targetExtProperties, ...rest } = options;
  return {
    from: [blockOf(source, sourceExtProperties as JsonObject | undefined)],
    to: [blockOf(target, targetExtProperties as JsonObject | undefined)],
    options: rest,
  };
}

function blockOf(ref: TableRef, extProperties: JsonObject | undefined): JsonObject {
  const { metadataType, ...rest } = ref;
  const type = metadataType === 'TABLE' ? {} : { metadataType };
  const ext = extProperties === undefined ? {} : { extProperties };
  if (rest.referenceType === 'BY_GUID') return { guid: rest.guid, ...type, ...ext };
  const { parentGuid, referenceType, ...names } = rest;
  // A GUID beside the names would refer to the table by itself.
  const guid = parentGuid === undefined ? {} : { guid: parentGuid, referenceType };
  return { ...guid, ...names, ...type, ...ext };
}
