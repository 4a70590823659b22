import { type Refusal, refusal } from '../alibaba-gateway.ts';
import type { Json } from '../product.ts';

type Row = Readonly<Record<string, Json>>;
type Query = ReadonlyMap<string, string>;
type Page = { readonly data: Json; readonly paging: Readonly<Record<string, number>> } | { readonly refusal: Refusal };

const invalid = (name: string, why: string) => ({
  refusal: refusal(400, `Invalid${name.charAt(0).toUpperCase()}${name.slice(1)}`, `${name} is not valid: ${why}.`),
});

/** `pageIndex` from 1 (default 1) and `pageSize` 1 to 100 (default 10); a refusal for these or any unknown parameter. */
export function pageOf(
  query: Query,
  known: readonly string[],
): { readonly pageIndex: number; readonly pageSize: number } | { readonly refusal: Refusal } {
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) return invalid(unknown, 'this action does not take it');
  const index = query.get('pageIndex') ?? '1';
  const size = query.get('pageSize') ?? '10';
  if (!/^[1-9]\d{0,8}$/.test(index)) return invalid('pageIndex', 'it starts at 1');
  if (!/^(?:[1-9]\d?|100)$/.test(size)) return invalid('pageSize', 'it is 1 to 100');
  return { pageIndex: Number(index), pageSize: Number(size) };
}

function page(rows: readonly Row[], { pageIndex, pageSize }: { pageIndex: number; pageSize: number }): Page {
  const data = rows.slice((pageIndex - 1) * pageSize, pageIndex * pageSize);
  return { data, paging: { pageIndex, pageSize, totalSize: rows.length } };
}

/** One filter of a list: which values it takes, and which rows it keeps. */
interface Filter {
  readonly values?: readonly string[];
  keeps(row: Row, value: string, query: Query): boolean;
}

const same = (field: string): Filter => ({ keeps: (row, value) => row[field] === value });

const deploymentFilters: Readonly<Record<string, Filter>> = {
  name: same('name'),
  creator: same('creator'),
  modifier: same('modifier'),
  executionMode: { values: ['STREAMING', 'BATCH'], ...same('executionMode') },
  status: {
    values: ['CANCELLED', 'FAILED', 'RUNNING', 'TRANSITIONING', 'FINISHED'],
    keeps: (row, value) => Number((row['jobSummary'] as Row | undefined)?.[value.toLowerCase()] ?? 0) > 0,
  },
  labelKey: { keeps: (row, value) => (row['labels'] as Row | undefined)?.[value] !== undefined },
  labelValueArray: {
    // The page says semicolons, its example uses commas.
    keeps: (row, value, query) => {
      const label = (row['labels'] as Row | undefined)?.[query.get('labelKey') ?? ''];
      return typeof label === 'string' && value.split(/[;,]/).includes(label);
    },
  },
};

/** ListDeployments and ListJobs (Alibaba help pages of the same names, read 2026-11). */
export const listed = {
  deployments(rows: readonly Row[], query: Query): Page {
    const names = Object.keys(deploymentFilters);
    const paging = pageOf(query, ['pageIndex', 'pageSize', 'sortName', ...names]);
    if ('refusal' in paging) return paging;
    let kept = [...rows];
    for (const [name, filter] of Object.entries(deploymentFilters)) {
      const value = query.get(name);
      if (value === undefined) continue;
      if (filter.values !== undefined && !filter.values.includes(value)) {
        return invalid(name, `it is one of ${filter.values.join(', ')}`);
      }
      kept = kept.filter((row) => filter.keeps(row, value, query));
    }
    const sort = query.get('sortName') ?? 'gmt_create';
    if (sort !== 'gmt_create' && sort !== 'modified') return invalid('sortName', 'it is gmt_create or modified');
    const field = sort === 'modified' ? 'modifiedAt' : 'createdAt';
    kept.sort((left, right) => Number(right[field] ?? 0) - Number(left[field] ?? 0));
    return page(kept, paging);
  },

  /** Without `sortName` oldest first, without `sortOrder` upwards: the vendor documents neither, so nobody should rely on more. */
  jobs(rows: readonly Row[], query: Query): Page {
    const paging = pageOf(query, ['deploymentId', 'pageIndex', 'pageSize', 'sortName', 'sortOrder']);
    if ('refusal' in paging) return paging;
    const sort = query.get('sortName') ?? 'gmt_create';
    const field = { gmt_create: 'startTime', job_id: 'jobId', status: 'status' }[sort];
    if (field === undefined) return invalid('sortName', 'it is gmt_create, job_id or status');
    const order = query.get('sortOrder') ?? 'ASC';
    if (order !== 'ASC' && order !== 'DESC') return invalid('sortOrder', 'it is ASC or DESC');
    const sign = order === 'ASC' ? 1 : -1;
    return page(
      [...rows].sort((left, right) => sign * compare(left[field], right[field])),
      paging,
    );
  },
};

function compare(left: Json | undefined, right: Json | undefined): number {
  if (typeof left === 'number' || typeof right === 'number') return Number(left ?? 0) - Number(right ?? 0);
  const [one, other] = [JSON.stringify(left ?? ''), JSON.stringify(right ?? '')];
  return one < other ? -1 : one > other ? 1 : 0;
}
