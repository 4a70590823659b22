import type { Json, JsonObject } from '../../core/json.ts';
import { isObject } from './event.ts';

/** Facets whose purpose is to carry SQL, plans, environment, settings or code, of the specification and of producers (read 2026-11). */
const CARRIERS = new Set(
  [
    'sql',
    'sourceCode',
    'environmentVariables',
    'executionParameters',
    'errorMessage',
    'extractionError',
    'externalQuery',
    'unknownSourceAttribute',
    'airflow',
    'airflowRunArgs',
    'airflowDagRun',
    'dataSource',
    'spark.logicalPlan',
    'spark_unknown',
    'spark_properties',
    'spark_applicationDetails',
    'spark_jobDetails',
    'spark.exception',
    'environment-properties',
    'debug',
    'hive_query',
    'hive_session',
    'hive_properties',
    'trino_query_context',
    'trino_metadata',
    'trino_query_statistics',
    'dbt_query',
    'flink_conf',
    'command',
    'args',
    'view',
  ].map((name) => name.toLowerCase()),
);

/** Names of facets that nobody has heard of yet, but that say what they carry; the location of code is none of it. */
const TELLING =
  /sql|quer(y|ies)|source_?code(?!_?location)|environ|logical_?plan|(^|[_.-])(properties|session|conf|config|script|command|args|env)$/i;
/** The same for what stands inside a facet. */
const TELLING_INSIDE =
  /^(sql|query|queries|query_?text|statement|source_?code|code|script|(bash_?)?command|args|argv|env|environ|environment(_?variables)?|env_?vars|password|secret|token|connection_?ur[il])$/i;

const HOLDERS = ['run', 'job', 'dataset'] as const;
const GROUPS: ReadonlySet<string> = new Set(['facets', 'inputFacets', 'outputFacets']);
const MAX_DEPTH = 64;

/**
 * The event without facets that carry SQL, environment or source code: these may hold secrets, and lineage needs none of them.
 * Free text in transformations goes too, because producers put expressions there.
 */
export function redactEvent(event: JsonObject): JsonObject {
  const clean: Record<string, Json> = {};
  for (const [key, value] of Object.entries(event)) {
    if (key === '__proto__') continue;
    if (HOLDERS.some((each) => each === key)) clean[key] = isObject(value) ? redactHolder(value) : value;
    else if (key === 'inputs' || key === 'outputs')
      clean[key] = Array.isArray(value)
        ? (value as readonly Json[]).map((each) => (isObject(each) ? redactHolder(each) : each))
        : value;
    else if (typeof value === 'string') clean[key] = value;
    if (clean[key] === null) delete clean[key];
  }
  return clean;
}

function redactHolder(holder: JsonObject): JsonObject {
  const clean: Record<string, Json> = {};
  for (const [key, value] of Object.entries(holder)) {
    // Assigned, it would not become a key but a prototype.
    if (key === '__proto__') continue;
    clean[key] = GROUPS.has(key) && isObject(value) ? redactFacets(value) : value;
  }
  return clean;
}

function redactFacets(facets: JsonObject): JsonObject {
  const clean: Record<string, Json> = {};
  for (const [name, facet] of Object.entries(facets)) {
    if (CARRIERS.has(name.toLowerCase()) || TELLING.test(name) || facet === null || name === '__proto__') continue;
    if (name === 'schema') clean[name] = facet;
    else if (name === 'columnLineage' || name === 'lineage') clean[name] = withoutTexts(facet, 0);
    else clean[name] = withoutCarriers(facet, 0);
  }
  return clean;
}

/** Column names are people's own, so keys are left alone here; descriptions are not. */
function withoutTexts(value: Json, depth: number): Json {
  if (depth > MAX_DEPTH) return null;
  if (Array.isArray(value)) return value.map((each: Json) => withoutTexts(each, depth + 1));
  if (!isObject(value)) return value;
  const text = (key: string, each: Json) =>
    typeof each === 'string' && /^(description|transformationDescription)$/.test(key);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, each]) => !text(key, each))
      .map(([key, each]) => [key, withoutTexts(each, depth + 1)]),
  );
}

function withoutCarriers(value: Json, depth: number): Json {
  if (depth > MAX_DEPTH) return null;
  if (Array.isArray(value)) return value.map((each: Json) => withoutCarriers(each, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !TELLING_INSIDE.test(key))
      .map(([key, each]) => [key, withoutCarriers(each, depth + 1)]),
  );
}

/** The facet that takes most of an event, and its size in characters of JSON; for the message that refuses the event. */
export function largestFacet(event: JsonObject): { readonly path: string; readonly size: number } | undefined {
  let largest: { path: string; size: number } | undefined;
  const weigh = (holder: Json | undefined, path: string) => {
    if (!isObject(holder)) return;
    for (const group of GROUPS) {
      const facets = holder[group];
      for (const [name, facet] of isObject(facets) ? Object.entries(facets) : []) {
        const size = JSON.stringify(facet).length;
        if (size > (largest?.size ?? 0)) largest = { path: `${path}.${group}.${name}`, size };
      }
    }
  };
  for (const each of HOLDERS) weigh(event[each], each);
  for (const side of ['inputs', 'outputs']) {
    const list = event[side];
    if (Array.isArray(list)) list.forEach((each: Json, at) => void weigh(each, `${side}[${at}]`));
  }
  return largest;
}
