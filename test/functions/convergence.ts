import { converge } from '../../shared/converge/converge.ts';
import type { ConvergeDeps, ConvergeSettings, Target } from '../../shared/converge/deps.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { silentLog } from '../../shared/log.ts';
import type { Message } from '../../shared/queue/queue.ts';
import type { VendorClient } from '../../shared/vendors/vendor.ts';
import { bucket } from './bucket.ts';
import { SETTINGS, vendorOf } from './steady.ts';

/** `converge` with everything in memory and a time that only the test moves on. */
export function convergence(
  client: VendorClient,
  options: { readonly vendor?: string; readonly ledger?: Ledger; readonly settings?: Partial<ConvergeSettings> } = {},
) {
  const { vendor: name = 'dataphin', ledger = memoryLedger() } = options;
  const vendor = vendorOf(name);
  const manifests = bucket();
  const state = { now: Date.UTC(2026, 10, 21, 12), ids: 0 };
  const sent: { readonly message: Message; readonly delayMs: number }[] = [];
  const target: Target = { name, vendor, account: 'a', secret: {}, client };
  const deps: ConvergeDeps = {
    ledger,
    manifests,
    log: silentLog,
    queue: { send: async (message, { delayMs = 0 } = {}) => void sent.push({ message: message as Message, delayMs }) },
    targets: async () => ({ list: [target], problems: [] }),
    naming: async () => ({ etag: 'none', naming: NO_NAMING }),
    now: () => state.now,
    id: () => `id-${state.ids++}`,
    alive: (lease) => lease.until > state.now,
    settings: { ...SETTINGS, lateBoundMs: 1_000, callBudgetMs: 10_000, concurrency: 4, ...options.settings },
  };
  return {
    state,
    deps,
    ledger,
    sent,
    put: (owner: string, text: string) => manifests.put(owner, Buffer.from(text), 'application/json'),
    run: (owner: string, sliceMs = 60_000) => converge({ owner, deadlineMs: state.now + sliceMs }, deps),
    async status(owner: string): Promise<StatusDocument> {
      const object = await manifests.get(`status/${owner}.json`);
      return JSON.parse(Buffer.from(object?.bytes ?? []).toString('utf8')) as StatusDocument;
    },
  };
}
