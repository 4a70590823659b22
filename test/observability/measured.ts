import { entries } from '../../local/entries.ts';
import { invocation } from '../../local/invocation.ts';
import { sqsEvent } from '../../local/worker.ts';
import type { Told } from '../../shared/metrics.ts';
import { manifest, openLocal, pairs } from '../functions/local.ts';

/** What a runtime tells that has met most of what is measured: edges of every kind, a vendor that is slow, refuses and throttles, and messages that fail. */
export async function measured(deployment: string): Promise<readonly Told[]> {
  const at = await openLocal({ DEPLOYMENT: deployment, DRIFT_DETECT: '100', SMALL_TARGET: '2' });
  const put = (name: string, text: string) => at.request('PUT', `/manifests/${name}`, text);
  await at.fault('dataphin', { kind: 'throttle', operation: 'AddRegisterLineage', times: 1 });
  await put('a.json', manifest(pairs('a', 12), { targets: ['dataphin', 'dataarts'] }));
  // Withdrawing most of it is held.
  await put('a.json', manifest(pairs('a', 1), { targets: ['dataphin', 'dataarts'] }));
  await at.fault('dataarts', { kind: 'lost-answer', operation: 'CreateLineageInfo', times: 1 });
  await put('b.json', manifest(pairs('b', 1), { targets: ['dataarts'] }));
  await at.fault('dataphin', { kind: 'unavailable', times: 50 });
  await put('c.json', manifest(pairs('c', 1)));
  await at.clearFaults('dataphin');
  await at.fault('dataphin', { kind: 'denied', times: 50 });
  await put('d.json', manifest(pairs('d', 1)));
  const alien = entries['register-worker'].open(at.runtime.services);
  await alien(sqsEvent('alien', 'hello', 1, 'lineage'), invocation('register-worker', 60_000, 'r1'));
  const broken = entries['register-http'].open(at.runtime.services);
  await broken({} as never, invocation('register-http', 60_000, 'r2')).catch(() => {});
  await at.runtime.reconcile();
  await at.end();
  return at.told;
}
