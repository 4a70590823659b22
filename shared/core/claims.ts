import { digest } from './digest.ts';
import type { ColumnEdge } from './edge.ts';
import type { Json, JsonObject } from './json.ts';
import { canonicalJson } from './json.ts';
import { all, EDGE, has, type Mask, maskOf, NONE, positions, without } from './mask.ts';
import { intern, type Parts, pairKey, twinBits } from './parts.ts';
import { type Claim, sameClaim, type UnitState } from './unit-state.ts';

/** The owners' claims on a unit as one wish. */
export interface Wish {
  /** Union of all claims; where one owner says direct and another not, direct counts. */
  readonly mask: Mask;
  readonly options: JsonObject;
  /** Option paths on which owners differ; the smallest owner key won. */
  readonly conflicts: readonly string[];
}

/** What all owners together want of the unit; independent of the order in which they claimed. */
export function wish(state: UnitState): Wish {
  const owners = Object.keys(state.claims);
  if (owners.length > 1) owners.sort();
  let mask = NONE;
  for (const owner of owners) mask |= (state.claims[owner] as Claim).mask;
  const merged = mergeOptions(owners.map((owner) => (state.claims[owner] as Claim).options));
  return { mask: directWins(state.parts, mask), ...merged };
}

/** Drops the indirect twin of every column edge that is also wanted as direct. */
function directWins(parts: Parts, mask: Mask): Mask {
  if (parts.every((part) => part.direct)) return mask;
  const twins = twinBits(parts);
  if (twins.size === 0) return mask;
  const wanted = new Set(positions(mask));
  const lost = [...wanted].filter((bit) => {
    const others = twins.get(bit);
    return (
      others !== undefined &&
      !parts[bit - 1]?.direct &&
      others.some((each) => wanted.has(each) && parts[each - 1]?.direct)
    );
  });
  return without(mask, maskOf(lost));
}

/** Merges option blocks, the first winning: maps key by key, anything else whole. */
export function mergeOptions(blocks: readonly JsonObject[]): { options: JsonObject; conflicts: string[] } {
  if (blocks.length < 2) return { options: blocks[0] ?? {}, conflicts: [] };
  const conflicts = new Set<string>();
  const options = blocks.reduce<JsonObject>((left, right) => mergeTwo(left, right, '', conflicts), {});
  return { options, conflicts: [...conflicts].sort() };
}

function mergeTwo(left: JsonObject, right: JsonObject, path: string, conflicts: Set<string>): JsonObject {
  const merged: Record<string, Json> = { ...left };
  for (const [key, value] of Object.entries(right)) {
    const at = path === '' ? key : `${path}.${key}`;
    const mine = Object.hasOwn(merged, key) ? merged[key] : undefined;
    if (mine === undefined) merged[key] = value;
    else if (isMap(mine) && isMap(value)) merged[key] = mergeTwo(mine, value, at, conflicts);
    else if (canonicalJson(mine) !== canonicalJson(value)) conflicts.add(at);
  }
  return merged;
}

