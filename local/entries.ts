import { entry as deleteHttp } from '../functions/delete/http.ts';
import { entry as fetchHttp } from '../functions/fetch/http.ts';
import { entry as fetchWeb } from '../functions/fetch/web.ts';
import { entry as registerBucket } from '../functions/register/bucket.ts';
import { entry as registerHttp } from '../functions/register/http.ts';
import { entry as registerWebhook } from '../functions/register/webhook.ts';
import { entry as registerWorker } from '../functions/register/worker.ts';
import { entry as reconcileHttp } from '../functions/scheduled-reconcile/http.ts';
import { entry as reconcileSchedule } from '../functions/scheduled-reconcile/schedule.ts';

import { entry as vendorWire } from '../functions/vendor-wire/wire.ts';

/** The functions as the platform would know them, by name. */
export const entries = {
  'register-http': registerHttp,
  'register-webhook': registerWebhook,
  'register-bucket': registerBucket,
  'register-worker': registerWorker,
  'delete-http': deleteHttp,
  // Before fetch-http: both have GET /lineage, and this one opens signed links as well.
  'fetch-web': fetchWeb,
  'fetch-http': fetchHttp,
  'vendor-wire': vendorWire,
  'scheduled-reconcile': reconcileSchedule,
  'reconcile-http': reconcileHttp,
} as const;
