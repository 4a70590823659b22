import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { signAcs3 } from '../../shared/signing/acs3.ts';
import { parseForm } from '../../shared/signing/canonical.ts';

const events = resolve(import.meta.dirname, '../../events');

/** The clients whose keys the sample events carry. */
export function bearerClients() {
  const key_sha256 = createHash('sha256').update('example-key').digest('hex');
  const scopes = ['ingest', 'register', 'delete', 'fetch', 'reconcile'];
  const script = {
    name: 'script',
    scopes,
    access_key_id: SCRIPT.accessKeyId,
    access_key_secret: SCRIPT.accessKeySecret,
  };
  return { clients: [{ name: 'sample', scopes, key_sha256 }, script] };
}

const SCRIPT = { accessKeyId: 'LTAIexample', accessKeySecret: 'example-secret' };

/** The sample event of an entry, as it gets an answer; made for one invocation. */
export async function sampleOf(name: string): Promise<Record<string, unknown>> {
  const event = JSON.parse(await readFile(join(events, `${name}.event.json`), 'utf8')) as Record<string, unknown>;
  if (name === 'vendor-wire') return signed(event);
  if (name !== 'fetch-web') return event;
  // Its signature is an example's: a key opens the same page.
  const rawQueryString = String(event['rawQueryString']).replace(/&(expires|signature)=[^&]*/g, '');
  return {
    ...event,
    rawQueryString,
    headers: { ...(event['headers'] as object), authorization: 'Bearer example-key' },
  };
}

/** Its signature is an example's, too; a real one is good for once. */
function signed(event: Record<string, unknown>): Record<string, unknown> {
  const given = event['headers'] as Record<string, string>;
  const { host = '', 'content-type': type = '', 'x-acs-action': action = '', 'x-acs-version': version = '' } = given;
  const headers = signAcs3(
    {
      ...{ method: 'POST', host, path: '/', query: parseForm(String(event['rawQueryString'])), action, version },
      headers: { 'content-type': type, accept: 'application/json' },
      body: new TextEncoder().encode(String(event['body'])),
    },
    SCRIPT,
    { date: new Date(), nonce: randomUUID() },
  );
  return { ...event, headers };
}
