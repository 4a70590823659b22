import { digest } from '../../core/digest.ts';
import { canonicalJson, type Json, type JsonObject } from '../../core/json.ts';
import { isNameText, MAX_ENTRIES, MAX_PAIRS, MAX_SIDE, type ManifestOmitted } from '../../core/manifest-schema.ts';
import type { Declared, DeclaredEdge, Evidence } from './declaration.ts';
import { compare } from './derive.ts';
import { edgeRoom } from './edge-room.ts';
import { datasetOf, idOf } from './facts.ts';

const MAX_SYMLINKS = 20;

/**
 * A declaration as a manifest: aliases for datasets with their other names as symlinks, one entry per target with its sources (so that
 * nothing is paired that was not declared), and `evidence`: for every edge, by aliases, the event that last showed it. `omitted` counts what
 * there is no room for.
 */
export function manifestOf(declared: Declared, room: Room = ROOM): JsonObject {
  const { edges, omitted } = withinLimits(declared, room);
  const ids = [...new Set(edges.flatMap((edge) => [idOf(edge.from), idOf(edge.to)]))].sort();
  const alias = new Map(ids.map((id, at) => [id, `d${at + 1}`]));
  const name = (dataset: DeclaredEdge['from']) => alias.get(idOf(dataset)) ?? '';
  const { subject } = declared;
  return {
    version: 1,
    ...(subject.kind === 'job' ? { job: { namespace: subject.namespace, name: subject.name } } : {}),
    ...(ids.length === 0
      ? {}
      : { datasets: Object.fromEntries(ids.map((id) => [alias.get(id) ?? '', dataset(id, declared)])) }),
    lineage: entries(edges, name),
    evidence: evidenceOf(edges, name),
    ...(omitted.edges + omitted.columns === 0 ? {} : { omitted: { ...omitted } }),
  };
}

/** Changes when what is declared changes, or the runs that show it; not with every heartbeat of the same run. */
export function contentKey(manifest: JsonObject): string {
  const evidence = (Array.isArray(manifest['evidence']) ? (manifest['evidence'] as readonly JsonObject[]) : []).map(
    ({ eventTime, ...rest }) => (rest['run'] === undefined ? { ...rest, eventTime: eventTime ?? null } : rest),
  );
  const keys = evidence.map((each) => canonicalJson(each as JsonObject)).sort();
  return digest(canonicalJson({ ...manifest, evidence: keys }));
}

function dataset(id: string, declared: Declared): JsonObject {
  const others = (declared.aliases.get(id) ?? []).slice(0, MAX_SYMLINKS).map((each) => ({ ...datasetOf(each) }));
  return { ...datasetOf(id), ...(others.length === 0 ? {} : { symlinks: others }) };
}

function entries(
  edges: readonly DeclaredEdge[],
  name: (dataset: DeclaredEdge['from']) => string,
): readonly JsonObject[] {
  const byTarget = new Map<string, DeclaredEdge[]>();
  for (const edge of edges) {
    const target = name(edge.to);
    const known = byTarget.get(target);
    if (known) known.push(edge);
    else byTarget.set(target, [edge]);
  }
  return [...byTarget].flatMap(([to, group]) => {
    const parts: JsonObject[] = [];
    for (let at = 0; at < group.length; at += MAX_SIDE) {
      const part = group.slice(at, at + MAX_SIDE);
      const from = part.map((edge) => name(edge.from));
      const columns = columnsOf(part, to, name);
      parts.push({ from, to, ...(columns.length === 0 ? {} : { columns }) });
    }
    return parts;
  });
}

function columnsOf(
  edges: readonly DeclaredEdge[],
  to: string,
  name: (dataset: DeclaredEdge['from']) => string,
): readonly JsonObject[] {
  const groups = new Map<string, { to: Json; direct: boolean; from: Json[] }>();
  for (const edge of edges) {
    for (const [from, target, direct] of edge.columns) {
      const key = JSON.stringify([target, direct]);
      const group = groups.get(key) ?? { to: reference(to, target), direct, from: [] };
      groups.set(key, group);
      group.from.push(reference(name(edge.from), from));
    }
  }
  return [...groups]
    .sort(([a], [b]) => compare(a, b))
    .map(([, { to: target, direct, from }]) => ({ from, to: target, ...(direct ? {} : { direct }) }));
}

/** The short form, unless the alias makes it longer than a manifest may have it. */
function reference(alias: string, column: string): Json {
  const short = `${alias}.${column}`;
  return isNameText(short) ? short : { dataset: alias, column };
}

function evidenceOf(edges: readonly DeclaredEdge[], name: (dataset: DeclaredEdge['from']) => string): readonly Json[] {
  const groups = new Map<string, { evidence: Evidence; guess: boolean; edges: [string, string][] }>();
  for (const edge of edges) {
    const key = JSON.stringify([edge.evidence, edge.guess]);
    const group = groups.get(key) ?? { evidence: edge.evidence, guess: edge.guess, edges: [] };
    groups.set(key, group);
    group.edges.push([name(edge.from), name(edge.to)]);
  }
  return [...groups]
    .sort(([a], [b]) => compare(a, b))
    .map(([, { evidence, guess, edges: pairs }]) => ({ ...evidence, ...(guess ? { guess } : {}), edges: pairs }));
}

/** What a manifest has room for: edges, and column pairs of them. */
export interface Room {
  readonly edges: number;
  readonly columns: number;
}

const ROOM: Room = { edges: MAX_PAIRS, columns: MAX_PAIRS };

/** Columns go before tables; what is left out is in the events and comes back with fewer. */
function withinLimits(
  { edges, count = 0 }: Declared,
  limits: Room,
): { readonly edges: readonly DeclaredEdge[]; readonly omitted: ManifestOmitted } {
  const kept: DeclaredEdge[] = [];
  const room = edgeRoom({ edges: limits.edges, entries: MAX_ENTRIES });
  let columnsLeft = limits.columns;
  let columns = 0;
  for (const edge of edges) {
    if (!room.take(idOf(edge.to))) continue;
    const fits = edge.columns.length <= columnsLeft;
    if (fits) columnsLeft -= edge.columns.length;
    else columns += edge.columns.length;
    kept.push(fits ? edge : { ...edge, columns: [] });
  }
  return { edges: kept, omitted: { edges: Math.max(edges.length, count) - kept.length, columns } };
}
