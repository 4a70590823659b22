import { decodeOwner } from '../shared/converge/owner.ts';
import { unitKey } from '../shared/converge/unit-row.ts';
import { columnsOf } from '../shared/core/claims.ts';
import type { Job } from '../shared/core/edge.ts';
import { NO_NAMING } from '../shared/core/naming.ts';
import { formatOf } from '../shared/core/owner-key.ts';
import { resolveManifest } from '../shared/core/resolve.ts';
import { decodeUnit, type UnitState } from '../shared/core/unit-state.ts';
import { type ExportEntry, exportManifest } from '../shared/formats/manifest-export.ts';
import { loadIds } from '../shared/ledger/id-set.ts';
import { parse } from '../shared/parse.ts';
import { vendors } from '../shared/vendors/index.ts';
import type { Vendor } from '../shared/vendors/vendor.ts';
import type { Services } from '../shared/wiring.ts';
import type { Exported } from './export-vendors.ts';

/**
 * What the ledger says each owner declares, one manifest per owner and target. Each is read back and mapped before it is given: what
 * would not come out as the very same edges is left out and noted, so that nothing is ever registered twice because of an export.
 */
export async function exportLedger(services: Services): Promise<Exported> {
  const { deps } = services;
  const files = new Map<string, string>();
  const notes: string[] = [];
  for (let after: string | undefined, more = true; more; ) {
    const page = await deps.ledger.find('owners', after === undefined ? {} : { after });
    for (const row of (await deps.ledger.getMany(page.items)).values()) {
      const state = decodeOwner(row);
      const units = await unitsOf([...(await loadIds(deps.ledger, state.units, new Map()))], state.owner, services);
      for (const [target, group] of Map.groupBy(units, (unit) => unit.target)) {
        const made = await oneTarget(state.owner, target, group, services);
        notes.push(...made.notes);
        if (made.text !== undefined) files.set(fileOf(state.owner, target), made.text);
      }
    }
    after = page.next;
    more = after !== undefined;
  }
  return { files, notes };
}

async function oneTarget(owner: string, target: string, units: readonly UnitState[], services: Services) {
  const vendor = vendors.find(({ name }) => name === units[0]?.vendor);
  if (vendor?.written === undefined) return { notes: [`${owner}: ${target} is not a target that can be exported`] };
  const jobs = [await jobOf(owner, services), jobOfKey(owner), undefined];
  let best: { readonly text: string; readonly kept: readonly UnitState[] } | undefined;
  for (const job of jobs) {
    const kept = await reproduced(owner, target, units, vendor, job, services);
    if (best !== undefined && kept.length <= best.kept.length) continue;
    const text = manifestOf(owner, target, kept, vendor, job, services);
    best = { text, kept };
    if (kept.length === units.length) break;
  }
  const kept = new Set(best?.kept.map(({ id }) => id));
  const notes = units
    .filter(({ id }) => !kept.has(id))
    .map(({ from, to }) => {
      const edge = `${from.map(({ name }) => name).join(', ')} -> ${to.map(({ name }) => name).join(', ')}`;
      return `${owner}: ${edge} is left out: at ${target} it belongs to a job that only its manifest names, and that is gone`;
    });
  return kept.size === 0 || best === undefined ? { notes } : { text: best.text, notes };
}

/** Those of the units that the exported manifest would map to again. */
async function reproduced(
  owner: string,
  target: string,
  units: readonly UnitState[],
  vendor: Vendor,
  job: Job | undefined,
  services: Services,
): Promise<readonly UnitState[]> {
  const { settings } = services.deps;
  const parsed = await parse(Buffer.from(manifestOf(owner, target, units, vendor, job, services)), 'json');
  if ('problems' in parsed) return [];
  const { entries } = resolveManifest(parsed.manifest, NO_NAMING);
  const { list } = await services.deps.targets();
  const secret = list.find((each) => each.name === target)?.secret ?? {};
  const account = units[0]?.account ?? '';
  const mapping = vendor.units({ entries, ...(job ? { job } : {}), account, secret, deployment: settings.deployment });
  const ids = new Set(mapping.units.map(({ id }) => id));
  return units.filter(({ id }) => ids.has(id));
}

function manifestOf(
  owner: string,
  target: string,
  units: readonly UnitState[],
  vendor: Vendor,
  job: Job | undefined,
  { deps }: Services,
): string {
  const entries = units.flatMap((unit): ExportEntry[] => {
    const claim = unit.claims[owner];
    const said = claim && vendor.written?.({ spec: unit.spec, options: claim.options }, deps.settings.deployment);
    if (claim === undefined || said === undefined) return [];
    const tables = (side: 'from' | 'to') =>
      said[side].map((block, at) => {
        const { name = '', dataset } = unit[side][at] ?? {};
        const label = name.split('.').slice(-2).join('_');
        return { label, vendor: vendor.name, block, ...(dataset === undefined ? {} : { dataset }) };
      });
    return [{ from: tables('from'), to: tables('to'), columns: columnsOf(unit, claim.mask), options: said.options }];
  });
  return `${JSON.stringify(exportManifest(target, entries, job), null, 1)}\n`;
}

async function unitsOf(ids: readonly string[], owner: string, { deps }: Services): Promise<readonly UnitState[]> {
  const units: UnitState[] = [];
  for (let at = 0; at < ids.length; at += 100) {
    const rows = await deps.ledger.getMany(ids.slice(at, at + 100).map(unitKey));
    for (const row of rows.values()) units.push(decodeUnit(row.body));
  }
  const text = (unit: UnitState) => JSON.stringify([unit.from, unit.to, unit.id]);
  return units.filter((unit) => unit.claims[owner] !== undefined).sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

/** The job that the owner's manifest names, as long as there is one. */
async function jobOf(owner: string, { deps }: Services): Promise<Job | undefined> {
  const object = await deps.manifests.get(owner).catch(() => undefined);
  const parsed = object && (await parse(object.bytes, formatOf(owner)));
  return parsed === undefined || 'problems' in parsed ? undefined : parsed.manifest.job;
}

/** `openlineage/<namespace>/<job>.json` and the like say it themselves, unless a name was too long. */
function jobOfKey(owner: string): Job | undefined {
  const [prefix, namespace, name, ...more] = owner.replace(/\.json$/, '').split('/');
  const tells = prefix === 'openlineage' || prefix === 'http' || prefix === 'flink';
  if (!tells || namespace === undefined || name === undefined || more.length > 0) return undefined;
  if (`${namespace}${name}`.includes('~')) return undefined;
  return { namespace: decodeURIComponent(namespace), name: decodeURIComponent(name) };
}

function fileOf(owner: string, target: string): string {
  const path = owner.replace(/\.(ya?ml|json)$/, '').replace(/^manifests\//, '');
  return `manifests/${path}.${target.replaceAll('/', '-')}.json`;
}
