import { createHash } from 'node:crypto';
import type { JsonObject } from '../../shared/core/json.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { memoryLog } from '../../shared/log.ts';
import { readSettings } from '../../shared/settings.ts';
import { TRUSTED } from '../../shared/triggers/access.ts';
import type { Request } from '../../shared/triggers/http.ts';
import type { Services } from '../../shared/wiring.ts';

/** A machine in memory that keeps what it is told; `state` is everything it remembers. */
export function machine(environment: Readonly<Record<string, string>> = {}) {
  const objects = new Map<string, Uint8Array>();
  const ledger = memoryLedger();
  const log = memoryLog();
  const secrets = new Map<string, JsonObject>();
  let ids = 0;
  const etag = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  const head = async (key: string) => {
    const bytes = objects.get(key);
    return bytes && { key, etag: etag(bytes), size: bytes.byteLength, bytes };
  };
  const services = {
    settings: readSettings({ WIRE_DATAPHIN: 'keep', WIRE_DATAARTS: 'keep', ...environment }),
    log,
    secrets: { get: async (name: string) => secrets.get(name), list: async () => [] },
    deps: {
      ledger,
      log,
      queue: { send: async () => {}, sendMany: async () => {} },
      manifests: {
        head,
        get: head,
        put: async (key: string, bytes: Uint8Array) => {
          objects.set(key, bytes);
          return { key, etag: etag(bytes), size: bytes.byteLength };
        },
        delete: async (key: string) => {
          objects.delete(key);
        },
        list: async () => ({ items: [] }),
      },
      targets: async () => ({ list: [], problems: [] }),
      naming: async () => ({ etag: '', naming: NO_NAMING }),
      now: Date.now,
      id: () => {
        ids += 1;
        return `id-${ids}`;
      },
      alive: (lease: { readonly until: number }) => lease.until > Date.now(),
      settings: {
        deployment: 'test',
        policy: { ratio: 0.3, singleRemoval: 100, smallTarget: 10 },
        graceMs: 0,
        lateBoundMs: 0,
        clockSkewMs: 0,
        ledgerTimeoutMs: 1_000,
        callBudgetMs: 1_000,
        concurrency: 1,
      },
    },
  } as unknown as Services;
  const state = () =>
    JSON.stringify([
      [...objects].map(([key, bytes]) => [key, etag(bytes)]),
      ledger.rows().map(({ rev: _rev, ...row }) => row),
    ]);
  return { services, log, state, objects, secrets };
}

/** A request as the platform hands it over. */
export const request = (more: Partial<Request>): Request => ({
  method: 'POST',
  params: {},
  query: new URLSearchParams(),
  headers: {},
  body: new Uint8Array(),
  caller: TRUSTED,
  deadlineMs: Date.now() + 20_000,
  ...more,
});
