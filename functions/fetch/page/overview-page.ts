import { escaped } from '../../../shared/formats/markup.ts';
import type { Answer } from '../../../shared/triggers/http.ts';
import type { Attention, ManifestState, Overview } from '../overview.ts';
import type { VendorState } from '../overview-vendors.ts';
import { document } from './page.ts';

/** How everything stands, as a document that needs no script. Every text goes through `escaped`. */
export function overviewPage(found: Overview, { explore }: { readonly explore: boolean }): Answer {
  const main = `<div class="overview"><h1>Overview</h1>
${tiles(found)}
${attentionOf(found.attention)}
${manifestsOf(found, explore)}
${unresolvedOf(found)}
<div class="columns">${vendorsOf(found)}${reconcileOf(found)}</div>
</div>`;
  return document('Lineage overview', main, { overview: true, explore }, { explore, here: 'overview' });
}

const STATES: Readonly<Record<string, { readonly sign: string; readonly as: string }>> = {
  converged: { sign: '✓', as: 'registered' },
  pending: { sign: '…', as: 'pending' },
  held: { sign: '‖', as: 'held' },
  failed: { sign: '✕', as: 'failed' },
  invalid: { sign: '✕', as: 'failed' },
  unknown: { sign: '?', as: 'unknown' },
  withdrawn: { sign: '∅', as: 'unsupported' },
};

function badge(state: string): string {
  const { sign, as } = STATES[state] ?? { sign: '…', as: 'pending' };
  return `<span class="badge is-${as}"><span aria-hidden="true">${sign}</span> ${escaped(state)}</span>`;
}

const time = (iso: string) =>
  `<time datetime="${escaped(iso)}">${escaped(iso.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC'))}</time>`;

function tiles({ manifests, next, attention, vendors }: Overview): string {
  const edges = manifests.reduce((sum, { counts = {} }) => sum + atVendors(counts), 0);
  const plus = next === undefined ? '' : '+';
  const broken = vendors.filter((each) => each.problem !== undefined || each.refused !== undefined).length;
  const tile = (value: string, name: string, tone = '') =>
    `<li class="tile${tone}"><strong>${value}</strong> ${name}</li>`;
  return `<ul class="tiles">${[
    tile(`${manifests.length}${plus}`, 'manifests'),
    tile(`${edges}${plus}`, 'edges at vendors'),
    tile(
      String(attention.length),
      attention.length === 1 ? 'needs you' : 'need you',
      attention.length > 0 ? ' warn' : '',
    ),
    tile(`${vendors.length - broken}/${vendors.length}`, 'vendors usable', broken > 0 ? ' warn' : ''),
  ].join('')}</ul>`;
}

function attentionOf(attention: readonly Attention[]): string {
  if (attention.length === 0)
    return '<section><h2>Nothing waits for you</h2><p class="soft">Held changes, failed and unknown edges would stand here.</p></section>';
  const items = attention.map(({ owner, kind, text, release, since }) => {
    const how =
      release === undefined
        ? ''
        : `<p>To apply it: <code>POST /reconcile ${escaped(release)}</code>. To keep what is there, put it back into the manifest.</p>`;
    const when = since === undefined ? '' : ` <span class="soft">since ${time(since)}</span>`;
    return `<li>${badge(kind)} <a href="/lineage?owner=${encodeURIComponent(owner)}"><bdi>${escaped(owner)}</bdi></a>${when}<p>${escaped(text)}</p>${how}</li>`;
  });
  return `<section><h2>Needs you</h2><ul class="list">${items.join('')}</ul></section>`;
}

function manifestsOf({ manifests, next }: Overview, explore: boolean): string {
  if (manifests.length === 0) {
    return `<section><h2>Manifests</h2><p class="empty">No manifest has been dropped yet. ${explore ? 'Copy one into the bucket: <code>cp events/manifests/orders.yaml .data/bucket/manifests/</code>' : 'Put one into the bucket under <code>manifests/</code>.'}</p></section>`;
  }
  const row = ({ owner, state, at, counts = {} }: ManifestState) => {
    const parts = Object.entries(counts).map(([outcome, count]) => `${count} ${escaped(outcome)}`);
    return `<tr><th scope="row"><a href="/lineage?owner=${encodeURIComponent(owner)}"><bdi>${escaped(owner)}</bdi></a></th><td>${badge(state ?? 'pending')}</td><td>${parts.join(', ') || '<span class="soft">not converged yet</span>'}</td><td class="soft">${at === undefined ? '' : time(at)}</td></tr>`;
  };
  const more = next === undefined ? '' : `<p><a href="/?after=${encodeURIComponent(next)}">More manifests</a></p>`;
  return `<section><h2>Manifests</h2><div class="scroll" tabindex="0" role="region" aria-label="Manifests"><table><thead><tr><th scope="col">Manifest</th><th scope="col">State</th><th scope="col">Edges</th><th scope="col">Last change</th></tr></thead><tbody>${manifests.map(row).join('')}</tbody></table></div>${more}</section>`;
}

