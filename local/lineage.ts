import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { answerLineage } from '../functions/fetch/answer.ts';
import { FORMATS } from '../functions/fetch/query.ts';
import { Failure } from '../shared/core/failure.ts';
import type { Graph } from '../shared/core/graph.ts';
import { treeOf } from '../shared/formats/tree.ts';
import { memoryLog } from '../shared/log.ts';
import { readSettings } from '../shared/settings.ts';
import { TRUSTED } from '../shared/triggers/access.ts';
import { problemOf } from '../shared/triggers/problem.ts';
import { embeddedServices } from '../shared/wiring.ts';
import { lockDataDir } from './lock.ts';

const USAGE = `npm run lineage -- <dataset> [--upstream | --downstream] [--depth 3] [--columns]
                            [--to <dataset>] [--owner <manifest>] [--job <job>] [--target <target>] [--outcome <outcome>]
                            [--format tree|${FORMATS.join('|')}]
npm run lineage -- --find <part of a name>

<dataset> is namespace/name, or a vendor's name such as dataphin:odps.1.p.t. Asks the runtime that serves DATA_DIR, else reads
DATA_DIR itself. Ends with 0 when there is an answer, 1 when there is none, 2 when the question is wrong.
`;

class Misuse extends Error {}

interface Answered {
  readonly status: number;
  readonly text: string;
}

/** Prints an answer as a tree, or in a format to pipe on. */
async function main(args: readonly string[]): Promise<number> {
  const asked = questionOf(args);
  if (asked === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { query, format } = asked;
  query.set('format', format === 'tree' ? 'json' : format);
  const settings = readSettings();
  const { status, text } = (await fromRuntime(settings.dataDir, query)) ?? (await fromFolder(query));
  if (status !== 200) {
    process.stderr.write(`${reasonIn(text)}\n`);
    return status === 400 ? 2 : 1;
  }
  process.stdout.write(format === 'tree' ? asTree(text, query) : text.replace(/^\ufeff/, ''));
  return 0;
}

function questionOf(args: readonly string[]): { query: URLSearchParams; format: string } | undefined {
  const { values, positionals } = read(args);
  if (values.help) return undefined;
  const [dataset, ...rest] = positionals;
  if (rest.length > 0) throw new Misuse(`one dataset at a time; quote a name with spaces (${rest.join(' ')})`);
  if (dataset === undefined && values.find === undefined && values.owner === undefined)
    throw new Misuse('which dataset?');
  if (values.upstream && values.downstream)
    throw new Misuse('give --upstream or --downstream; without either it is both');
  const format = values.format ?? 'tree';
  if (format !== 'tree' && !FORMATS.some((each) => each === format)) {
    throw new Misuse(`--format is tree or one of ${FORMATS.join(', ')}`);
  }
  const query = new URLSearchParams();
  const put = (name: string, value: string | undefined) => value !== undefined && query.set(name, value);
  put('dataset', dataset);
  put('q', values.find);
  for (const name of ['depth', 'to', 'owner', 'job', 'target', 'outcome'] as const) put(name, values[name]);
  if (values.upstream || values.downstream) query.set('direction', values.upstream ? 'upstream' : 'downstream');
  if (values.columns) query.set('level', 'column');
  return { query, format };
}

function read(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...{ depth: text, to: text, owner: text, job: text, target: text, outcome: text, format: text, find: text },
        ...{ upstream: flag, downstream: flag, columns: flag, help: { type: 'boolean', short: 'h' } as const },
      },
    });
  } catch (thrown) {
    throw new Misuse(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

/** The answer of the runtime that serves the folder; undefined when none does. */
async function fromRuntime(dataDir: string, query: URLSearchParams): Promise<Answered | undefined> {
  try {
    const { url } = JSON.parse(await readFile(join(dataDir, 'runtime.json'), 'utf8')) as { url: string };
    const answer = await fetch(`${url}/lineage?${query}`);
    return { status: answer.status, text: await answer.text() };
  } catch {
    return undefined;
  }
}

/** Nobody serves the folder, so nobody else writes to it while it is read. */
async function fromFolder(query: URLSearchParams): Promise<Answered> {
  const settings = readSettings();
  const dataDir = resolve(settings.dataDir);
  const lock = lockDataDir(dataDir);
  try {
    const services = await embeddedServices({ ...settings, dataDir }, { log: memoryLog() });
    try {
      const request = {
        method: 'GET',
        params: {},
        query,
        headers: {},
        body: new Uint8Array(),
        caller: TRUSTED,
        deadlineMs: Date.now() + 60_000,
      };
      const answer = await answerLineage(request, services, { explore: false }).catch(problemOf);
      return { status: answer.status, text: String(answer.body) };
    } finally {
      await services.close();
    }
  } finally {
    lock.release();
  }
}

function reasonIn(text: string): string {
  try {
    const { detail, errors = [] } = JSON.parse(text) as {
      detail: string;
      errors?: { path: string; message: string }[];
    };
    return [detail, ...errors.map(({ path, message }) => `  ${path}: ${message}`)].join('\n');
  } catch {
    return text;
  }
}

function asTree(text: string, query: URLSearchParams): string {
  const graph = JSON.parse(text) as Graph & { next?: string };
  const on =
    graph.next === undefined ? '' : `There is more; ask with a smaller depth or --format json (next: ${graph.next}).\n`;
  const start = query.get('dataset');
  if (start === null)
    return graph.edges.length > 0
      ? `${graph.edges.map(({ from, to }) => `${from} → ${to}`).join('\n')}\n${on}`
      : `${graph.nodes.map((node) => node.id).join('\n') || 'nothing found'}\n${on}`;
  const directions = { upstream: ['upstream'], downstream: ['downstream'] } as const;
  const direction = query.get('direction');
  const shown =
    direction === 'upstream' || direction === 'downstream'
      ? directions[direction]
      : (['upstream', 'downstream'] as const);
  return `${treeOf(graph, start, shown)}${on}`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const misuse = thrown instanceof Misuse;
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n${misuse ? `\n${USAGE}` : ''}`);
  process.exitCode = misuse || (thrown instanceof Failure && thrown.kind === 'invalid') ? 2 : 1;
}

// Whoever reads may have seen enough (`| head`).
process.stdout.on('error', () => process.exit(0));
