import { columnsOf } from '../../shared/core/claims.ts';
import { withdrawalRefused } from '../../shared/core/refusal.ts';
import { decodeUnit, type UnitState } from '../../shared/core/unit-state.ts';
import { refersTo } from '../../shared/ledger/spill-pieces.ts';
import { union, type Version, type Wanted } from './history.ts';
import { unitOf } from './vendors.ts';
import type { World } from './world.ts';

const NOTHING: Wanted = { columns: new Map(), tag: undefined, tags: new Set() };

/** Whether both vendors show what the manifests say, computed from these alone. `strict`: nothing is held or unreadable. */
export function checkVendors(world: World, strict: boolean): void {
  const readable = new Map([...world.manifests].filter(([, each]) => each.pairs));
  for (const target of world.profile.targets) {
    if (target === 'dataphin') checkEdges(world, union(readable, target), strict);
    else checkNodes(world, union(readable, target), strict);
  }
}

function checkEdges(world: World, wanted: ReadonlyMap<string, Wanted>, strict: boolean): void {
  const { edges } = world.vendors;
  for (const pair of new Set([...wanted.keys(), ...edges.keys(), ...world.profile.pool])) {
    const want = wanted.get(pair) ?? NOTHING;
    const edge = edges.get(pair);
    const state = unitState(world, 'dataphin', pair);
    const foreign = world.foreign.get(pair);
    if (foreign && !edge) world.violate(`foreign edge ${pair} is gone`);
    for (const column of foreign ?? [])
      if (!edge?.columns.has(column)) world.violate(`foreign column ${pair} ${column} is gone`);
    const excused = strict ? new Set<string>() : claimsOf(world, state);
    if (want.columns.has('bad>bad') || excused.has('bad>bad')) continue;
    // First contact with a target that an owner never met waits for a person.
    const waits = !strict && firstContact(world, 'dataphin');
    if (wanted.has(pair) && !edge && !waits) world.violate(`edge ${pair} is missing`);
    for (const [column, direct] of waits ? [] : want.columns) {
      const shown = edge?.columns.get(column);
      if (shown === undefined) world.violate(`column ${pair} ${column} is missing`);
      else if (shown !== direct && !excused.has(`${column} ${shown}`))
        world.violate(`column ${pair} ${column} has the wrong direct flag`);
    }
    if (strict && wanted.has(pair) && edge && edge.tag !== want.tag)
      world.violate(`edge ${pair} has the tag ${edge.tag}, not ${want.tag}`);
    if (!edge) continue;
    if (!wanted.has(pair) && !foreign && !excused.has('edge')) world.violate(`edge ${pair} is an orphan`);
    for (const column of edge.columns.keys()) {
      if (want.columns.has(column) || foreign?.has(column) || excused.has(column)) continue;
      world.violate(`column ${pair} ${column} is an orphan`);
    }
  }
}

/** What owners hold on purpose although no readable manifest says it: held by policy, or by a manifest that cannot be read. */
function claimsOf(world: World, state: UnitState | undefined): Set<string> {
  const excused = new Set<string>();
  if (!state) return excused;
  for (const [owner, claim] of Object.entries(state.claims)) {
    const row = world.ledger.shadow.get(`owner/${owner}`)?.body as
      | { held?: { units: { ids?: string[]; chunks?: string[] } } }
      | undefined;
    const version = world.manifests.get(owner);
    const held = row?.held && (row.held.units.chunks || row.held.units.ids?.includes(state.id));
    if (!held && !(version && !version.pairs)) continue;
    excused.add('edge');
    for (const column of columnsOf(state, claim.mask)) {
      const name = `${column.from.column}>${column.to.column}`;
      excused.add(name).add(`${name} ${column.direct}`);
    }
  }
  return excused;
}

function checkNodes(world: World, wanted: ReadonlyMap<string, Wanted>, strict: boolean): void {
  const seen = new Set<string>();
  for (const node of world.vendors.nodes) {
    const content = JSON.stringify([node.pair, [...node.columns].sort(), node.tag ?? '']);
    if (seen.has(content)) world.violate(`two nodes with the same content: ${content}`);
    seen.add(content);
  }
  for (const [pair, want] of wanted) {
    if (want.columns.has('bad>bad')) continue;
    const columns = [...want.columns.keys()];
    const shown = world.vendors.nodes.some(
      (node) => node.pair === pair && want.tags.has(node.tag) && columns.every((each) => node.columns.has(each)),
    );
    if (shown) continue;
    const state = unitState(world, 'dataarts', pair);
    // What an unreadable manifest claimed counts with the rest.
    if (!strict && claimsOf(world, state).size > 0) continue;
    const doubtful = state?.uncertain.some((each) => {
      const held = new Set(columnsOf(state, each.mask).map((part) => `${part.from.column}>${part.to.column}`));
      return columns.every((column) => held.has(column));
    });
    if (doubtful) continue;
    if (!firstContact(world, 'dataarts')) world.violate(`node ${pair} is missing`);
  }
}

