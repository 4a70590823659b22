import { createHash } from 'node:crypto';
import type { Job } from './edge.ts';
import { canonicalJson, type Json } from './json.ts';

/** Prefixes of the bucket under which every object is one owner, with their file name endings. */
const ENDINGS: Readonly<Record<string, readonly string[]>> = {
  manifests: ['.yaml', '.yml', '.json'],
  http: ['.json'],
  openlineage: ['.json'],
  flink: ['.json'],
  dataphin: ['.json'],
  dataarts: ['.json'],
};

export const OWNER_PREFIXES: readonly string[] = Object.keys(ENDINGS).map((prefix) => `${prefix}/`);

/** S3 keys hold 1,024 bytes; `status/`, `.json` and a part number must still fit around an owner's key. */
const MAX_KEY_BYTES = 1_000;
/** File names hold 255 bytes on common systems; the status document adds an ending. */
const MAX_SEGMENT_BYTES = 240;
const MAX_ENCODED_BYTES = 200;
const SHORTENED_BYTES = 150;

/** The key of what `POST /lineage` stores: by job, so that a new one replaces the old, else by content hash (hex). */
export function httpOwner(source: Job | string): string {
  return typeof source === 'string'
    ? `http/${encodeSegment(source)}.json`
    : jobKey('http', source.namespace, source.name);
}

export function openlineageOwner(job: Job): string {
  return jobKey('openlineage', job.namespace, job.name);
}

export function flinkOwner(namespace: string, deployment: string): string {
  return jobKey('flink', namespace, deployment);
}

/** The key of what came in a vendor's wire format; `identity` is what tells two such bodies apart. */
export function wireOwner(vendor: 'dataphin' | 'dataarts', identity: Json): string {
  return `${vendor}/${sha256(canonicalJson(identity))}.json`;
}

function jobKey(prefix: string, namespace: string, name: string): string {
  return `${prefix}/${encodeSegment(namespace)}/${encodeSegment(name)}.json`;
}

/**
 * Any text as one segment of a key: percent-encoded UTF-8, only letters, digits, `-`, `_` and inner dots stand for themselves.
 * Above 200 bytes: at most the first 150, whole characters only, then `~` and the SHA-256 of the text. Different texts give
 * different segments.
 */
export function encodeSegment(text: string): string {
  if (text.length <= MAX_ENCODED_BYTES && STANDS_FOR_ITSELF.test(text)) return text;
  const encoded = text.isWellFormed() ? [...text].map(encodeCharacter) : [];
  if (encoded[0] === '.') encoded[0] = '%2E';
  const whole = encoded.join('');
  if (whole !== '' && whole.length <= MAX_ENCODED_BYTES) return whole;
  let short = '';
  for (const character of encoded) {
    if (short.length + character.length > SHORTENED_BYTES) break;
    short += character;
  }
  // JSON writes lone surrogates as escapes, so that even texts that are not Unicode differ.
  return `${short}~${sha256(JSON.stringify(text))}`;
}

const STANDS_FOR_ITSELF = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

function encodeCharacter(character: string): string {
  return /^[A-Za-z0-9._-]$/.test(character)
    ? character
    : /^[!'()*~]$/.test(character)
      ? `%${character.charCodeAt(0).toString(16).toUpperCase()}`
      : encodeURIComponent(character);
}

/** Whether a key names an owner: a known prefix and ending, and nothing that could lead elsewhere. */
export function isOwnerKey(key: string): boolean {
  if (!key.isWellFormed() || hasControlOrBackslash(key)) return false;
  const bytes = new TextEncoder();
  if (bytes.encode(key).length > MAX_KEY_BYTES) return false;
  const [prefix, ...segments] = key.split('/');
  const endings = Object.hasOwn(ENDINGS, prefix ?? '') ? (ENDINGS[prefix ?? ''] ?? []) : [];
  if (segments.length === 0 || !endings.some((ending) => key.endsWith(ending))) return false;
  return segments.every(
    (segment) =>
      segment !== '' && segment !== '.' && segment !== '..' && bytes.encode(segment).length <= MAX_SEGMENT_BYTES,
  );
}

function hasControlOrBackslash(key: string): boolean {
  for (let at = 0; at < key.length; at += 1) {
    const code = key.charCodeAt(at);
    if (code < 32 || code === 127 || code === 92) return true;
  }
  return false;
}

/** Where the status document of an owner stands; the owner's own ending stays (`status/manifests/a.yaml.json`, `….2.json`). */
export function statusKey(owner: string, part = 1): string {
  return part === 1 ? `status/${owner}.json` : `status/${owner}.${part}.json`;
}

/** How the object under a key is written. */
export function formatOf(key: string): 'yaml' | 'json' {
  return key.endsWith('.json') ? 'json' : 'yaml';
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
