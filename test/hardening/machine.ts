import { createHash } from 'node:crypto';
import type { Target } from '../../shared/converge/deps.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { memoryLog } from '../../shared/log.ts';
import { silentMetrics } from '../../shared/metrics.ts';
import { readSettings } from '../../shared/settings.ts';
import { vendors } from '../../shared/vendors/index.ts';
import type { Services } from '../../shared/wiring.ts';
import { bucket } from '../functions/bucket.ts';
import { SETTINGS } from '../functions/steady.ts';

/** All of a service in memory, with a vendor that takes everything; `state` is what it remembers. */
export async function hardened(environment: Readonly<Record<string, string>> = {}) {
  const manifests = bucket();
  const ledger = memoryLedger();
  const log = memoryLog();
  const sent: unknown[] = [];
  const secrets = new Map<string, JsonObject>();
  const settings = readSettings({ WIRE_DATAPHIN: 'keep', WIRE_DATAARTS: 'keep', ...environment });
  let ids = 0;
  const list = vendors
    .filter((each) => each.blocks.entry !== undefined)
    .map((vendor): Target => {
      const receipt = async () => ({ receipt: 'r', ambiguous: false });
      const withdraw = vendor.abilities.withdraw ? { withdraw: receipt } : {};
      return {
        name: vendor.name,
        vendor,
        account: `a ${vendor.name}`,
        secret: {},
        client: { register: receipt, ...withdraw },
      };
    });
  const queue = {
    send: async (message: unknown) => void sent.push(message),
    sendMany: async (messages: readonly unknown[]) => void sent.push(...messages),
  };
  const services = {
    settings,
    log,
    secrets: { get: async (name: string) => secrets.get(name), list: async () => [...secrets.keys()] },
    deps: {
      ledger,
      log,
      metrics: silentMetrics,
      queue,
      manifests,
      targets: async () => ({ list, problems: [] }),
      naming: async () => ({ etag: '', naming: NO_NAMING }),
      now: Date.now,
      id: () => `id-${ids++}`,
      alive: (lease: { readonly until: number }) => lease.until > Date.now(),
      settings: { ...SETTINGS, concurrency: 4 },
    },
  } as unknown as Services;
  /** Without what only says why a message failed. */
  const state = async () => {
    const objects = (await manifests.list('', { limit: 100_000 })).items.map(({ key, etag }) => [key, etag]);
    const rows = ledger
      .rows()
      .filter((row) => !row.key.startsWith('letter/'))
      .map(({ rev: _rev, ...row }) => row);
    return createHash('sha256')
      .update(JSON.stringify([objects, rows, sent.length]))
      .digest('hex');
  };
  return {
    services,
    log,
    state,
    sent,
    manifests,
    hold: (name: string, secret: JsonObject) => secrets.set(name, secret),
  };
}
