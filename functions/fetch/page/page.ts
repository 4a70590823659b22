import { createHash } from 'node:crypto';
import type { Graph } from '../../../shared/core/graph.ts';
import { escaped } from '../../../shared/formats/markup.ts';
import type { Answer } from '../../../shared/triggers/http.ts';
import type { ComparedGraph } from '../compare.ts';
import type { PlannedGraph } from '../planned.ts';
import { script } from './client.bundle.ts';
import { STYLE } from './style.ts';

/** What the page is opened with; its script reads it from a block of JSON in the document. */
export interface PageData {
  readonly graph: Graph & {
    readonly next?: string;
    readonly partial?: true;
    /** Vendors that were compared with the ledger. */
    readonly compare?: ComparedGraph['compare'];
    /** The plan that the marks are of. */
    readonly plan?: PlannedGraph['plan'];
  };
  readonly asked: {
    readonly dataset?: string;
    readonly to?: string;
    readonly q?: string;
    readonly owner?: string;
    readonly job?: string;
    readonly target?: string;
    readonly outcome?: string;
    readonly direction: 'upstream' | 'downstream' | 'both';
    readonly depth: number;
    readonly level: 'table' | 'column';
    readonly from: string;
  };
  /** The page may ask for more (search, neighbours, links). */
  readonly explore: boolean;
  /** A shared link, until when. */
  readonly expires?: string;
  /** Why there is no graph. */
  readonly error?: string;
}

export function policyHash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

const POLICY = [
  "default-src 'none'",
  `script-src '${policyHash(script)}'`,
  `style-src '${policyHash(STYLE)}'`,
  'img-src data: blob:',
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** A whole HTML document: everything inline, nothing from elsewhere. `main` is markup, already escaped. */
export function document(
  title: string,
  main: string,
  data: unknown,
  nav: { explore: boolean; here: 'overview' | 'lineage' | 'plan' },
): Answer {
  // `<` as an escape, so that no text can end the block.
  const block = JSON.stringify(data).replaceAll('<', '\\u003c');
  const link = (href: string, name: string, current: boolean) =>
    `<a href="${href}"${current ? ' aria-current="page"' : ''}>${name}</a>`;
  const links = nav.explore
    ? `<nav aria-label="Pages">${link('/', 'Overview', nav.here === 'overview')}${link('/lineage', 'Graph', nav.here === 'lineage')}${link('/lineage?from=plan', 'Plan', nav.here === 'plan')}</nav>`
    : '';
  const search = nav.explore
    ? `<form class="search" role="search" action="/lineage"><label class="hidden" for="q">Find a dataset</label><input id="q" name="q" type="search" placeholder="Find a dataset" autocomplete="off" spellcheck="false" role="combobox" aria-expanded="false" aria-controls="found" aria-autocomplete="list" required><kbd aria-hidden="true">/</kbd><ul id="found" role="listbox" aria-label="Datasets found" hidden></ul></form>`
    : '';
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${escaped(title)}</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M4 4h3c2 0 0 8 2 8h3' fill='none' stroke='%232f6fde' stroke-width='2'/%3E%3Ccircle cx='3' cy='4' r='2.5' fill='%232f6fde'/%3E%3Ccircle cx='13' cy='12' r='2.5' fill='%230f8a5f'/%3E%3C/svg%3E">
<style>${STYLE}</style>
</head>
<body data-page="${nav.here === 'plan' ? 'lineage' : nav.here}">
<a class="skip" href="#main">To the content</a>
<header><a class="brand" href="${nav.explore ? '/' : '#main'}"><svg viewBox="0 0 16 16" width="22" height="22" aria-hidden="true"><path d="M4 4h3c2 0 0 8 2 8h3" class="mark"/><circle cx="3" cy="4" r="2.5" class="mark-from"/><circle cx="13" cy="12" r="2.5" class="mark-to"/></svg>Lineage</a>${links}${search}</header>
<main id="main" tabindex="-1">
${main}
</main>
<script type="application/json" id="data">${block}</script>
<script>${script}</script>
</body>
</html>
`;
  return {
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY, vary: 'accept' },
    body,
  };
}

/** The page that shows a graph. What it shows, its script draws; without one it points to the formats that need none. */
export function lineagePage(data: PageData): Answer {
  const { dataset, to, q } = data.asked;
  const subject =
    dataset === undefined
      ? q === undefined
        ? 'Lineage'
        : `Datasets like ${q}`
      : to === undefined
        ? dataset
        : `${dataset} to ${to}`;
  const main = `<h1 class="hidden">${escaped(subject)}</h1>
<noscript><p class="notice">This page draws with JavaScript. Without it, ask for <code>format=svg</code>, <code>csv</code> or <code>json</code> at the same address.</p></noscript>
<div id="app" aria-busy="true"><p class="notice">Drawing …</p></div>`;
  const here = data.asked.from === 'plan' ? 'plan' : 'lineage';
  return document(`${subject} · Lineage`, main, data, { explore: data.explore, here });
}
