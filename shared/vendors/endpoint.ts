/** Where an account is reached, out of its secret. */
export interface Endpoint {
  /** `https:` or `http:`. */
  readonly protocol: string;
  /** Host with its port unless that is the scheme's default, as the Host header has it. */
  readonly host: string;
  /** Without a trailing slash; empty for the root. */
  readonly path: string;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Reads `host`, `host:port/path` or a URL; https where no scheme is given. Undefined when it cannot be read, has a query, a
 * fragment or a user part, or is http on a host that is not this machine without `allowHttp`.
 */
export function parseEndpoint(text: string, allowHttp: boolean): Endpoint | undefined {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  if (!URL.canParse(withScheme)) return undefined;
  const { protocol, host, hostname, pathname, search, hash, username, password } = new URL(withScheme);
  if (host === '' || search !== '' || hash !== '' || username !== '' || password !== '') return undefined;
  if (protocol !== 'https:' && protocol !== 'http:') return undefined;
  if (protocol === 'http:' && !allowHttp && !LOOPBACK.test(hostname)) return undefined;
  return { protocol, host, path: pathname.replace(/(?<!\/)\/+$/, '') };
}

/** What to say when `parseEndpoint` returns undefined. */
export const ENDPOINT_RULE =
  'must be a host or an https:// URL without query; http:// only for this machine, or with "allow_http": true';
