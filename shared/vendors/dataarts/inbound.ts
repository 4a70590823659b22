import { createHash } from 'node:crypto';
import { canonicalJson, type Json, type JsonObject } from '../../core/json.ts';
import { commandToDocument, type WireCall } from './document.ts';
import { nameOfBlock } from './mapping.ts';

/** Pure: what calls in DataArts' own format make of the document that keeps what the same node was told before. */
export { commandToDocument, documentToCommand, type WireCall } from './document.ts';
export { nameOfBlock as tableName } from './mapping.ts';

/** What tells two nodes apart; the key of their owner is made of it. Calls that name neither job nor node are told apart by their tables. */
export function identityOf(call: WireCall): Json {
  const { job_id: job, node_name: node, workspace_id: workspace } = call.body;
  const place = [workspace || call.workspace, job || null, node || null];
  return job || node ? place : [...place, tablesOf(call.body)];
}

/** `manual.<uuid>@node.<project>-workspace-<workspace>`, as the page's example has it, with a uuid that is always the same for a node. */
export function qualifiedName(call: WireCall, owner: string): string {
  const hex = createHash('sha256')
    .update(canonicalJson([owner, tablesOf(call.body)]))
    .digest('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)];
  return `manual.${uuid.join('-')}@node.${call.projectId}-workspace-${call.workspace}`;
}

/** How the tables of a body are called here, `dataarts:db.table`. */
export function labelsOf(call: WireCall): ReadonlySet<string> {
  const { datasets = {} } = commandToDocument(call) as { datasets?: Record<string, { dataarts: JsonObject }> };
  return new Set(Object.values(datasets).map(({ dataarts }) => `dataarts:${nameOfBlock(dataarts) ?? ''}`));
}

interface Stored {
  readonly datasets: Readonly<Record<string, JsonObject>>;
  readonly lineage: readonly StoredEntry[];
  readonly wire: JsonObject & { readonly earlier?: readonly JsonObject[] };
}
interface StoredEntry {
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly columns?: readonly Column[];
  readonly dataarts: JsonObject;
}
interface Ref {
  readonly dataset: string;
  readonly column: string;
}
interface Column {
  readonly from: Ref | readonly Ref[];
  readonly to: Ref;
}

/**
 * The document after one more call for the same job and node: a body with the same tables adds its columns, one with others stands
 * beside it as an entry of its own. Of the options the last word counts, for all entries, because they are one node's.
 */
export function added(known: JsonObject | undefined, call: WireCall, targets: string | readonly string[]): JsonObject {
  const next = commandToDocument(call, targets);
  if (known === undefined) return next;
  const before = known as unknown as Stored;
  const now = next as unknown as Stored;
  const datasets = new Map<string, JsonObject>(Object.entries(before.datasets));
  const aliases = new Map([...datasets].map(([alias, block]) => [canonicalJson(block), alias]));
  const renamed = new Map<string, string>();
  for (const [alias, block] of Object.entries(now.datasets)) {
    const key = canonicalJson(block);
    const given = aliases.get(key) ?? `t${datasets.size}`;
    aliases.set(key, given);
    datasets.set(given, block);
    renamed.set(alias, given);
  }
  const name = (alias: string) => renamed.get(alias) ?? alias;
  const [said] = now.lineage;
  const options = { ...before.lineage[0]?.dataarts, ...said?.dataarts };
  const entries = new Map<string, StoredEntry>();
  const add = ({ from, to, columns = [] }: Omit<StoredEntry, 'dataarts'>) => {
    const key = JSON.stringify([[...from].sort(), [...to].sort()]);
    const pairs = new Map<string, Column>();
    for (const column of [...(entries.get(key)?.columns ?? []), ...columns]) {
      for (const source of [column.from].flat() as readonly Ref[]) {
        pairs.set(JSON.stringify([source, column.to]), { from: source, to: column.to });
      }
    }
    entries.set(key, { from, to, ...(pairs.size === 0 ? {} : { columns: [...pairs.values()] }), dataarts: options });
  };
  for (const entry of before.lineage) add(entry);
  if (said !== undefined) {
    const ref = ({ dataset, column }: Ref) => ({ dataset: name(dataset), column });
    add({
      from: said.from.map(name),
      to: said.to.map(name),
      columns: (said.columns ?? []).map(({ from, to }) => ({
        from: ([from].flat() as readonly Ref[]).map(ref),
        to: ref(to),
      })),
    });
  }
  const earlier = [...(before.wire.earlier ?? []), before.wire['body'] as JsonObject].filter(
    (body) => !includes(call.body, body),
  );
  return {
    ...next,
    datasets: Object.fromEntries(datasets),
    lineage: [...entries.values()] as unknown as Json,
    wire: { ...now.wire, ...(earlier.length === 0 ? {} : { earlier }) },
  };
}

/** Whether a newer body says everything that an earlier one says: the same tables, and all of its columns. */
function includes(newer: JsonObject, earlier: JsonObject): boolean {
  if (canonicalJson(tablesOf(newer)) !== canonicalJson(tablesOf(earlier))) return false;
  const columns = (body: JsonObject) =>
    (((body['table_lineage'] as JsonObject)['column_lineages'] ?? []) as readonly Json[]).map(canonicalJson);
  const now = new Set(columns(newer));
  return columns(earlier).every((each) => now.has(each));
}

function tablesOf(body: JsonObject): Json {
  const lineage = (body['table_lineage'] ?? {}) as JsonObject;
  const sorted = (list: Json | undefined) => ((list ?? []) as readonly Json[]).map(canonicalJson).sort();
  return [sorted(lineage['input_tables']), sorted(lineage['output_tables'])];
}