function unresolvedOf({ unresolved, unnamed }: Overview): string {
  if (unresolved.length + unnamed.length === 0) return '';
  const paste = (rules: readonly object[]) =>
    rules.map((rule) => `<pre tabindex="0"><code>- ${escaped(JSON.stringify(rule))}</code></pre>`).join('');
  const edges = unresolved.map(
    ({ owner, target, from, to, reason, rules }) =>
      `<li><bdi>${escaped(from)}</bdi> → <bdi>${escaped(to)}</bdi> <span class="soft">at ${escaped(target)}, from <bdi>${escaped(owner)}</bdi></span><p>${escaped(reason)}</p>${paste(rules)}</li>`,
  );
  const names = unnamed.map(
    ({ namespace, name, vendors, owner, lastSeen, rule }) =>
      `<li><bdi>${escaped(`${namespace}/${name}`)}</bdi> <span class="soft">has no name at ${escaped(vendors.join(', '))}; last named by <bdi>${escaped(owner)}</bdi> at ${time(lastSeen)}</span>${paste([rule])}</li>`,
  );
  return `<section><h2>Names without a rule</h2><p class="soft">What has no name at a vendor is not registered there. A suggested rule goes into naming.yaml below <code>rules:</code>, with its guesses corrected.</p><ul class="list">${[...edges, ...names].join('')}</ul></section>`;
}

function vendorsOf({ vendors }: Overview): string {
  const rows = vendors.map((vendor) => {
    const { target, title, problem, mode, refused } = vendor;
    const [as, sign, word] =
      problem !== undefined
        ? ['failed', '✕', 'not usable']
        : refused !== undefined
          ? ['failed', '✕', 'refuses us']
          : ['registered', '✓', 'usable'];
    const wrong =
      problem ?? (refused && `${refused.reason} Tried again at ${refused.retryAt.replace(/\.\d+Z$/, 'Z')}.`);
    const restricted = mode === undefined ? '' : ` <span class="badge is-held">${escaped(mode)}</span>`;
    return `<li><span class="badge is-${as}"><span aria-hidden="true">${sign}</span> ${word}</span> <strong>${escaped(target)}</strong>${restricted} <span class="soft">${escaped(title === target ? '' : title)}</span>${wrong === undefined ? '' : `<p>${escaped(wrong)}</p>`}${budgetOf(vendor)}</li>`;
  });
  return `<section><h2>Vendors</h2><ul class="list">${rows.join('')}</ul></section>`;
}

function budgetOf({ budget, waiting, etaSeconds }: VendorState): string {
  const parts: string[] = [];
  if (budget) {
    const { callsPerSecond, callsPerDay, usedToday } = budget;
    const rate = callsPerSecond === undefined ? '' : `${callsPerSecond} calls a second at most`;
    const day =
      callsPerDay === undefined
        ? `${usedToday} calls today`
        : `<label>${usedToday} of ${callsPerDay} calls today <meter min="0" max="${callsPerDay}" high="${Math.ceil(callsPerDay * 0.8)}" value="${usedToday}">${usedToday} of ${callsPerDay}</meter></label>`;
    parts.push(day, rate);
  }
  if (waiting > 0) {
    const eta = etaSeconds === undefined ? '' : `, done in ${duration(etaSeconds)} at the earliest`;
    parts.push(`${waiting} edge${waiting === 1 ? '' : 's'} waiting${eta}`);
  }
  const told = parts.filter((part) => part !== '');
  return told.length === 0 ? '' : `<p class="soft">${told.join(' · ')}</p>`;
}

function duration(seconds: number): string {
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** The report's own words; whoever wrote it may say more than is shown here. */
function reconcileOf({ reconcile, at }: Overview): string {
  const now = `<p class="soft">This page: ${time(at)}</p>`;
  if (reconcile === undefined) {
    return `<section><h2>Last reconcile</h2><p class="empty">No pass has written a report yet.</p>${now}</section>`;
  }
  const { startedAt, finishedAt, complete, failed, counts, edges, drift, held, left } = reconcile;
  const facts: (readonly [string, string])[] = [
    ['Began', typeof startedAt === 'string' ? time(startedAt) : ''],
    ['Ended', typeof finishedAt === 'string' ? `${time(finishedAt)}${complete === false ? ', not complete' : ''}` : ''],
    ['Failed', typeof failed === 'string' ? escaped(failed) : ''],
    ['Manifests', numbers(counts)],
    ['Edges', numbers(edges)],
    ['Drift', drift === undefined ? '' : numbers(drift) || 'none'],
    ['Held', Array.isArray(held) && held.length > 0 ? `${held.length}; see above how to release them` : ''],
    ['Left', typeof left === 'object' ? escaped(String((left as { reason?: unknown })?.reason ?? '')) : ''],
  ];
  const told = facts.filter(([, value]) => value !== '');
  const list = told.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('');
  return `<section><h2>Last reconcile</h2><dl class="facts">${list}</dl>${now}</section>`;
}

/** The numbers of an object, as `3 unchanged, 1 done`. */
function numbers(found: unknown): string {
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return '';
  const counts = Object.entries(found).filter(([, value]) => typeof value === 'number' && value > 0);
  return counts.map(([name, value]) => `${value} ${escaped(name)}`).join(', ');
}

/** Edges that stand at a vendor, as far as anybody knows. */
function atVendors(counts: Readonly<Record<string, number>>): number {
  const { registered = 0, unchanged = 0, conflict = 0, held = 0, unsupported = 0 } = counts;
  return registered + unchanged + conflict + held + unsupported;
}
