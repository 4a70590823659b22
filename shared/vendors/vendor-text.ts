const MAX_LENGTH = 300;

/**
 * A vendor's words, fit for our messages: one line, no control or direction characters, at most 300 characters, and none of
 * the `secrets` (vendors quote what they were sent).
 */
export function vendorText(text: string | undefined, secrets: readonly (string | undefined)[] = []): string {
  let clean = text ?? '';
  for (const secret of secrets) {
    if (secret !== undefined && secret !== '') clean = clean.replaceAll(secret, '[redacted]');
  }
  clean = clean
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  const letters = [...clean];
  return letters.length > MAX_LENGTH ? `${letters.slice(0, MAX_LENGTH - 1).join('')}…` : clean;
}

/** A JSON answer; undefined when the bytes are not valid UTF-8 JSON. */
export function parseAnswer(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
