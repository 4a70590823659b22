import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const events = resolve(import.meta.dirname, '../../events');

/** The client whose key the sample events carry. */
export function bearerClients() {
  const key_sha256 = createHash('sha256').update('example-key').digest('hex');
  return { clients: [{ name: 'sample', scopes: ['ingest', 'register', 'delete', 'fetch', 'reconcile'], key_sha256 }] };
}

/** The sample event of an entry, as it gets an answer. */
export async function sampleOf(name: string): Promise<Record<string, unknown>> {
  const event = JSON.parse(await readFile(join(events, `${name}.event.json`), 'utf8')) as Record<string, unknown>;
  if (name !== 'fetch-web') return event;
  // Its signature is an example's: a key opens the same page.
  const rawQueryString = String(event['rawQueryString']).replace(/&(expires|signature)=[^&]*/g, '');
  return {
    ...event,
    rawQueryString,
    headers: { ...(event['headers'] as object), authorization: 'Bearer example-key' },
  };
}
