import type { Json, JsonObject } from '../../core/json.ts';
import { isName, isObject, type LineageEvent } from './event.ts';
import { type DatasetId, type Facts, type Indirect, idOf, type Link, linkOf } from './facts.ts';

/** Collects while one event is read. */
class Collector {
  readonly inputs = new Set<string>();
  readonly outputs = new Set<string>();
  readonly aliases = new Set<string>();
  readonly links = new Set<string>();
  readonly targets = new Set<string>();
  readonly columned = new Set<string>();
  readonly dropped = new Set<string>();
  readonly indirectMode: Indirect;
  explicit = false;
  indirect = 0;

  constructor(indirectMode: Indirect) {
    this.indirectMode = indirectMode;
  }

  link(link: Link): void {
    const columned = link.fromColumn !== undefined && link.toColumn !== undefined;
    if (link.direct || this.indirectMode === 'keep' || !columned) {
      this.links.add(linkOf(columned ? link : { ...link, fromColumn: undefined, toColumn: undefined }));
      return;
    }
    // The near-Cartesian part of Spark's column lineage ends here, before anything is stored.
    this.indirect += 1;
    this.links.add(linkOf({ ...link, fromColumn: undefined, toColumn: undefined }));
  }

  facts(): Facts {
    const sorted = (set: ReadonlySet<string>) => [...set].sort();
    return {
      inputs: sorted(this.inputs),
      outputs: sorted(this.outputs),
      aliases: sorted(this.aliases),
      links: sorted(this.links),
      targets: sorted(this.targets),
      columned: sorted(this.columned),
      dropped: sorted(this.dropped),
      explicit: this.explicit,
      indirect: this.indirect,
    };
  }
}

/** What one event says. Parts of facets that are not as the specification has them are passed over. */
export function factsOf(event: LineageEvent, indirect: Indirect): Facts {
  const facts = new Collector(indirect);
  const { raw } = event;
  if (event.kind === 'dataset') {
    readDataset(raw['dataset'] as JsonObject, 'target', facts);
    return facts.facts();
  }
  for (const each of datasets(raw['inputs'])) {
    facts.inputs.add(idOf(each));
    readDataset(each, 'input', facts);
  }
  for (const each of datasets(raw['outputs'])) {
    facts.outputs.add(idOf(each));
    readDataset(each, 'target', facts);
  }
  const job = raw['job'] as JsonObject;
  const facet = facetsOf(job)['lineage'];
  if (isObject(facet) && !deleted(facet) && Array.isArray(facet['entries'])) {
    facts.explicit = true;
    for (const entry of objects(facet['entries'])) readEntry(entry, event, facts);
  }
  return facts.facts();
}

const deleted = (facet: JsonObject): boolean => facet['_deleted'] === true;

function facetsOf(holder: JsonObject): JsonObject {
  const facets = holder['facets'];
  return isObject(facets) ? facets : {};
}

function objects(list: Json | undefined): readonly JsonObject[] {
  return Array.isArray(list) ? (list as readonly Json[]).filter(isObject) : [];
}

function datasets(list: Json | undefined): readonly (JsonObject & DatasetId)[] {
  return objects(list).filter((each): each is JsonObject & DatasetId => isDataset(each));
}

function isDataset(value: JsonObject): boolean {
  return isName(value['namespace']) && isName(value['name']);
}

const identityOf = (value: JsonObject): DatasetId => ({
  namespace: String(value['namespace']),
  name: String(value['name']),
});

function readDataset(dataset: JsonObject, side: 'input' | 'target', facts: Collector): void {
  if (!isDataset(dataset)) return;
  const self = identityOf(dataset);
  const facets = facetsOf(dataset);
  for (const other of otherNames(facets))
    if (idOf(other) !== idOf(self)) facts.aliases.add(JSON.stringify([idOf(self), idOf(other)]));
  if (side === 'input') return;
  const life = facets['lifecycleStateChange'];
  if (isObject(life) && String(life['lifecycleStateChange']).toUpperCase() === 'DROP') facts.dropped.add(idOf(self));
  const lineage = facets['lineage'];
  if (isObject(lineage) && !deleted(lineage)) readTarget(lineage, self, undefined, facts);
  const columns = facets['columnLineage'];
  if (isObject(columns) && !deleted(columns)) readColumns(columns, self, facts);
}

