import { randomUUID } from 'node:crypto';
import { Failure } from '../../shared/core/failure.ts';
import { type Graph, graphOf } from '../../shared/core/graph.ts';
import { mergedGraph } from '../../shared/core/graph-merge.ts';
import { decodeUtf8 } from '../../shared/core/utf8.ts';
import { type Answer, json, type Request } from '../../shared/triggers/http.ts';
import { admitAcs3, type Refusal } from '../../shared/triggers/vendor-signature.ts';
import {
  API_VERSION,
  envelope,
  lineageInfoOf,
  lineageInfoOfVendor,
  nameOfId,
  type Problem,
  type Question,
  readQuestion,
} from '../../shared/vendors/flink/inbound.ts';
import type { Services } from '../../shared/wiring.ts';
import { type LineageQuery, lineage } from '../fetch/fetch.ts';
import { refused } from './dataphin.ts';
import { ownersOfJob } from './jobs.ts';
import { keptUnits } from './kept.ts';

const MISSING_SCOPE: Refusal = {
  status: 403,
  code: 'NoPermission',
  message: 'You are not authorized to do this action: the client has no scope fetch.',
};
/** Alibaba, public error codes, read 2026-11: flow control is 400, not 429. */
const THROTTLED = { status: 400, code: 'Throttling' };
const UNAVAILABLE = { status: 503, code: 'ServiceUnavailable' };
/** Pieces of an answer; what is larger must be asked for in parts. */
const MOST = 1_000;
/** Datasets from which a walk goes on beyond a job. */
const MOST_ENDS = 50;

/** `POST /meta/v2/lineage` in Flink's ROA style. What goes wrong after the signature is HTTP 200 with `success` false. */
export async function flink(request: Request, services: Services): Promise<Answer> {
  const id = randomUUID().toUpperCase();
  const answer = (said: Parameters<typeof envelope>[1]) => json(200, envelope(id, said), { 'x-acs-request-id': id });
  try {
    const path = '/meta/v2/lineage';
    const admitted = await admitAcs3({ ...request, path }, 'fetch', { missingScope: MISSING_SCOPE }, services);
    if ('refused' in admitted) return refused(admitted.refused, request, id);
    const { 'x-acs-action': action = 'GetLineageInfo', 'x-acs-version': version = API_VERSION } = request.headers;
    if (action !== 'GetLineageInfo') {
      const message = `Specified api ${action.slice(0, 100)} is not found at this path.`;
      return refused({ status: 404, code: 'InvalidApi.NotFound', message }, request, id);
    }
    if (version !== API_VERSION) {
      const message = `Specified parameter Version is not valid: use ${API_VERSION}.`;
      return refused({ status: 404, code: 'InvalidVersion', message }, request, id);
    }
    const question = readQuestion(bodyOf(request.body), request.headers['workspace'] ?? '');
    if ('problem' in question) return answer(question);
    if (services.settings.wire.flink === 'relay') {
      return answer({ data: await askFlink(question, services, request.deadlineMs) });
    }
    const graph = await graphFor(question, services);
    return answer('problem' in graph ? graph : { data: lineageInfoOf(graph, question.level) });
  } catch (thrown) {
    if (thrown instanceof Failure && !thrown.retryable) {
      const code = thrown.code ?? (thrown.kind === 'missing' ? 'LineageNotFound' : 'InvalidParameter');
      return answer({ problem: { code, message: thrown.message } });
    }
    if (!(thrown instanceof Failure)) services.log.error('request failed', { reason: String(thrown) });
    const message = thrown instanceof Failure ? thrown.message : 'An unexpected error; the log has it.';
    const throttled = thrown instanceof Failure && thrown.kind === 'throttled';
    return refused({ ...(throttled ? THROTTLED : UNAVAILABLE), message }, request, id);
  }
}

function bodyOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(bytes) ?? '');
  } catch {
    return undefined;
  }
}

