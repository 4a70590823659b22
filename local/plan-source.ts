import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type PlanOrder, plan } from '../functions/scheduled-reconcile/plan.ts';
import type { PlanChange, PlanDocument } from '../shared/core/plan-document.ts';
import { silentLog } from '../shared/log.ts';
import { readSettings } from '../shared/settings.ts';
import { embeddedServices } from '../shared/wiring.ts';
import { lockDataDir } from './lock.ts';
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
  const headers = {
    'content-type': 'application/json',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
  type Page = PlanDocument & { readonly next?: string };
  const body = JSON.stringify({ dryRun: true, ...order });
  const first = await read<Page>(await fetch(`${url}/reconcile`, { method: 'POST', headers, body }));
  const changes: PlanChange[] = [...first.changes];
  for (let { next } = first; next !== undefined; ) {
    const page = await read<Page>(await fetch(`${url}/plan?after=${next}`, { headers }));
    changes.push(...page.changes);
    next = page.next;
  }
  const { next: _more, ...plan } = first;
  return { ...plan, changes };
}

async function read<T>(answer: Response): Promise<T> {
  const value = (await answer.json()) as T & { detail?: string; errors?: readonly ProblemLine[] };
  if (answer.ok) return value;
  throw new Error(told(value.detail ?? `the service answered ${answer.status}`, value.errors));
}

interface ProblemLine {
  readonly path: string;
  readonly message: string;
  readonly line?: number;
}

function told(detail: string, errors: readonly ProblemLine[] = []): string {
  const lines = errors.map(
    ({ path, message, line }) => `  ${path}${line === undefined ? '' : `, line ${line}`}: ${message}`,
  );
  return [detail, ...lines].join('\n');
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
      if ('invalid' in made) throw new Error(told('the manifests have problems', made.invalid));
      const { standing: _inside, ...shown } = made;
      return shown;
    } finally {
      await services.close();
    }
  } finally {
    lock.release();
  }
}
