import type { Graph, GraphEdge } from '../../../../shared/core/graph.ts';
import { mergedGraph, nearest } from '../../../../shared/core/graph-merge.ts';
import type { PageData } from '../page.ts';

export type Choice =
  | { readonly kind: 'dataset'; readonly id: string }
  | { readonly kind: 'edge'; readonly from: string; readonly to: string }
  | { readonly kind: 'column'; readonly id: string; readonly column: string };

/** What is on the screen and why. */
export interface State {
  readonly data: PageData;
  /** Everything loaded. */
  graph: Graph;
  /** Datasets shown at once. */
  most: number;
  choice: Choice | undefined;
  readonly opened: Set<string>;
  asList: boolean;
}

const SHOWN = 300;

export function newState(data: PageData): State {
  return { data, graph: data.graph, most: SHOWN, choice: undefined, opened: new Set(), asList: false };
}

/** The id of the dataset that was asked for. */
export function focusOf({ data, graph }: State): string | undefined {
  const { dataset } = data.asked;
  if (dataset === undefined) return undefined;
  return graph.nodes.find((node) => node.id === dataset || node.names.includes(dataset))?.id;
}

export function shown(state: State): Graph {
  return nearest(state.graph, focusOf(state), state.most);
}

export const edgeKey = (edge: Pick<GraphEdge, 'from' | 'to'>): string => JSON.stringify([edge.from, edge.to]);

/** Whether what is beyond a dataset can be asked for: only the ledger is asked piece by piece. */
export const canGrow = (data: PageData): boolean => data.explore && data.asked.from === 'ledger';

/** How to be reached over the network; absent where only what the page came with may be seen. */
export interface Source {
  neighbours(id: string, direction: 'upstream' | 'downstream'): Promise<Graph & { next?: string }>;
  find(q: string, signal: AbortSignal): Promise<Graph & { next?: string }>;
  link(): Promise<{ html: string; svg: string; expires: string }>;
}

export function source(data: PageData): Source | undefined {
  if (!data.explore) return undefined;
  const cursors = new Map<string, string>();
  return {
    async neighbours(id, direction) {
      const key = JSON.stringify([id, direction]);
      const after = cursors.get(key);
      const asked = {
        dataset: id,
        direction,
        depth: '1',
        level: data.asked.level,
        limit: '50',
        ...(after ? { after } : {}),
      };
      const graph = await ask(`/lineage?${new URLSearchParams({ ...asked, format: 'json' })}`);
      if (graph.next === undefined) cursors.delete(key);
      else cursors.set(key, graph.next);
      return graph;
    },
    find: (q, signal) => ask(`/lineage?${new URLSearchParams({ q, limit: '12', format: 'json' })}`, { signal }),
    async link() {
      const { dataset, direction, depth, level } = data.asked;
      return ask('/links', { method: 'POST', body: JSON.stringify({ dataset, direction, depth, level }) });
    },
  };
}

async function ask<T = Graph & { next?: string }>(path: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(path, {
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    ...init,
  });
  const body = (await answer.json().catch(() => ({}))) as { detail?: string };
  if (!answer.ok) throw new Error(body.detail ?? `the service answered ${answer.status}`);
  return body as T;
}

/** Adds what is beyond a dataset to what is known. What was counted there and has come is counted no more. */
export async function grow(
  state: State,
  from: Source,
  id: string,
  direction: 'upstream' | 'downstream',
): Promise<number> {
  const found = await from.neighbours(id, direction);
  const before = state.graph.nodes.length;
  const known = new Set(state.graph.nodes.map((node) => node.id));
  const merged = mergedGraph(
    // Counts of datasets that were there before are told anew only for the one that grew.
    state.graph,
    { nodes: found.nodes.filter((node) => !known.has(node.id)), edges: found.edges },
  );
  state.graph = {
    ...merged,
    nodes: merged.nodes.map((node) => {
      if (node.id !== id || !node.more || found.next !== undefined) return node;
      const { more, ...rest } = node;
      const left = { ...more, [direction]: 0 };
      return left.upstream + left.downstream === 0 ? rest : { ...rest, more: left };
    }),
  };
  const added = state.graph.nodes.length - before;
  state.most += Math.max(0, added);
  return added;
}