function isMap(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The options whose change is worth a call, as a comparable digest. */
export function loudOptions(state: UnitState, options: JsonObject): string {
  const loud = Object.entries(options).filter(([key]) => !state.quietOptions.includes(key));
  return loud.length === 0 ? '' : digest(canonicalJson(Object.fromEntries(loud)));
}

/** Puts an owner's claim; the same state object comes back when nothing changes. */
export function claim(state: UnitState, owner: string, columns: readonly ColumnEdge[], options: JsonObject): UnitState {
  const { parts, mask } = intern(state.parts, columns);
  const next: Claim = { mask, options };
  if (sameClaim(state.claims[owner], next)) return state;
  const { lastOptions: _past, ...rest } = state;
  return { ...rest, parts, claims: { ...state.claims, [owner]: next } };
}

/** Takes an owner's claim away; the same state object comes back when there is none. */
export function unclaim(state: UnitState, owner: string): UnitState {
  if (state.claims[owner] === undefined) return state;
  const { [owner]: _gone, ...claims } = state.claims;
  // How to withdraw (tenant, cascade) is said by whoever declared it last.
  if (Object.keys(claims).length > 0) return { ...state, claims };
  return { ...state, claims, lastOptions: wish(state).options };
}

const LONG = 200;

/** Forgets column edges that nothing refers to any more, so that rows do not grow with history. */
export function compact(state: UnitState): UnitState {
  const { foreign = NONE, past = NONE, taken = NONE } = state;
  let used = state.shown | state.maybe | foreign | past | taken | (state.intent?.mask ?? NONE);
  for (const each of Object.values(state.claims)) used |= each.mask;
  for (const node of [...state.nodes, ...state.uncertain]) used |= node.mask;
  if ((used | EDGE) === all(state.parts.length)) return state;
  const kept = positions(used).filter((bit) => bit > 0 && bit <= state.parts.length);
  if (kept.length === state.parts.length) return state;
  // A long list is written whole whenever it changes: not before half of it is of no use.
  if (state.parts.length > LONG && kept.length > state.parts.length / 2) return state;
  const place = new Map(kept.map((bit, index) => [bit, index + 1]));
  const move = (mask: Mask): Mask => maskOf(positions(mask).map((bit) => (bit === 0 ? 0 : (place.get(bit) as number))));
  return {
    ...state,
    parts: kept.map((bit) => state.parts[bit - 1] as ColumnEdge),
    claims: Object.fromEntries(Object.entries(state.claims).map(([o, c]) => [o, { ...c, mask: move(c.mask) }])),
    shown: move(state.shown),
    maybe: move(state.maybe),
    ...(state.foreign === undefined ? {} : { foreign: move(state.foreign) }),
    ...(state.past === undefined ? {} : { past: move(state.past) }),
    ...(state.taken === undefined ? {} : { taken: move(state.taken) }),
    ...(state.intent ? { intent: { ...state.intent, mask: move(state.intent.mask) } } : {}),
    nodes: state.nodes.map((node) => ({ ...node, mask: move(node.mask) })),
    uncertain: state.uncertain.map((node) => ({ ...node, mask: move(node.mask) })),
  };
}

/**
 * The parts that are one thing at the vendor with a part of the mask: the same column pair with the other direct flag. Registering
 * one takes the place of the other.
 */
export function twinsOf(state: UnitState, mask: Mask): Mask {
  const twins = twinBits(state.parts);
  if (twins.size === 0) return NONE;
  return without(maskOf(positions(mask).flatMap((bit) => twins.get(bit) ?? [])), mask);
}

/** Those parts of a mask that were at the vendor before us, whatever their direct flag (reads do not return it). */
export function notOurs(state: UnitState, mask: Mask): Mask {
  const foreign = state.foreign ?? NONE;
  return foreign === NONE ? NONE : mask & (foreign | twinsOf(state, foreign));
}

/** What is, or may be, at the vendor by our doing although nobody wants it. */
export function leftover(state: UnitState): Mask {
  const unwanted = without(state.shown | state.maybe, wish(state).mask);
  return without(unwanted, notOurs(state, unwanted));
}

/** Column edges of a mask, in position order. */
export function columnsOf(state: UnitState, mask: Mask): ColumnEdge[] {
  const columns: ColumnEdge[] = [];
  for (const bit of positions(mask)) if (bit > 0) columns.push(state.parts[bit - 1] as ColumnEdge);
  return columns;
}

/** Whether the mask holds every bit of a wish (a node that covers it needs no successor). */
export function covers(mask: Mask, wanted: Mask): boolean {
  return has(mask, wanted);
}

/** Identity of what is wanted; a refusal counts only as long as this stays the same. */
export function contentOf(state: UnitState, wanted: Wish): string {
  const columns = columnsOf(state, wanted.mask)
    .map((part) => `${pairKey(part)}${part.direct}`)
    .sort();
  return digest(canonicalJson({ edge: wanted.mask !== NONE, columns, options: wanted.options } as JsonObject));
}
