import { asFailure, type Failure } from '../core/failure.ts';
import { BUDGET_SPENT, BUDGET_UNREAD } from '../http/budget.ts';
import { CIRCUIT_OPEN } from '../http/circuit.ts';
import type { HttpRequest } from '../http/transport.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { VendorIo } from './vendor.ts';

export interface Observer {
  readonly target: string;
  readonly log?: Log | undefined;
  readonly metrics?: Metrics | undefined;
}

/** Shorter waits are the ledger's own time, and no sign of a budget. */
const WORTH_TELLING_MS = 1;

/** The same way to a vendor, with every exchange told: how often, how long, how it failed, and how long its budget made it wait. */
export function observed(io: VendorIo, { target, log, metrics }: Observer): VendorIo {
  const { now, transport } = io;
  return {
    ...io,
    transport: {
      async send(request) {
        const began = now();
        const about = { target, operation: operationOf(request) };
        const tell = (fields: { readonly status: number } | { readonly reason: string }) => {
          const ms = now() - began;
          metrics?.addFor('VendorCalls', target, 1);
          metrics?.addFor('VendorLatency', target, ms);
          log?.debug('vendor call', { ...about, ...fields, ms });
        };
        try {
          const answer = await transport.send(request);
          tell({ status: answer.status });
          return answer;
        } catch (thrown) {
          tell({ reason: asFailure(thrown).message });
          throw thrown;
        }
      },
    },
    async permit(deadlineMs, lane) {
      const began = now();
      try {
        await io.permit(deadlineMs, lane);
      } finally {
        const ms = now() - began;
        if (ms >= WORTH_TELLING_MS) metrics?.addFor('BudgetWait', target, ms);
      }
    },
    failed(failure) {
      io.failed?.(failure);
      const name = metricOf(failure);
      if (name !== undefined) metrics?.addFor(name, target, 1);
      log?.debug('vendor call failed', {
        target,
        kind: failure.kind,
        maybeApplied: failure.maybeApplied,
        ...(failure.code === undefined ? {} : { code: failure.code }),
        ...(failure.requestId === undefined ? {} : { vendor_request_id: failure.requestId }),
      });
    },
  };
}

function metricOf({ kind, code }: Failure): 'VendorThrottles' | 'VendorFailures' | 'BudgetSpent' | undefined {
  if (code === CIRCUIT_OPEN || code === BUDGET_UNREAD) return undefined;
  if (code === BUDGET_SPENT) return 'BudgetSpent';
  return kind === 'throttled' ? 'VendorThrottles' : 'VendorFailures';
}

/** What was asked for, without what follows in a query: names of accounts and tables stand there. */
function operationOf({ method, url, headers }: HttpRequest): string {
  return headers['x-acs-action'] ?? `${method} ${new URL(url).pathname}`;
}
