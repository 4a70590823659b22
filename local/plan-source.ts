import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type PlanOrder, plan } from '../functions/scheduled-reconcile/plan.ts';
import type { PlanChange, PlanDocument } from '../shared/core/plan-document.ts';
import { silentLog } from '../shared/log.ts';
import { readSettings } from '../shared/settings.ts';
import { embeddedServices } from '../shared/wiring.ts';
import { lockDataDir } from './lock.ts';
import { keyHeader, problemText, reached, read } from './service.ts';
import { simulatedDataArtsCredentials } from './simulators/dataarts/credentials.ts';
import { simulatedDataphinCredentials } from './simulators/dataphin/index.ts';
import { simulatedFlinkCredentials } from './simulators/flink/index.ts';

export type Order = PlanOrder;

/** Base URL of the service to ask: the one given, else the runtime that serves DATA_DIR; undefined when none does. */
export async function serviceOf(given: string | undefined): Promise<string | undefined> {
  if (given !== undefined) return given.replace(/\/+$/, '');
  try {
    const text = await readFile(join(readSettings().dataDir, 'runtime.json'), 'utf8');
    const { url } = JSON.parse(text) as { url: string };
    // The file may be left from one that was killed.
    await fetch(url, { method: 'HEAD' });
    return url;
  } catch {
    return undefined;
  }
}

/** The plan that a running service makes, all of its pages. Throws with the problem's text, and every single problem of the manifests. */
export async function planAtService(url: string, key: string | undefined, order: Order): Promise<PlanDocument> {
  const headers = { 'content-type': 'application/json', ...keyHeader(key) };
  type Page = PlanDocument & { readonly next?: string };
  const body = JSON.stringify({ dryRun: true, ...order });
  const first = await read<Page>(await sent(url, '/reconcile', { method: 'POST', headers, body }));
  const changes: PlanChange[] = [...first.changes];
  for (let { next } = first; next !== undefined; ) {
    const page = await read<Page>(await reached(url, `/plan?after=${next}`, { headers }));
    changes.push(...page.changes);
    next = page.next;
  }
  const { next: _more, ...plan } = first;
  return { ...plan, changes };
}

/** What a service takes in one request: 4 MiB in AWS, 6 MiB on one machine, where it hangs up on more. */
const REQUEST_BYTES = 4 * 1024 * 1024;

async function sent(url: string, path: string, init: Parameters<typeof reached>[2]): Promise<Response> {
  const bytes = Buffer.byteLength(init.body ?? '');
  const size = `these manifests are ${(bytes / 1024 / 1024).toFixed(1)} MiB together`;
  const large = `${size}, more than a service takes at once (4 MiB in AWS, 6 MiB on one machine): name fewer, for example those that a pull request changes or one folder after the other, or plan beside the data, with DATA_DIR and no service running`;
  const answer = await reached(url, path, init).catch((thrown: unknown) => {
    throw bytes > REQUEST_BYTES ? new Error(large) : thrown;
  });
  if (answer.status === 413 && bytes > REQUEST_BYTES) throw new Error(large);
  return answer;
}

const MINUTES_MS = 600_000;

/** The plan made of DATA_DIR itself, which nobody serves; simulated vendors hold what they held when somebody did. */
export async function planInFolder(order: Order): Promise<PlanDocument> {
  const settings = readSettings();
  const dataDir = resolve(settings.dataDir);
  const lock = lockDataDir(dataDir);
  try {
    const endpoint = 'http://127.0.0.1:9';
    const { ak, sk, region, project_id, workspace_id, instance_id } = simulatedDataArtsCredentials;
    const simulated = {
      dataphin: { ...simulatedDataphinCredentials, endpoint },
      dataarts: { ak, sk, region, project_id, workspace_id, instance_id, endpoint },
      flink: { ...simulatedFlinkCredentials, endpoint },
    };
    const services = await embeddedServices({ ...settings, dataDir }, { simulated, log: silentLog });
    try {
      const made = await plan(order, services, Date.now() + MINUTES_MS);
      if ('invalid' in made) throw new Error(problemText('the manifests have problems', made.invalid));
      const { standing: _inside, ...shown } = made;
      return shown;
    } finally {
      await services.close();
    }
  } finally {
    lock.release();
  }
}
