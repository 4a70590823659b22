import type { JsonObject } from '../../core/json.ts';
import type { DatasetId } from './facts.ts';

const LEVELS: Readonly<Record<number, readonly string[]>> = {
  1: ['table'],
  2: ['database', 'table'],
  3: ['database', 'schema', 'table'],
  4: ['catalog', 'database', 'schema', 'table'],
};

/**
 * A rule for naming.yaml that would cover a dataset and its neighbours, to be pasted and corrected: the tenant and catalog are ours to guess,
 * not to know. Paths are matched as they are.
 */
export function suggestRule({ namespace, name }: DatasetId, vendors: readonly string[]): JsonObject {
  const levels = name.includes('/') ? undefined : LEVELS[name.split('.').length];
  const holes = (levels ?? []).map((level) => `{${level}}`);
  const plain = (text: string) => !/[*{}]/.test(text);
  const match = {
    namespace: plain(namespace) ? namespace : '*',
    name: levels ? holes.join('.') : plain(name) ? name : '*',
  };
  const table = levels
    ? '{table}'
    : (name
        .split(/[./]/)
        .filter((part) => part !== '' && plain(part))
        .at(-1) ?? 'TABLE');
  const project = levels && levels.length > 1 ? `{${levels.at(-2)}}` : 'PROJECT';
  const outputs: Record<string, JsonObject> = {
    dataphin: { guid: `odps.TENANT_ID.${project}.${table}` },
    dataarts: {
      database: levels && levels.length > 1 ? '{database}' : 'DATABASE',
      ...(levels?.includes('schema') ? { schema: '{schema}' } : {}),
      table,
      connectionName: 'CONNECTION',
    },
  };
  return {
    match,
    ...Object.fromEntries(vendors.flatMap((vendor) => (outputs[vendor] ? [[vendor, outputs[vendor]]] : []))),
  };
}

/** The same for tables that Flink alone has named: all of its catalog, whose tables keep their names. */
export function suggestFlinkRule(flink: JsonObject, vendors: readonly string[]): JsonObject {
  const { catalog, database, table } = flink;
  const plain = (text: unknown): text is string => typeof text === 'string' && !/[*{}]/.test(text);
  const match = plain(catalog) ? { catalog } : { table: plain(table) ? table : '*' };
  const project = typeof database === 'string' ? '{database}' : undefined;
  const outputs: Record<string, JsonObject> = {
    dataphin: { guid: `odps.TENANT_ID.${project ?? 'PROJECT'}.{table}` },
    dataarts: { database: project ?? 'DATABASE', table: '{table}', connectionName: 'CONNECTION' },
  };
  return {
    match: { flink: match },
    ...Object.fromEntries(vendors.flatMap((vendor) => (outputs[vendor] ? [[vendor, outputs[vendor]]] : []))),
  };
}
