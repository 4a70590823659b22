import type { Run } from '../../../shared/formats/openlineage/run.ts';
import { loadStored } from '../../../shared/intake/stored.ts';
import { decodeSubject, subjectKey } from '../../../shared/intake/subject.ts';
import type { Services } from '../../../shared/wiring.ts';
import { type Identity, jobNode } from './node-id.ts';

/** A run as Marquez answers it (web, types/api.ts, read 2026-11). */
export interface MarquezRun {
  readonly id: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly nominalStartTime: null;
  readonly nominalEndTime: null;
  readonly state: 'RUNNING' | 'COMPLETED' | 'FAILED' | 'ABORTED';
  readonly startedAt: null;
  readonly endedAt: string | null;
  readonly durationMs: null;
  readonly args: Readonly<Record<string, never>>;
  readonly jobVersion: null;
  readonly facets: Readonly<Record<string, never>>;
}

/** The runs that jobs declare the union of, newest first, by node id of the job. Jobs of other origin have none. */
export async function runsOf(
  jobs: readonly Identity[],
  { deps }: Services,
): Promise<Map<string, readonly MarquezRun[]>> {
  const keys = new Map(jobs.map((job) => [subjectKey({ kind: 'job', ...identity(job) }), jobNode(job)]));
  const rows = await deps.ledger.getMany([...keys.keys()]);
  const wanted = [...rows.values()].flatMap((row) => decodeSubject(row).runs.map((run) => run.key));
  const runs = await loadStored<Run>(wanted, deps).catch(() => new Map<string, Run>());
  const found = new Map<string, readonly MarquezRun[]>();
  for (const row of rows.values()) {
    const own = decodeSubject(row).runs.flatMap((each) => runs.get(each.key) ?? []);
    found.set(keys.get(row.key) ?? '', own.map(shapeOf).reverse());
  }
  return found;
}

const identity = ({ namespace, name }: Identity): Identity => ({ namespace, name });

function shapeOf({ runId, at, states }: Run): MarquezRun {
  const state = states.includes('COMPLETE')
    ? 'COMPLETED'
    : states.includes('FAIL')
      ? 'FAILED'
      : states.includes('ABORT')
        ? 'ABORTED'
        : 'RUNNING';
  // Nine decimals are more than Marquez' readers expect.
  const time = `${at.slice(0, 23)}Z`;
  return {
    id: runId,
    createdAt: time,
    updatedAt: time,
    nominalStartTime: null,
    nominalEndTime: null,
    state,
    startedAt: null,
    endedAt: state === 'RUNNING' ? null : time,
    durationMs: null,
    args: {},
    jobVersion: null,
    facets: {},
  };
}
