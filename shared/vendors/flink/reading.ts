import type { JsonObject } from '../../core/json.ts';
import { hidePrivate, hidePrivateText } from '../private-values.ts';
import type { LineageEdge, LineageJob, LineageTable, VendorLineage } from '../vendor.ts';
import { directory, type Place } from './ends.ts';
import { type DatasetBlock, nameOf } from './mapping.ts';
import type { LineageInfo, LineageNode, Relation } from './wire.ts';

/** One answer of GetLineageInfo. */
export interface Answered {
  readonly info: LineageInfo;
  readonly requestId: string;
}

type Columns = Map<string, LineageEdge['columns'][number]>;

interface Building {
  readonly from: number;
  readonly to: number;
  /** What each job makes of the pair; under '' what no job is named for. */
  readonly byJob: Map<string, Columns>;
}

/**
 * Answers of GetLineageInfo as one lineage: ends resolved (those that are not keep their text), tables and edges that several
 * answers share taken together, everything private in the details masked. Jobs that make different columns of a pair of tables
 * have an edge each, so that no job is told to make another's. Pure.
 */
export function readLineage(answers: readonly Answered[]): VendorLineage {
  const tables: LineageTable[] = [];
  const indexes = new Map<string, number>();
  const edges = new Map<string, Building>();
  const jobs = new Map<string, LineageJob>();
  for (const { info } of answers) {
    const known = directory();
    for (const node of info.nodes) addNode(node);
    for (const relation of info.edges.tableLineage) addRelation(relation, 'table');
    for (const relation of info.edges.columnLineage) addRelation(relation, 'column');
    for (const { id, ...rest } of info.jobInfos) jobs.set(id, { id, details: masked(rest) });

    function addNode(node: LineageNode): void {
      const found = node.tables.map((table) => {
        const block = blockOf(node, table.tableName);
        const index = add(nameOf(block) || table.id || '(unnamed)', () => ({
          block,
          ...(node['isTemporary'] === true ? { temporary: true as const } : {}),
          details: detailsOf(node, table),
        }));
        known.place(node, table, index);
        return index;
      });
      const [only] = found;
      if (only !== undefined && found.length === 1) known.placeNode(node, only);
      else if (node.id) {
        const block = blockOf(node, undefined);
        const ofNode = [...info.edges.tableLineage, ...info.edges.columnLineage].some(
          ({ source, destination }) => source === node.id || destination === node.id,
        );
        if (ofNode)
          known.placeNode(
            node,
            add(nameOf(block) || node.id, () => ({ block, details: detailsOf(node) })),
          );
      }
    }

    function addRelation({ source, destination, jobId }: Relation, level: 'table' | 'column'): void {
      const [from, to] = [placeOf(source, level), placeOf(destination, level)];
      const key = `${from.table} ${to.table}`;
      const edge = edges.get(key) ?? { from: from.table, to: to.table, byJob: new Map<string, Columns>() };
      edges.set(key, edge);
      const columns: Columns = edge.byJob.get(jobId ?? '') ?? new Map();
      edge.byJob.set(jobId ?? '', columns);
      if (level === 'column' && from.column !== undefined && to.column !== undefined) {
        columns.set(JSON.stringify([from.column, to.column]), { from: from.column, to: to.column });
      }
    }

    function placeOf(end: string, level: 'table' | 'column'): Place {
      return known.find(end, level) ?? { table: add(hidePrivateText(end) || '(unnamed)', () => ({})) };
    }
  }
  return {
    tables,
    edges: [...edges.values()].flatMap(edgesOf),
    jobs: [...jobs.values()],
    receipts: answers.map(({ requestId }) => requestId).filter((each) => each !== ''),
  };

  /** A text that names nothing here may be the name of a table in another answer: what is known of it wins. */
  function add(name: string, rest: () => Omit<LineageTable, 'name'>): number {
    const at = indexes.get(name) ?? tables.length;
    if (tables[at]?.block === undefined) tables[at] = { name, ...rest() };
    indexes.set(name, at);
    return at;
  }
}

/** The edges of a pair of tables: one for all jobs that make the same columns, one for what no job is named for. */
function edgesOf({ from, to, byJob }: Building): LineageEdge[] {
  const alike = Map.groupBy(byJob, ([job, columns]) => JSON.stringify([job === '', ...[...columns.keys()].sort()]));
  return Array.from(alike.values(), (group) => ({
    from,
    to,
    jobs: group.map(([job]) => job).filter((job) => job !== ''),
    columns: [...(group[0]?.[1].values() ?? [])],
  }));
}

/** Whether an answer says nothing at all. */
export function isEmpty({ info }: Answered): boolean {
  const { nodes, edges, jobInfos } = info;
  return [nodes, edges.tableLineage, edges.columnLineage, jobInfos].every((each) => each.length === 0);
}

function blockOf(node: LineageNode, table: string | undefined): DatasetBlock & JsonObject {
  return {
    ...(node.catalogName === undefined ? {} : { catalog: node.catalogName }),
    ...(node.databaseName === undefined ? {} : { database: node.databaseName }),
    ...(table === undefined ? {} : { table }),
  };
}

/** Everything the vendor says about a table, under its own names, and about the node it stands in, under `node`. */
function detailsOf(node: LineageNode, table: object = {}): JsonObject {
  const { tables: _tables, ...rest } = node;
  return masked({ ...table, node: rest });
}

/** `value` came out of JSON. */
function masked(value: object): JsonObject {
  return hidePrivate(value as JsonObject) as JsonObject;
}