/** Other names of a dataset: the symlinks facet, and the table that the catalog and hierarchy facets name together. */
function otherNames(facets: JsonObject): readonly DatasetId[] {
  const { symlinks, catalog, hierarchy } = facets;
  const names = isObject(symlinks) ? datasets(symlinks['identifiers']).map(identityOf) : [];
  if (!isObject(catalog) || !isObject(hierarchy)) return names;
  const uri = catalog['metadataUri'];
  const name = objects(hierarchy['hierarchy'])
    .map((level) => level['name'])
    .join('.');
  if (isName(uri) && isName(name))
    names.push({ namespace: uri.replace(/^thrift:/, 'hive:').replace(/(?<!\/)\/+$/, ''), name });
  return names;
}

/** Only INDIRECT where every transformation says so; a source without transformations is DIRECT. */
function isDirect(input: JsonObject): boolean {
  const transformations = objects(input['transformations']);
  if (transformations.length === 0) return true;
  return transformations.some(({ type, subtype }) => {
    if (typeof type === 'string' && type !== '') return type.toUpperCase() !== 'INDIRECT';
    return !/^(JOIN|GROUP_?BY|FILTER|SORT|WINDOW|CONDITIONAL)$/i.test(String(subtype ?? ''));
  });
}

/** ColumnLineageDatasetFacet, 1-2-0. */
function readColumns(facet: JsonObject, to: DatasetId, facts: Collector): void {
  const before = facts.links.size;
  const fields = facet['fields'];
  for (const [toColumn, field] of isObject(fields) ? Object.entries(fields) : []) {
    if (!isName(toColumn) || !isObject(field)) continue;
    for (const input of datasets(field['inputFields'])) {
      const fromColumn = isName(input['field']) ? input['field'] : undefined;
      facts.link({ basis: 'columns', from: identityOf(input), to, fromColumn, toColumn, direct: isDirect(input) });
    }
  }
  for (const input of datasets(facet['dataset'])) {
    if (isName(input['field']) && !isDirect(input)) facts.indirect += 1;
    facts.link({
      basis: 'columns',
      from: identityOf(input),
      to,
      fromColumn: undefined,
      toColumn: undefined,
      direct: isDirect(input),
    });
  }
  if (facts.links.size > before) facts.columned.add(idOf(to));
}

/** One entry of LineageJobFacet, 1-0-0. */
function readEntry(entry: JsonObject, event: LineageEvent, facts: Collector): void {
  if (String(entry['type']).toUpperCase() !== 'JOB') {
    if (isDataset(entry)) readTarget(entry, identityOf(entry), event, facts);
    return;
  }
  if (!isOwnJob(entry, event)) return;
  for (const input of objects(entry['inputs'])) {
    if (String(input['type']).toUpperCase() === 'JOB' || !isDataset(input)) continue;
    facts.link({
      basis: 'to-job',
      from: identityOf(input),
      to: undefined,
      fromColumn: undefined,
      toColumn: undefined,
      direct: isDirect(input),
    });
  }
}

/** A target's `inputs` and `fields`, of an entry or of LineageDatasetFacet. A source with a field at entity level concerns the whole dataset. */
function readTarget(target: JsonObject, to: DatasetId, event: LineageEvent | undefined, facts: Collector): void {
  const { inputs, fields } = target;
  if (!Array.isArray(inputs) && !isObject(fields)) return;
  facts.targets.add(idOf(to));
  const read = (input: JsonObject, toColumn: string | undefined) => {
    const direct = isDirect(input);
    if (String(input['type']).toUpperCase() === 'JOB') {
      if (event && isOwnJob(input, event)) {
        facts.link({ basis: 'from-job', from: undefined, to, fromColumn: undefined, toColumn: undefined, direct });
      }
      return;
    }
    if (!isDataset(input)) return;
    const fromColumn = toColumn !== undefined && isName(input['field']) ? input['field'] : undefined;
    facts.link({ basis: 'facet', from: identityOf(input), to, fromColumn, toColumn, direct });
  };
  for (const input of objects(inputs)) read(input, undefined);
  for (const [toColumn, field] of isObject(fields) ? Object.entries(fields) : []) {
    if (isName(toColumn) && isObject(field)) for (const input of objects(field['inputs'])) read(input, toColumn);
  }
}

/** Namespace and name together, or neither, which means the event's own job. */
function isOwnJob(value: JsonObject, event: LineageEvent): boolean {
  const { namespace, name } = value;
  if (namespace === undefined && name === undefined) return true;
  return namespace === event.subject.namespace && name === event.subject.name;
}