async function askFlink(question: Question, services: Services, deadlineMs: number) {
  const { list } = await services.deps.targets();
  const able = list.filter((each) => each.client.lineage !== undefined);
  const target =
    able.find((each) => each.secret['workspace'] === question.workspace) ?? (able.length === 1 ? able[0] : undefined);
  if (target?.client.lineage === undefined) {
    throw new Failure(
      'conflict',
      'no Flink is configured for this workspace; put its credentials into the secret lineage/flink',
      {
        code: 'InvalidWorkspace',
      },
    );
  }
  const { id, direction, depth, level, temporary, namespace } = question;
  const found = await target.client.lineage(
    {
      start: question.idType === 'job' ? { jobId: id } : { table: id },
      ...(namespace === undefined ? {} : { namespace }),
      direction,
      depth,
      level,
      temporary,
    },
    { deadlineMs },
  );
  return lineageInfoOfVendor(found, level);
}

type Found = Graph | { readonly problem: Problem };

/** From everything known here, whatever its origin. */
async function graphFor(question: Question, services: Services): Promise<Found> {
  return question.idType === 'table' ? aroundTable(question, services) : ofJob(question, services);
}

function notFound({ idType, id }: Question): Found {
  const what = `no lineage is known here for the ${idType} ${id.slice(0, 300)}`;
  return { problem: { code: 'LineageNotFound', message: what } };
}

const TOO_LARGE: Found = {
  problem: {
    code: 'LineageTooLarge',
    message: `the answer has more than ${MOST} edges; lower depth, or ask in one direction`,
  },
};

const VENDORS = ['flink', 'dataphin', 'dataarts'] as const;

async function aroundTable(question: Question, services: Services): Promise<Found> {
  // A table that exists only while its job runs is never declared as such.
  if (question.temporary) return notFound(question);
  const { id, direction, depth, level } = question;
  const own = nameOfId('t', id);
  const names = own === undefined ? [id, ...VENDORS.map((vendor) => `${vendor}:${id}`)] : [own];
  for (const dataset of names) {
    const found = await known({ dataset, direction, depth, level, limit: MOST }, services);
    if (found !== undefined) return found;
  }
  return notFound(question);
}

/** A job's own edges are one step; each further step goes on at their outer ends. */
async function ofJob(question: Question, services: Services): Promise<Found> {
  const { id, direction, depth, level } = question;
  let graph: Graph | undefined;
  const add = (more: Graph) => {
    graph = graph === undefined ? more : mergedGraph(graph, more);
  };
  for (const owner of await ownersOfJob(nameOfId('j', id) ?? id, question.namespace, services)) {
    const found = await known({ owner, direction: 'both', depth: 1, level, limit: MOST }, services);
    if (found !== undefined && 'problem' in found) return found;
    if (found !== undefined) add(found);
    add(graphOf(await keptUnits(owner, services), { columns: level === 'column' }));
  }
  if (graph === undefined) {
    const found = await known({ job: id, direction: 'both', depth: 1, level, limit: MOST }, services);
    if (found === undefined || 'problem' in found) return found ?? notFound(question);
    if (found.edges.length === 0) return notFound(question);
    add(found);
  }
  const start: Graph = graph ?? { nodes: [], edges: [] };
  for (const way of depth > 1 ? (['upstream', 'downstream'] as const) : []) {
    if (direction !== 'both' && direction !== way) continue;
    const ends = new Set(start.edges.map((edge) => (way === 'upstream' ? edge.from : edge.to)));
    if (ends.size > MOST_ENDS) return TOO_LARGE;
    for (const dataset of ends) {
      const found = await known({ dataset, direction: way, depth: depth - 1, level, limit: MOST }, services);
      if (found !== undefined && 'problem' in found) return found;
      if (found !== undefined) add(found);
    }
  }
  return graph === undefined ? notFound(question) : graph;
}

/** Undefined when nothing is known. */
async function known(query: LineageQuery, services: Services): Promise<Found | undefined> {
  try {
    const { next, ...graph } = await lineage(query, services);
    return next === undefined ? graph : TOO_LARGE;
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.kind === 'missing') return undefined;
    throw thrown;
  }
}
