import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entry } from '../../functions/register/webhook.ts';
import { startHost } from '../../local/host.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';
import { createLog } from '../../shared/log.ts';
import { readSettings } from '../../shared/settings.ts';
import { embeddedServices } from '../../shared/wiring.ts';
import { given, say } from './child.ts';

/** The webhook without the worker that takes the events in later; or, as the floor, a server that only stores the same bytes as durably. */
const mode = given<'ours' | 'floor'>();
const folder = mkdtempSync(join(tmpdir(), 'lineage-bench-'));

if (mode === 'ours') {
  const settings = readSettings({ DATA_DIR: folder });
  // The log of the product; at its usual level an event is no line.
  const services = await embeddedServices(settings, { log: createLog({ service: 'bench', level: 'warn' }) });
  const host = await startHost({ 'register-webhook': entry }, services, 0);
  say({ url: host.url, folder });
} else {
  const file = openSqliteFile(join(folder, 'floor.db'));
  file.database.exec('CREATE TABLE stored (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT');
  const insert = file.database.prepare('INSERT INTO stored (body) VALUES (?)');
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = Buffer.concat(chunks).toString('utf8');
      await file.commit(() => insert.run(body));
      response.writeHead(201, { 'content-length': 0 });
      response.end();
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () =>
    say({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, folder }),
  );
}
