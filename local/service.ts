import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readKey, readSettings } from '../shared/settings.ts';

/** Base URL of the service that commands talk to: `--url`, else the runtime that has DATA_DIR. Throws when there is none. */
export async function serviceUrl(given: string | undefined): Promise<string> {
  if (given !== undefined) return given.replace(/\/+$/, '');
  const { dataDir } = readSettings();
  try {
    const { url } = JSON.parse(await readFile(join(dataDir, 'runtime.json'), 'utf8')) as { url: string };
    return url;
  } catch {
    throw new Error(`no service is running on ${dataDir}; start it with npm start, or give --url`);
  }
}

/** Sends JSON and gives the answer's JSON; with the key given, else LINEAGE_KEY, if any. Throws with the problem's text when it is refused. */
export async function post(url: string, path: string, body: unknown, key?: string): Promise<unknown> {
  const headers = { 'content-type': 'application/json', ...keyHeader(key) };
  return read(await reached(url, path, { method: 'POST', headers, body: JSON.stringify(body) }));
}

/** The header that a key goes into: the one given, else LINEAGE_KEY; none without either. */
export function keyHeader(given: string | undefined): { authorization?: string } {
  const key = given ?? readKey();
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

/** Sends a request. Throws with the URL and what to do when nobody is there. */
export async function reached(
  url: string,
  path: string,
  init: { readonly method?: string; readonly headers: Record<string, string>; readonly body?: string },
): Promise<Response> {
  try {
    return await fetch(`${url}${path}`, init);
  } catch (thrown) {
    const { cause } = thrown as { cause?: unknown };
    const why = cause instanceof Error ? ` (${cause.message})` : '';
    throw new Error(
      `${url} cannot be reached${why}; start the service with npm start, or give the --url of one that runs`,
    );
  }
}

/** The answer's JSON. Throws with the problem's text, and every single problem, when it is refused. */
export async function read<T>(answer: Response): Promise<T> {
  const value = await (answer.json() as Promise<T & { detail?: string; errors?: readonly ProblemLine[] }>).catch(() => {
    throw new Error(`${answer.url} answered ${answer.status} with something else than JSON; is it this service?`);
  });
  if (answer.ok) return value;
  const how = answer.status === 401 ? '\nGive the key with --key, or in LINEAGE_KEY.' : '';
  throw new Error(`${problemText(value.detail ?? `${answer.url} answered ${answer.status}`, value.errors)}${how}`);
}

export interface ProblemLine {
  readonly path: string;
  readonly message: string;
  readonly line?: number;
}

/** What is wrong as a whole, then each problem on a line of its own. */
export function problemText(detail: string, errors: readonly ProblemLine[] = []): string {
  const lines = errors.map(({ path, message, line }) => {
    const at = [...(path === '' ? [] : [path]), ...(line === undefined ? [] : [`line ${line}`])].join(', ');
    return at === '' ? `  ${message}` : `  ${at}: ${message}`;
  });
  return [detail, ...lines].join('\n');
}