function firstContact(world: World, account: string): boolean {
  return [...world.ledger.shadow.values()].some((row) =>
    (row.body as { held?: { accounts?: readonly string[] } }).held?.accounts?.includes(account),
  );
}

/** Nothing is left over in the ledger: no unsettled owner, lease, intent, or reference to a row that is not there. */
export function checkLedger(world: World): void {
  const { shadow } = world.ledger;
  for (const [key, row] of shadow) {
    const body = row.body as { settled?: boolean; lease?: unknown; intent?: unknown; vanish?: unknown };
    if (key.startsWith('owner/')) {
      if (body.settled !== true) world.violate(`${key} is not settled: ${JSON.stringify(body)}`);
      for (const chunk of chunksOf(row.body))
        if (!shadow.has(chunk)) world.violate(`${key} refers to ${chunk}, which is gone`);
    }
    if (body.lease) world.violate(`${key} is still leased`);
    if (body.intent) world.violate(`${key} has an intent left`);
    if (key.startsWith('vanish/')) {
      const { wave } = (row.body as unknown as { vanished: { wave?: object } }).vanished;
      if (wave) world.violate(`${key} still waits to be judged: ${JSON.stringify(wave)}`);
    }
    if (key.startsWith('unit/')) checkClaims(world, decodeUnit(row.body));
  }
}

/** What the vendor refuses to take back stands in the row of somebody who tries again. */
export function checkRefused(world: World): void {
  const owners = [...world.ledger.shadow].filter(([key]) => key.startsWith('owner/')).map(([, row]) => row.body);
  for (const [key, { body }] of world.ledger.shadow) {
    if (!key.startsWith('unit/')) continue;
    const state = decodeUnit(body);
    if (!withdrawalRefused(state)) continue;
    const keeps = ({ units, again }: { units?: { ids?: string[] }; again?: number }): boolean =>
      again !== undefined && (units?.ids === undefined || units.ids.includes(state.id));
    if (!owners.some(keeps)) world.violate(`${key} is refused, and nobody tries again`);
  }
}

/** Every piece belongs to a row that refers to it. */
export function checkPieces(world: World): void {
  const rows = world.ledger.memory.rows();
  for (const { key } of rows) {
    const id = key.slice('piece/'.length, key.lastIndexOf('/'));
    if (key.startsWith('piece/') && !rows.some((row) => refersTo(row, id))) world.violate(`${key} is left over`);
  }
}

/** Every claim belongs to an owner whose row leads back to the unit; else nobody would ever take it away. */
function checkClaims(world: World, state: UnitState): void {
  for (const owner of Object.keys(state.claims)) {
    const row = world.ledger.shadow.get(`owner/${owner}`)?.body as
      | { units: { ids?: string[]; chunks?: string[] } }
      | undefined;
    if (!row || (row.units.ids && !row.units.ids.includes(state.id)))
      world.violate(`unit ${state.id} is claimed by ${owner}, which does not know it`);
  }
}

function* chunksOf(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  const { chunks } = value as { chunks?: readonly string[] };
  if (Array.isArray(chunks)) yield* chunks;
  for (const each of Object.values(value)) yield* chunksOf(each);
}

function unitState(world: World, vendor: 'dataphin' | 'dataarts', pair: string): UnitState | undefined {
  const row = world.ledger.shadow.get(`unit/${unitOf(vendor, pair)}`);
  return row && decodeUnit(row.body);
}

/** With durable triggers every owner reflects its object as soon as the queue is empty. */
export function checkDurable(world: World): void {
  const owners = new Set<string>([...world.manifests.keys()]);
  for (const key of world.ledger.shadow.keys()) if (key.startsWith('owner/')) owners.add(key.slice(6));
  for (const owner of owners) {
    const version: Version | undefined = world.manifests.get(owner);
    const row = world.ledger.shadow.get(`owner/${owner}`)?.body as { settled: boolean; claimed?: string } | undefined;
    if (!version && !row) continue;
    if (!row?.settled || row.claimed !== version?.etag)
      world.violate(`${owner} was left behind by its messages: ${JSON.stringify(row)}`);
  }
}
