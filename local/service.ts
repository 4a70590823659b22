import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readSettings } from '../shared/settings.ts';

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

/** Sends JSON and gives the answer's JSON. Throws with the problem's text when it is refused. */
export async function post(url: string, path: string, body: unknown): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const value = (await answer.json()) as { detail?: string; errors?: readonly { path: string; message: string }[] };
  if (!answer.ok) {
    const errors = (value.errors ?? []).map((each) => `\n  ${each.path}: ${each.message}`).join('');
    throw new Error(`${value.detail ?? `${path} answered ${answer.status}`}${errors}`);
  }
  return value;
}
