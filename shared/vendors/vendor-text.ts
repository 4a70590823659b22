const MAX_LENGTH = 300;
/** As request ids are: nothing in it that would have to be mended. */
const PLAIN = /^[\w.@:-]{1,300}$/;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * A vendor's words, fit for our messages: one line, no control or direction characters, at most 300 characters, and none of
 * the `secrets` (vendors quote what they were sent).
 */
export function vendorText(text: string | undefined, secrets: readonly (string | undefined)[] = []): string {
  if (text === undefined || text === '') return '';
  if (PLAIN.test(text) && !secrets.some((secret) => secret !== undefined && secret !== '' && text.includes(secret))) {
    return text;
  }
  let clean = text;
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
    return JSON.parse(utf8.decode(body));
  } catch {
    return undefined;
  }
}
