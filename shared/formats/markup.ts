import { visible } from './words.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Any text as text or attribute value of HTML and XML; what XML cannot hold at all shows as a sign for it. */
export function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (found) => ENTITIES[found] ?? found);
}

/** Like `escaped`, for places where line breaks and tabs mean something (`<title>`, `<pre>`). */
export function escapedLines(text: string): string {
  return text
    .split(/(\r\n|[\n\t])/)
    .map((part) => (/^[\r\n\t]+$/.test(part) ? part.replace('\r', '') : escaped(part)))
    .join('');
}
