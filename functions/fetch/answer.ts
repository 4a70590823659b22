import { asFailure, Failure } from '../../shared/core/failure.ts';
import type { Graph } from '../../shared/core/graph.ts';
import { csv } from '../../shared/formats/csv.ts';
import { dot } from '../../shared/formats/dot.ts';
import { mermaid } from '../../shared/formats/mermaid.ts';
import { openlineage } from '../../shared/formats/openlineage-export.ts';
import { SVG_STYLE, svg } from '../../shared/formats/svg.ts';
import { withEvidence } from '../../shared/intake/evidence.ts';
import { type Answer, json, type Request } from '../../shared/triggers/http.ts';
import { problem, problemOf } from '../../shared/triggers/problem.ts';
import type { Services } from '../../shared/wiring.ts';
import { compare } from './compare.ts';
import { lineage } from './fetch.ts';
import { liveLineage, liveProblem, liveStart } from './live.ts';
import { liveDatasets } from './live-dataset.ts';
import { lineagePage, type PageData, policyHash } from './page/page.ts';
import { planned } from './planned.ts';
import { type Asked, CONTENT_TYPES, type Format, readQuery } from './query.ts';

export interface AnswerOptions {
  /** Formats this entry gives; all by default. */
  readonly formats?: readonly Format[];
  /** The page may ask for more than it was opened with. */
  readonly explore: boolean;
}

/** `GET /lineage`, whoever asks and in whatever format. */
export async function answerLineage(request: Request, services: Services, options: AnswerOptions): Promise<Answer> {
  const read = readQuery(request);
  if ('problems' in read) return problem(400, 'the query has problems', read.problems);
  const { asked } = read;
  const { formats } = options;
  if (formats && !formats.includes(asked.format)) {
    return problem(
      406,
      `here lineage is shown as ${formats.join(' or ')}; other formats need the function that asks for AWS credentials`,
    );
  }
  try {
    const graph = asked.from === 'ledger' ? await lineage(asked, services) : await live(asked, request, services);
    if ('status' in graph) return asPage(graph, asked, options);
    const told = asked.from === 'ledger' && asked.format === 'json' ? await withEvidence(graph, services.deps) : graph;
    return rendered(told, asked, services, options);
  } catch (thrown) {
    if (asked.format !== 'html' || !(thrown instanceof Failure)) throw thrown;
    return asPage(problemOf(thrown), asked, options);
  }
}

function rendered(graph: Graph, asked: Asked, services: Services, options: AnswerOptions): Answer {
  const type = { 'content-type': CONTENT_TYPES[asked.format] };
  // For the browser's own caches the Accept header is part of the question.
  const headers = { ...type, vary: 'accept' };
  const text = (body: string, more: Readonly<Record<string, string>> = {}): Answer => ({
    status: 200,
    headers: { ...headers, ...more },
    body,
  });
  switch (asked.format) {
    case 'html':
      return lineagePage(pageData(asked, options, { graph }));
    case 'svg':
      return text(svg(graph), {
        'content-security-policy': `default-src 'none'; style-src '${policyHash(SVG_STYLE)}'`,
      });
    case 'mermaid':
      return text(mermaid(graph), nextLink(graph));
    case 'dot':
      return text(dot(graph), nextLink(graph));
    case 'csv':
      // With a byte order mark spreadsheets read it as UTF-8.
      return text(`\ufeff${csv(graph)}`, {
        ...nextLink(graph),
        'content-disposition': 'attachment; filename="lineage.csv"',
      });
    case 'openlineage': {
      const eventTime = new Date(services.deps.now()).toISOString();
      return json(200, openlineage(graph, { eventTime, producer: PRODUCER }), { vary: 'accept', ...nextLink(graph) });
    }
    default:
      return json(200, graph, { vary: 'accept' });
  }
}

const PRODUCER = 'urn:lineage-functions';

/** Formats that have no place for `next` tell it in a header. */
function nextLink(graph: Graph & { readonly next?: string }): Readonly<Record<string, string>> {
  return graph.next === undefined ? {} : { 'x-next': encodeURIComponent(graph.next) };
}

function asPage(failed: Answer, asked: Asked, options: AnswerOptions): Answer {
  if (asked.format !== 'html') return failed;
  const { detail = 'the question could not be answered' } = JSON.parse(String(failed.body)) as { detail?: string };
  const page = lineagePage(pageData(asked, options, { graph: { nodes: [], edges: [] }, error: detail }));
  return { ...page, status: failed.status };
}

function pageData(asked: Asked, { explore }: AnswerOptions, rest: Pick<PageData, 'graph' | 'error'>): PageData {
  const { dataset, to, q, owner, job, target, outcome, direction, depth, level, from, expires } = asked;
  const filter = Object.entries({ owner, job, target, outcome }).filter((each) => each[1] !== undefined);
  return {
    explore: explore && ['ledger', 'compare', 'plan'].includes(from),
    asked: {
      ...(dataset === undefined ? {} : { dataset }),
      ...(to === undefined ? {} : { to }),
      ...(q === undefined ? {} : { q }),
      ...Object.fromEntries(filter),
      direction,
      depth,
      level,
      from,
    },
    ...(expires === undefined ? {} : { expires: new Date(Number(expires) * 1_000).toISOString() }),
    ...rest,
  };
}

/** Asks the vendor now, and answers in the ledger's shape. */
async function live(asked: Asked, request: Request, services: Services): Promise<Graph | Answer> {
  if (asked.from.startsWith('flink')) return liveFlink(asked, request, services);
  try {
    const { dataset, from } = asked;
    if (from === 'plan') return await planned(asked, request.deadlineMs, services);
    if (from !== 'compare') return await liveDatasets(from, asked, request.deadlineMs, services);
    return await compare({ ...asked, dataset: dataset ?? '' }, request.deadlineMs, services);
  } catch (thrown) {
    return refused(thrown, asked, services);
  }
}

function refused(thrown: unknown, { from }: Asked, services: Services): Answer {
  const answer = liveProblem(thrown);
  if (answer.status >= 500) {
    services.log.warn('a vendor could not be asked', { target: from, reason: asFailure(thrown).message });
  }
  return answer;
}

async function liveFlink(asked: Asked, request: Request, services: Services): Promise<Graph | Answer> {
  const { start, problems } = liveStart(asked);
  if (start === undefined) return problem(400, 'the query has problems', problems);
  const { from, namespace, direction, depth, level, temporary } = asked;
  const question = { start, direction, depth, level, temporary: temporary === 'true' };
  try {
    const whole = { ...question, ...(namespace === undefined ? {} : { namespace }) };
    return await liveLineage(from, whole, request.deadlineMs, services);
  } catch (thrown) {
    return refused(thrown, asked, services);
  }
}
