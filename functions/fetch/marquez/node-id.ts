import { flinkOwner, httpOwner, openlineageOwner } from '../../../shared/core/owner-key.ts';
import { blocks } from '../../../shared/vendors/blocks.ts';

/** Two-part identity as Marquez has it, of a dataset or a job. */
export interface Identity {
  readonly namespace: string;
  readonly name: string;
}

export interface NodeId {
  readonly type: 'dataset' | 'job' | 'datasetField';
  /** What the id may mean, the likeliest first: namespaces and names hold colons too. */
  readonly meanings: readonly (Identity & { readonly field?: string })[];
}

/** Namespace of what has none: manifests without a job, which go by their owner key. */
const OWN = 'lineage-functions';

/** The two parts of an id of our graph, `namespace/name` or `vendor:name`. Put together again they are the id, wherever it was split. */
export function identityOf(id: string): Identity {
  const vendor = Object.keys(blocks).find((each) => id.startsWith(`${each}:`));
  if (vendor !== undefined) return { namespace: vendor, name: id.slice(vendor.length + 1) };
  const found = /^([a-z][a-z0-9+.-]*:\/\/[^/]*)\/(.+)$/is.exec(id) ?? /^([^/]+)\/(.+)$/s.exec(id);
  return found ? { namespace: found[1] ?? '', name: found[2] ?? '' } : { namespace: OWN, name: id };
}

/** Ids that a dataset may have in our graph. */
export function graphIds({ namespace, name }: Identity): readonly string[] {
  if (namespace === OWN) return [name];
  return Object.hasOwn(blocks, namespace) ? [`${namespace}:${name}`, `${namespace}/${name}`] : [`${namespace}/${name}`];
}

/** What makes an edge: its jobs, `namespace/name`, else the manifests that declare it. */
export function jobsOf(edge: {
  readonly jobs?: readonly string[];
  readonly declaredBy: readonly string[];
}): Identity[] {
  if (edge.jobs && edge.jobs.length > 0) return edge.jobs.map((job) => jobOf(job, edge.declaredBy));
  return edge.declaredBy.map((name) => ({ namespace: OWN, name }));
}

/** Both parts of a job may hold slashes: the key of what events or deployments declare tells at which of them it is to be parted. */
function jobOf(job: string, owners: readonly string[]): Identity {
  const slashes = [...job.matchAll(/(?<=.)\/(?=.)/gs)].map((match) => match.index);
  for (const at of slashes.length > 1 ? slashes.slice(0, MOST_MEANINGS) : []) {
    const identity = { namespace: job.slice(0, at), name: job.slice(at + 1) };
    if (owners.some((owner) => ownersOf(identity).includes(owner))) return identity;
  }
  return identityOf(job);
}

/** Where events, manifests and deployments that name a job are kept. */
export const ownersOf = (job: Identity): readonly string[] => [
  openlineageOwner(job),
  httpOwner(job),
  flinkOwner(job.namespace, job.name),
];

/** The owner key that stands for a job, if it is a manifest without one. */
export function ownerOfJob({ namespace, name }: Identity): string | undefined {
  return namespace === OWN ? name : undefined;
}

export const datasetNode = ({ namespace, name }: Identity): string => `dataset:${namespace}:${name}`;
export const jobNode = ({ namespace, name }: Identity): string => `job:${namespace}:${name}`;
export const fieldNode = ({ namespace, name }: Identity, field: string): string =>
  `datasetField:${namespace}:${name}:${field}`;

const MOST_MEANINGS = 12;

/**
 * Reads a node id (Marquez, NodeId.java, read 2026-11). Its parts are joined with colons, which namespaces (`kafka://h:9092`, ARNs) hold as
 * well: Marquez splits at the first that is not followed by `//` or a digit; the other places are tried after it. A version (`#…`) is left out.
 */
export function readNodeId(text: string): NodeId | undefined {
  const found = /^(dataset|job|datasetField):(.+)$/s.exec(text);
  const type = found?.[1] as NodeId['type'] | undefined;
  if (type === undefined) return undefined;
  let rest = (found?.[2] ?? '').replace(/#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, '');
  let field: string | undefined;
  if (type === 'datasetField') {
    const last = rest.lastIndexOf(':');
    field = rest.slice(last + 1);
    rest = rest.slice(0, Math.max(0, last));
  }
  const colons = [...rest.matchAll(/:/g)].map((match) => match.index);
  const likely = colons.filter((at) => !/^(\/\/|\d)/.test(rest.slice(at + 1)));
  const places = [...new Set([...likely, ...colons])].filter((at) => at > 0 && at < rest.length - 1);
  const meanings = places.slice(0, MOST_MEANINGS).map((at) => ({
    namespace: rest.slice(0, at),
    name: rest.slice(at + 1),
    ...(field === undefined ? {} : { field }),
  }));
  return meanings.length === 0 ? undefined : { type, meanings };
}
