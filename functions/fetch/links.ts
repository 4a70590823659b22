import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import type { Problem } from '../../shared/core/edge.ts';
import { Failure } from '../../shared/core/failure.ts';
import { canonicalJson } from '../../shared/core/json.ts';
import type { Services } from '../../shared/wiring.ts';
import { problemsOf } from './query.ts';

/** Key of the links: `{ "key": "<32 or more characters>" }`. Another key makes all links void. */
const SECRET = 'lineage/links';
const SHORTEST_KEY = 32;

/** The holder of a link may choose how to look, not at what. */
const FREE = new Set(['signature', 'format']);

/** The query of a link that opens just this question until `expiresAt` (epoch seconds). */
export async function signedQuery(
  path: string,
  asked: Readonly<Record<string, string>>,
  expiresAt: number,
  services: Services,
): Promise<URLSearchParams> {
  const query = new URLSearchParams({ ...asked, expires: String(expiresAt) });
  query.set('signature', signatureOf(path, query, await keyOf(services)));
  return query;
}

/** Throws `Failure` `denied` unless the request is what was signed, and not too late. */
export async function checkSigned(path: string, query: URLSearchParams, services: Services): Promise<void> {
  const given = Buffer.from(query.get('signature') ?? '', 'base64url');
  const wanted = Buffer.from(signatureOf(path, query, await keyOf(services)), 'base64url');
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new Failure('denied', 'this link has been changed, or its key has been replaced; ask for a new one');
  }
  const expires = Number(query.get('expires'));
  if (!(expires * 1_000 > services.deps.now())) {
    throw new Failure('denied', 'this link has expired; ask for a new one');
  }
}

function signatureOf(path: string, query: URLSearchParams, key: string): string {
  const signed = [...query].filter(([name]) => !FREE.has(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHmac('sha256', key)
    .update(canonicalJson(['lineage-link-1', path, signed]))
    .digest('base64url');
}

async function keyOf({ secrets }: Services): Promise<string> {
  const key = (await secrets.get(SECRET))?.['key'];
  if (typeof key !== 'string' || key.length < SHORTEST_KEY) {
    throw new Failure(
      'unavailable',
      `links cannot be signed: the secret ${SECRET} needs { "key": "<at least ${SHORTEST_KEY} random characters>" }`,
    );
  }
  return key;
}

const DAY_S = 86_400;

const body = z.lazy(() =>
  z.strictObject({
    dataset: z.string().min(1).max(2_000),
    direction: z.enum(['upstream', 'downstream', 'both']).default('both'),
    depth: z.number().int().min(1).max(10).default(2),
    level: z.enum(['table', 'column']).default('column'),
    /** Seconds; a week by default, a quarter of a year at most. */
    expiresIn: z
      .number()
      .int()
      .min(60)
      .max(92 * DAY_S)
      .default(7 * DAY_S),
  }),
);

/** What a link is to open, or what is wrong with it. */
export function readLink(bytes: Uint8Array): { value?: z.output<typeof body>; problems: readonly Problem[] } {
  try {
    const parsed = body.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return parsed.success ? { value: parsed.data, problems: [] } : { problems: problemsOf(parsed.error) };
  } catch {
    return { problems: [{ path: '', message: 'is not JSON' }] };
  }
}

/** URLs of the page, and of the picture for an `<img>`: below `WEB_URL`, else paths below the URL of the fetch-web function. */
export async function newLink(
  { expiresIn, depth, ...asked }: z.output<typeof body>,
  services: Services,
): Promise<{ readonly html: string; readonly svg: string; readonly expires: string }> {
  const expiresAt = Math.floor(services.deps.now() / 1_000) + expiresIn;
  const query = await signedQuery('/lineage', { ...asked, depth: String(depth) }, expiresAt, services);
  const { webUrl = '' } = services.settings;
  return {
    html: `${webUrl}/lineage?${query}&format=html`,
    svg: `${webUrl}/lineage?${query}&format=svg`,
    expires: new Date(expiresAt * 1_000).toISOString(),
  };
}
