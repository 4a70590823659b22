import { asFailure, Failure } from '../../core/failure.ts';
import type { CallOptions, LineageQuery, VendorLineage } from '../vendor.ts';
import { type Ask, currentJobs, deploymentsCalled } from './discovery.ts';
import { type Answered, isEmpty, readLineage } from './reading.ts';
import { type LineageParams, lineageInfoSchema, lineageParams } from './wire.ts';

type Place = Pick<LineageParams, 'namespace' | 'workspace'>;
type Way = () => Promise<readonly Answered[]>;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Lineage from a job, a deployment (all its current jobs) or a table. Throws `Failure` `missing` when Flink knows none of the
 * name; a job that is known and has no lineage gives an empty one.
 */
export async function lineage(
  ask: Ask,
  query: LineageQuery,
  place: Place,
  options: CallOptions,
): Promise<VendorLineage> {
  const info = async (idType: LineageParams['idType'], id: string): Promise<Answered> => {
    const body = lineageParams({ id, idType }, query, place);
    const { data, requestId } = await ask('GetLineageInfo', { path: '/meta/v2/lineage', body }, options);
    const parsed = lineageInfoSchema.safeParse(data ?? {});
    if (parsed.success) return { info: parsed.data, requestId };
    const where = parsed.error.issues.slice(0, 3).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Failure('unavailable', `Flink answered GetLineageInfo with data that cannot be read (${where}).`);
  };
  const { start } = query;
  if ('table' in start) return readLineage([await info('TABLE', start.table)]);
  if ('jobId' in start) return readLineage([await info('JOB', start.jobId)]);

  const byJob: Way = async () => [await info('JOB', start.job)];
  const through = (by: 'id' | 'name'): Way => {
    return async () => {
      const answers: Answered[] = [];
      for (const { deploymentId } of await deploymentsCalled(ask, by, start.job, place.namespace, options)) {
        for (const job of await currentJobs(ask, place.namespace, deploymentId, options)) {
          answers.push(await info('JOB', job));
        }
      }
      return answers;
    };
  };
  // Ids of jobs and of deployments look alike, and what Flink says to an id of the other kind is not documented.
  const ways = UUID.test(start.job) ? [byJob, through('id'), through('name')] : [through('name'), through('id'), byJob];
  return readLineage(await firstThatKnows(/^\.{1,2}$/.test(start.job) ? [byJob] : ways, query, place));
}

/** Goes on past "no such thing" and past empty answers; everything else that fails, fails. */
async function firstThatKnows(ways: readonly Way[], query: LineageQuery, place: Place): Promise<readonly Answered[]> {
  let empty: readonly Answered[] | undefined;
  let refusal: Failure | undefined;
  for (const way of ways) {
    try {
      const answers = await way();
      if (answers.some((answer) => !isEmpty(answer))) return answers;
      if (answers.length > 0) empty ??= answers;
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.kind === 'rejected' || failure.kind === 'invalid') refusal ??= failure;
      else if (failure.kind !== 'missing') throw failure;
    }
  }
  if (empty !== undefined) return empty;
  if (refusal !== undefined) throw refusal;
  const text = 'job' in query.start ? query.start.job : '';
  throw new Failure(
    'missing',
    `Flink knows no job id, deployment id or deployment name ${JSON.stringify(text.slice(0, 200))} with a job in namespace ${JSON.stringify(place.namespace.slice(0, 200))}. Check both, and "workspace" in the target's secret.`,
  );
}
