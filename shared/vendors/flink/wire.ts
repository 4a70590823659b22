import * as z from 'zod';
import type { LineageQuery } from '../vendor.ts';

/**
 * What goes over the wire to and from Flink. Sources: Alibaba, "GetLineageInfo", updated Mar 31 2026; "GetLineageInfoParams",
 * Jan 07 2026; "ListDeployments" and "ListJobs"; ververica-20220718 SDK. Read 2026-11.
 */
export const API_VERSION = '2022-07-18';
/** The most that one page of a list holds. */
export const PAGE_SIZE = 100;

/** Body of GetLineageInfo. All fields are optional on the page, but without them nothing is said; all eight are always sent. */
export interface LineageParams {
  readonly id: string;
  readonly idType: 'JOB' | 'TABLE';
  readonly direction: 'UPSTREAM' | 'DOWNSTREAM' | 'BOTH';
  readonly depth: number;
  readonly isColumnLevel: boolean;
  readonly isTemporary: boolean;
  readonly namespace: string;
  readonly workspace: string;
}

const DIRECTIONS = { upstream: 'UPSTREAM', downstream: 'DOWNSTREAM', both: 'BOTH' } as const;

export function lineageParams(
  start: Pick<LineageParams, 'id' | 'idType'>,
  query: LineageQuery,
  place: Pick<LineageParams, 'namespace' | 'workspace'>,
): LineageParams {
  return {
    id: start.id,
    idType: start.idType,
    direction: DIRECTIONS[query.direction],
    depth: query.depth,
    isColumnLevel: query.level === 'column',
    isTemporary: query.temporary,
    namespace: place.namespace,
    workspace: place.workspace,
  };
}

/** Documented as text; a number would say the same. The page's example of a job id ends in a line feed. */
const id = z.lazy(() => z.union([z.string(), z.number()]).transform((value) => String(value).trim()));
const name = z.lazy(() =>
  z
    .string()
    .nullish()
    .transform((value) => (value === null || value === '' ? undefined : value)),
);
const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);

const column = z.lazy(() => z.looseObject({ id: id.nullish(), columnName: name }));
const table = z.lazy(() => z.looseObject({ id: id.nullish(), tableName: name, columns: list(column) }));
const node = z.lazy(() =>
  z.looseObject({ id: id.nullish(), catalogName: name, databaseName: name, tables: list(table) }),
);
/** One text per end, for tables and columns alike; whether it is an id or a name is not documented. */
const relation = z.lazy(() => z.looseObject({ source: id, destination: id, jobId: id.nullish() }));

/** `edges` is an object, not a list; missing and null lists are empty ones. Unknown fields are kept. */
export const lineageInfoSchema = z.lazy(() =>
  z.looseObject({
    nodes: list(node),
    edges: z
      .looseObject({ tableLineage: list(relation), columnLineage: list(relation) })
      .nullish()
      .transform((edges) => edges ?? { tableLineage: [], columnLineage: [] }),
    jobInfos: list(z.looseObject({ id })),
  }),
);
export type LineageInfo = z.output<typeof lineageInfoSchema>;
export type LineageNode = LineageInfo['nodes'][number];
export type Relation = LineageInfo['edges']['tableLineage'][number];

export const deploymentSchema = z.lazy(() =>
  z.looseObject({
    deploymentId: id,
    name: z.string(),
    namespace: name,
    labels: z.record(z.string(), z.unknown()).nullish(),
  }),
);
export type Deployment = z.output<typeof deploymentSchema>;

export const jobSchema = z.lazy(() =>
  z.looseObject({
    jobId: id,
    /** A word, or an object around it. */
    status: z.union([z.string(), z.looseObject({ currentJobStatus: z.string().nullish() })]).nullish(),
    /** Epoch; which unit is of no matter here. */
    startTime: z.unknown().optional(),
  }),
);
export type Job = z.output<typeof jobSchema>;

export function isRunning({ status }: Job): boolean {
  return (typeof status === 'string' ? status : status?.currentJobStatus) === 'RUNNING';
}

/** When it started; before everything else where it does not say. */
export function startOf({ startTime }: Job): number {
  const start = typeof startTime === 'string' && startTime.trim() !== '' ? Number(startTime) : startTime;
  return typeof start === 'number' && Number.isFinite(start) ? start : Number.NEGATIVE_INFINITY;
}

/** What every answer says about itself, in whichever case its keys are: the service writes `errorCode`, the gateway `Code`. */
export interface Envelope {
  /** Undefined: it does not say. */
  readonly success: boolean | undefined;
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  readonly data: unknown;
  readonly totalSize: number | undefined;
}

/** Undefined when the body is no JSON object. */
export function readEnvelope(body: unknown): Envelope | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const fields = new Map(Object.entries(body).map(([key, value]) => [key.toLowerCase(), value as unknown]));
  const success = fields.get('success');
  const total = fields.get('totalsize');
  return {
    success: typeof success === 'boolean' ? success : undefined,
    code: said(fields.get('errorcode')) || said(fields.get('code')),
    message: said(fields.get('errormessage')) || said(fields.get('message')),
    requestId: said(fields.get('requestid')),
    data: fields.get('data'),
    totalSize: typeof total === 'number' ? total : undefined,
  };
}

/** The page's own example of "no error" is a text of two double quotes. */
function said(value: unknown): string {
  return typeof value === 'string' && value.trim() !== '""' ? value.trim() : '';
}
