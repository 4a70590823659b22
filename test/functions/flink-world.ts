import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SourceResult, sourceFlink } from '../../functions/scheduled-reconcile/flink-source.ts';
import type { Targets } from '../../shared/converge/deps.ts';
import { readSettings } from '../../shared/settings.ts';
import type { Services } from '../../shared/wiring.ts';
import type { Local } from './local.ts';

export const NAMING = `version: 1
rules:
  - match: { flink: { catalog: paimon } }
    dataset: { namespace: "paimon://warehouse", name: "{database}.{table}" }
    dataphin: { guid: "odps.300000001.{database}.{table}" }
    dataarts: { catalog: paimon, database: "{database}", table: "{table}" }
`;

export interface Made {
  readonly deployments: object[];
  readonly jobs: object[];
  readonly lineage: Record<string, object>;
}
export type Pair = readonly [from: string, to: string, columns?: readonly (readonly [string, string])[]];

/** LineageInfo of a job: tables of `paimon.ods`, temporary ones in a node of their own. */
function info(job: string, pairs: readonly Pair[], temporary: readonly string[] = []) {
  const names = [...new Set(pairs.flatMap(([from, to]) => [from, to] as const))];
  const columns = (table: string) => [
    ...new Set(
      pairs.flatMap(([from, to, list = []]) =>
        list.flatMap(([a, b]) => [...(from === table ? [a] : []), ...(to === table ? [b] : [])]),
      ),
    ),
  ];
  const node = (id: string, tables: readonly string[], rest: object) => ({
    id,
    ...rest,
    tables: tables.map((name) => ({
      id: `${job}-${name}`,
      tableName: name,
      columns: columns(name).map((column) => ({ id: `${job}-${name}-${column}`, columnName: column })),
    })),
  });
  return {
    nodes: [
      node(
        `${job}-n`,
        names.filter((name) => !temporary.includes(name)),
        {
          catalogName: 'paimon',
          databaseName: 'ods',
          isTemporary: false,
        },
      ),
      node(`${job}-t`, temporary, { isTemporary: true }),
    ],
    edges: {
      tableLineage: pairs.map(([from, to]) => ({ source: `${job}-${from}`, destination: `${job}-${to}`, jobId: job })),
      columnLineage: pairs.flatMap(([from, to, list = []]) =>
        list.map(([a, b]) => ({ source: `${job}-${from}-${a}`, destination: `${job}-${to}-${b}`, jobId: job })),
      ),
    },
    jobInfos: [{ id: job }],
  };
}

/** A seed of deployments, each with one job. */
export function seed(
  deployments: Readonly<
    Record<
      string,
      {
        pairs: readonly Pair[];
        temporary?: readonly string[];
        labels?: object;
        status?: string;
        namespace?: string;
        id?: string;
      }
    >
  >,
): Made {
  const all = Object.entries(deployments);
  return {
    deployments: all.map(([name, { labels, namespace, id = `d-${name}` }], at) => ({
      deploymentId: id,
      name,
      createdAt: 1_767_000_000 - at,
      ...(labels ? { labels } : {}),
      ...(namespace ? { namespace } : {}),
    })),
    jobs: all.map(([name, { status = 'RUNNING', namespace, id = `d-${name}` }]) => ({
      jobId: `j-${name}`,
      deploymentId: id,
      status,
      ...(namespace ? { namespace } : {}),
    })),
    lineage: Object.fromEntries(
      all.map(([name, { pairs, temporary }]) => [`j-${name}`, info(`j-${name}`, pairs, temporary)]),
    ),
  };
}

export const plant = (here: Local, made: Made) => here.sandbox('flink', 'PUT', 'seed', made);

/** One call of the source, with settings of its own. */
export function scan(
  here: Local,
  environment: Record<string, string> = {},
  withinMs = 30_000,
  given?: Targets,
): Promise<SourceResult> {
  const { services } = here.runtime;
  const deps = given === undefined ? services.deps : { ...services.deps, targets: async () => given };
  const { flinkSource } = readSettings({ FLINK_SOURCE: 'on', ...environment });
  const with_: Services = { ...services, deps, settings: { ...services.settings, flinkSource } };
  return sourceFlink(with_, { deadlineMs: Date.now() + withinMs });
}

export const object = async (here: Local, key: string) =>
  readFile(join(here.runtime.bucket, key), 'utf8').then(
    (text) => JSON.parse(text) as Record<string, unknown>,
    () => undefined,
  );
export const OWNER = 'flink/default-namespace/orders.json';
export const guid = (name: string) => `odps.300000001.ods.${name}`;
export const ORDERS = { pairs: [['raw', 'clean', [['id', 'id']]]] as Pair[] };

export const many = (count: number, from = 0) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `d${from + at}`,
      { pairs: [[`a${from + at}`, `b${from + at}`]] as Pair[], labels: { team: at % 2 === 0 ? 'even' : 'odd' } },
    ]),
  );
export const names = async (here: Local) => {
  const { items } = await here.runtime.services.deps.manifests.list('flink/');
  return items.map(({ key }) => decodeURIComponent(key.replace(/^flink\//, '').replace(/\.json$/, '')));
};
