import { escaped } from '../../../shared/formats/markup.ts';
import type { Answer } from '../../../shared/triggers/http.ts';
import type { Attention, ManifestState, Overview } from '../overview.ts';
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
  const edges = manifests.reduce((sum, { counts = {} }) => sum + Object.values(counts).reduce((a, b) => a + b, 0), 0);
  const plus = next === undefined ? '' : '+';
  const broken = vendors.filter((each) => each.problem !== undefined).length;
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

function unresolvedOf({ unresolved }: Overview): string {
  if (unresolved.length === 0) return '';
  const rows = unresolved.map(({ owner, target, from, to, reason, rules }) => {
    const paste = rules
      .map((rule) => `<pre tabindex="0"><code>- ${escaped(JSON.stringify(rule))}</code></pre>`)
      .join('');
    return `<li><bdi>${escaped(from)}</bdi> → <bdi>${escaped(to)}</bdi> <span class="soft">at ${escaped(target)}, from <bdi>${escaped(owner)}</bdi></span><p>${escaped(reason)}</p>${paste}</li>`;
  });
  return `<section><h2>Names without a rule</h2><p class="soft">These edges are not registered at the vendor named. A suggested rule goes into naming.yaml below <code>rules:</code>, with its guesses corrected.</p><ul class="list">${rows.join('')}</ul></section>`;
}

function vendorsOf({ vendors }: Overview): string {
  const rows = vendors.map(
    ({ target, title, problem }) =>
      `<li><span class="badge ${problem === undefined ? 'is-registered' : 'is-failed'}"><span aria-hidden="true">${problem === undefined ? '✓' : '✕'}</span> ${problem === undefined ? 'usable' : 'not usable'}</span> <strong>${escaped(target)}</strong> <span class="soft">${escaped(title)}</span>${problem === undefined ? '' : `<p>${escaped(problem)}</p>`}</li>`,
  );
  return `<section><h2>Vendors</h2><ul class="list">${rows.join('')}</ul></section>`;
}

function reconcileOf({ reconcile, at }: Overview): string {
  const facts = Object.entries(reconcile ?? {}).filter(([, value]) =>
    ['string', 'number', 'boolean'].includes(typeof value),
  );
  const body =
    reconcile === undefined
      ? '<p class="empty">No pass has written a report yet.</p>'
      : `<dl>${facts.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(String(value))}</dd>`).join('')}</dl>`;
  return `<section><h2>Last reconcile</h2>${body}<p class="soft">This page: ${time(at)}</p></section>`;
}
