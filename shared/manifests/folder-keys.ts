import { join } from 'node:path';
import { Failure } from '../core/failure.ts';

/** Throws `Failure` `invalid` unless `key` is what the port allows. */
export function checkKey(key: string): void {
  const problem = key === '' ? 'is empty' : problemOf(key.split('/'), key);
  if (problem !== undefined) throw invalidKey(key, problem);
}

/** Throws `Failure` `invalid` unless some key may start with `prefix`. */
export function checkPrefix(prefix: string): void {
  const segments = prefix.split('/');
  // What follows the last slash may still grow: `manifests/`, or `.` that becomes `.a.yaml`.
  const problem = problemOf(segments.slice(0, -1), prefix) ?? problemOf([`${segments.at(-1)}x`], prefix);
  if (problem !== undefined) throw invalidKey(prefix, problem);
}

function problemOf(segments: readonly string[], key: string): string | undefined {
  if (key.includes('\0')) return 'holds a NUL character';
  if (key.includes('\\')) return 'holds a backslash';
  if (!key.isWellFormed()) return 'holds half a character';
  if (segments.some((segment) => segment === '')) return 'starts or ends with / or holds //';
  if (segments.some((segment) => segment === '.' || segment === '..')) return 'holds a . or .. segment';
  return undefined;
}

function invalidKey(key: string, problem: string): Failure {
  return new Failure(
    'invalid',
    `The object key ${JSON.stringify(key)} ${problem}; use names separated by single slashes.`,
  );
}

/** Where the object of a key (already checked) lies below `root`. */
export function pathOf(root: string, key: string): string {
  return join(root, ...key.split('/').map(nameOf));
}

/**
 * What editors, file managers and copying programs leave behind: hidden files, backups, swap and temporary files.
 * They are in the folder, but not in the bucket.
 */
export function isDropping(name: string): boolean {
  return name.startsWith('.') || name.endsWith('~') || /\.(?:sw[opx]|tmp)$/i.test(name) || /^#.*#$/.test(name);
}

/**
 * The file name of one segment of a key: the segment itself, but `@segment@` where that would pass for a dropping (a job may
 * well be called `load~` or `.daily`) or for such a wrapped name, so that every key has a file of its own.
 */
function nameOf(segment: string): string {
  return isDropping(segment) || isWrapped(segment) ? `@${segment}@` : segment;
}

/** The segment a file name stands for; undefined for names that are no part of any key. */
export function segmentOf(name: string): string | undefined {
  if (isDropping(name) || name.includes('\\') || name.includes('\ufffd')) return undefined;
  const segment = isWrapped(name) ? name.slice(1, -1) : name;
  return nameOf(segment) === name ? segment : undefined;
}

function isWrapped(name: string): boolean {
  return name.length > 2 && name.startsWith('@') && name.endsWith('@');
}
