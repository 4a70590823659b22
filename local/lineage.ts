import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { answerLineage } from '../functions/fetch/answer.ts';
import { FORMATS } from '../functions/fetch/query.ts';
import { Failure } from '../shared/core/failure.ts';
import type { Graph } from '../shared/core/graph.ts';
import { treeOf } from '../shared/formats/tree.ts';
import { memoryLog } from '../shared/log.ts';
import { readKey, readSettings } from '../shared/settings.ts';
import { TRUSTED } from '../shared/triggers/access.ts';
import { problemOf } from '../shared/triggers/problem.ts';
import { embeddedServices } from '../shared/wiring.ts';
import { refuseInAws } from './aws-request.ts';
import { lockDataDir } from './lock.ts';

const USAGE = `npm run lineage -- <dataset> [--upstream | --downstream] [--depth 3] [--columns]
                            [--to <dataset>] [--owner <manifest>] [--job <job>] [--target <target>] [--outcome <outcome>]
                            [--from ledger|compare|plan|dataphin|dataarts] [--format tree|${FORMATS.join('|')}]
npm run lineage -- --find <part of a name>

<dataset> is namespace/name, or a vendor's name such as dataphin:odps.1.p.t. Asks the runtime that serves DATA_DIR (or --url), else
reads DATA_DIR itself. Where the runtime wants a key: --key, or better LINEAGE_KEY in the environment.
Ends with 0 when there is an answer, 1 when there is none, 2 when the question is wrong. npm run -s keeps npm's own lines out.
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
  const { query, format, runtime } = asked;
  query.set('format', format === 'tree' ? 'json' : format);
  const path = `lineage?${query}`.replaceAll('+', '%20');
  refuseInAws(
    runtime.url,
    [{ to: 'fetch-http', path }],
    'With a key of the scope fetch also: --url <URL of fetch-web>.',
  );
  const settings = readSettings();
  const { status, text } = (await fromRuntime(settings.dataDir, query, runtime)) ?? (await fromFolder(query));
  if (status !== 200) {
    const how = status === 401 ? '\nGive the key with --key, or in LINEAGE_KEY.' : '';
    process.stderr.write(`${reasonIn(text)}${how}\n`);
    return status === 400 ? 2 : 1;
  }
  const shown = format === 'tree' ? asTree(text, query) : text.replace(/^\ufeff/, '');
  process.stdout.write(shown.endsWith('\n') ? shown : `${shown}\n`);
  return 0;
}

interface RuntimeAccess {
  readonly url: string | undefined;
  readonly key: string | undefined;
}

function questionOf(
  args: readonly string[],
): { query: URLSearchParams; format: string; runtime: RuntimeAccess } | undefined {
  const { values, positionals } = read(args);
  if (values.help) return undefined;
  const [dataset, ...rest] = positionals;
  if (rest.length > 0) throw new Misuse(`one dataset at a time; quote a name with spaces (${rest.join(' ')})`);
  const whole = ['plan', 'dataarts'].includes(values.from ?? '');
  if (dataset === undefined && values.find === undefined && values.owner === undefined && !whole)
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
  for (const name of ['from', 'depth', 'to', 'owner', 'job', 'target', 'outcome'] as const) put(name, values[name]);
  if (values.upstream || values.downstream) query.set('direction', values.upstream ? 'upstream' : 'downstream');
  if (values.columns) query.set('level', 'column');
  return { query, format, runtime: { url: values.url, key: values.key ?? readKey() } };
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
        ...{ from: text, key: text, url: text },
        ...{ upstream: flag, downstream: flag, columns: flag, help: { type: 'boolean', short: 'h' } as const },
      },
    });
  } catch (thrown) {
    throw new Misuse(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

/** The answer of the runtime that serves the folder; undefined when none does. */
async function fromRuntime(
  dataDir: string,
  query: URLSearchParams,
  { url: given, key }: RuntimeAccess,
): Promise<Answered | undefined> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const ask = async (url: string): Promise<Answered> => {
    const answer = await fetch(`${url.replace(/\/+$/, '')}/lineage?${query}`, { headers });
    return { status: answer.status, text: await answer.text() };
  };
  if (given !== undefined) {
    return ask(given).catch((thrown: unknown) => {
      throw new Error(`${given} does not answer (${thrown instanceof Error ? thrown.message : String(thrown)})`);
    });
  }
  try {
    const { url } = JSON.parse(await readFile(join(dataDir, 'runtime.json'), 'utf8')) as { url: string };
    return await ask(url);
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

// Whoever reads may have seen enough (`| head`).
process.stdout.on('error', () => process.exit(0));

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const misuse = thrown instanceof Misuse;
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n${misuse ? `\n${USAGE}` : ''}`);
  process.exitCode = misuse || (thrown instanceof Failure && thrown.kind === 'invalid') ? 2 : 1;
}
