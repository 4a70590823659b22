import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import type { Services } from '../wiring.ts';
import { invocationLog } from './invocation-log.ts';
import { told } from './told.ts';

export type ScheduleHandler = (event: unknown, context: Context) => Promise<void>;

export interface ScheduleEntry {
  readonly kind: 'schedule';
  open(services: Services): ScheduleHandler;
}

const MARGIN_MS = 5_000;

/** Runs at intervals, whatever the event says; an error is logged and thrown, so that the platform counts it and tries again. */
export function scheduled(verb: (services: Services, deadlineMs: number) => Promise<unknown>): ScheduleEntry {
  return {
    kind: 'schedule',
    open: (services) =>
      told(
        services,
        middy<unknown, void>()
          .use(invocationLog(services))
          .handler(async (_event, context) => {
            await verb(services, services.deps.now() + context.getRemainingTimeInMillis() - MARGIN_MS);
          }) as unknown as ScheduleHandler,
      ),
  };
}
