import { tooLarge } from '../core/document.ts';
import type { Declaration, Entry, Problem } from '../core/edge.ts';
import { Failure } from '../core/failure.ts';
import { append } from '../core/large-lists.ts';
import { MAX_BYTES } from '../core/manifest.ts';
import { type NamelessPair, namelessPairs } from '../core/nameless.ts';
import { formatOf } from '../core/owner-key.ts';
import { resolveManifest } from '../core/resolve.ts';
import { foreignKeys } from '../core/written-keys.ts';
import { parse, withLines } from '../parse.ts';
import type { Unit, Unresolved } from '../vendors/vendor.ts';
import type { ConvergeDeps, NamingFile, Target, Targets } from './deps.ts';
import { type Nameless, namelessOf } from './unnamed.ts';
import { named as withNames } from './vendor-names.ts';

/** What an owner's manifest asks of the targets now. */
export type Desired =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable'; readonly problems: readonly Problem[]; readonly etag?: string }
  | {
      readonly kind: 'declared';
      /** Of the very bytes this was read from; the object may have changed since anybody looked at it. */
      readonly etag?: string;
      /** `namespace/name` */
      readonly job?: string;
      readonly units: ReadonlyMap<string, DesiredUnit>;
      readonly unresolved: readonly UnresolvedEdge[];
      readonly problems: readonly Problem[];
      /** Datasets that some target has no name for, and edges that none of `targets` has names for. */
      readonly nameless: {
        readonly datasets: readonly Nameless[];
        readonly pairs: readonly NamelessPair[];
        readonly targets: readonly string[];
      };
    };

export interface DesiredUnit {
  readonly target: Target;
  readonly unit: Unit;
}

export interface UnresolvedEdge extends Unresolved {
  readonly target: string;
  /** Undefined when the whole target is out of reach. */
  readonly account?: string;
  /** Nothing is wrong with the edge: it waits for its target's secret. */
  readonly unreachable?: boolean;
}

/** Reads and maps the manifest. What cannot be read or understood is `unreadable`: it changes and withdraws nothing. */
export async function desiredOf(
  owner: string,
  naming: NamingFile,
  targets: Targets,
  deps: ConvergeDeps,
): Promise<Desired> {
  const format = formatOf(owner);
  let object: Awaited<ReturnType<typeof deps.manifests.get>>;
  try {
    object = await deps.manifests.get(owner, { maxBytes: MAX_BYTES[format] });
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'too-large' && thrown.size !== undefined) {
      return { kind: 'unreadable', problems: [{ path: '', message: tooLarge(thrown.size, format) }] };
    }
    throw thrown;
  }
  if (object === undefined) return { kind: 'absent' };
  if (naming.naming === undefined) {
    const problems = (naming.problems ?? []).map((each) => ({ ...each, path: `naming.yaml: ${each.path}` }));
    return { kind: 'unreadable', problems, etag: object.etag };
  }
  const parsed = await (deps.parse ?? parse)(object.bytes, format);
  if ('problems' in parsed) return { kind: 'unreadable', problems: parsed.problems, etag: object.etag };
  const foreign = foreignKeys(owner, parsed.manifest);
  // Nobody looks for a line in what the functions write.
  const located = async (problems: readonly Problem[]) =>
    owner.startsWith('manifests/') ? await withLines(problems, object.bytes, format, deps.lines) : problems;
  if (foreign.length > 0) return { kind: 'unreadable', problems: await located(foreign), etag: object.etag };
  const declared = mapped(resolveManifest(parsed.manifest, naming.naming), targets, deps.settings.deployment);
  return { ...declared, problems: await located(declared.problems), etag: object.etag };
}

/** Maps a declaration to each target it names, or to every configured target that can register. Pure. */
export function mapped(
  declaration: Declaration,
  targets: Targets,
  deployment: string,
): Extract<Desired, { kind: 'declared' }> {
  const units = new Map<string, DesiredUnit>();
  const unresolved: UnresolvedEdge[] = [];
  const problems: Problem[] = [...declaration.warnings];
  const named = declaration.targets;
  const chosen = targets.list.filter((each) =>
    named ? named.includes(each.name) : each.client.register !== undefined,
  );
  const entries = withNames(
    declaration.entries,
    targets.list.map((each) => each.vendor),
  );
  for (const target of chosen) {
    const mapping = target.vendor.units({
      entries,
      ...(declaration.job ? { job: declaration.job } : {}),
      account: target.account,
      secret: target.secret,
      deployment,
    });
    for (const unit of mapping.units) {
      units.set(unit.id, { target, unit });
      append(problems, unit.warnings ?? []);
    }
    append(
      unresolved,
      mapping.unresolved.map((each) => ({ ...each, target: target.name, account: target.account })),
    );
  }
  const unusable = targets.problems.filter((each) => each.registers);
  for (const name of named ?? unusable.map((each) => each.target)) {
    if (targets.list.some((each) => each.name === name)) continue;
    const reason = unusable.find((each) => each.target === name)?.message ?? `no secret lineage/${name} is configured`;
    for (const [from, to, path] of pairs(declaration.entries)) {
      unresolved.push({ path, from, to, target: name, reason, unreachable: true });
    }
  }
  const job = declaration.job && `${declaration.job.namespace}/${declaration.job.name}`;
  const nameless = {
    datasets: unresolved.length === 0 ? [] : namelessOf(entries, meantFor(chosen, targets)),
    pairs: namelessPairs(entries, units, new Set(unresolved.map((each) => each.path))),
    targets: chosen.map((each) => each.name),
  };
  return { kind: 'declared', ...(job === undefined ? {} : { job }), units, unresolved, problems, nameless };
}

function meantFor(chosen: readonly Target[], { list }: Targets) {
  const vendors = (of: readonly Target[]) => [...new Set(of.map((each) => each.vendor.name))];
  const names = vendors(chosen);
  return { chosen: names, others: vendors(list).filter((name) => !names.includes(name)) };
}

function* pairs(entries: readonly Entry[]): Generator<readonly [string, string, string]> {
  for (const entry of entries) {
    for (const from of entry.from) for (const to of entry.to) yield [labelOf(from), labelOf(to), entry.path];
  }
}

function labelOf(dataset: Entry['from'][number]): string {
  if (dataset.namespace !== undefined && dataset.name !== undefined) return `${dataset.namespace}/${dataset.name}`;
  return dataset.alias ?? '(unnamed)';
}
