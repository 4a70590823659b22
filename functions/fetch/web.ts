import * as z from 'zod';
import { admit, slowDown } from '../../shared/triggers/access.ts';
import { type Answer, functionUrl, json, type Request } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { problem } from '../../shared/triggers/problem.ts';
import type { Services } from '../../shared/wiring.ts';
import { answerLineage } from './answer.ts';
import { checkSigned } from './links.ts';
import { marquezRoutes } from './marquez/routes.ts';
import { overview } from './overview.ts';
import { overviewPage } from './page/overview-page.ts';

/** What everybody with a link may have: the page and the picture. On one machine this entry stands for all formats. */
const PUBLIC_FORMATS = ['html', 'svg'] as const;

/** Opened by a signed link, else by a key. A signature that is there must be right, even where none is needed. */
async function opened(
  path: string,
  request: Request,
  services: Services,
): Promise<{ by: 'link' | 'key' } | { refused: Answer }> {
  if (request.query.has('signature')) {
    try {
      await checkSigned(path, request.query, services);
    } catch (thrown) {
      await slowDown(services, { address: request.address, tried: request.query.get('signature') ?? '' });
      throw thrown;
    }
    return { by: 'link' };
  }
  const access = await admit(request.headers['authorization'], 'fetch', 'public', services, request.address);
  return 'refused' in access ? { refused: access.refused } : { by: 'key' };
}

const overviewQuery = z.lazy(() => z.object({ after: z.string().max(2_000).optional() }));

export const entry = functionUrl(
  [
    {
      method: 'GET',
      path: '/',
      scope: 'signed',
      async handle(request, services) {
        const access = await opened('/', request, services);
        if ('refused' in access) return access.refused;
        const parsed = overviewQuery.safeParse(Object.fromEntries(request.query));
        const found = await overview(services, parsed.data?.after);
        if (/^application\/json\b/i.test(request.headers['accept'] ?? '')) return json(200, found);
        return overviewPage(found, { explore: access.by === 'key' && !services.settings.aws });
      },
    },
    {
      method: 'GET',
      path: '/lineage',
      scope: 'signed',
      async handle(request, services) {
        const access = await opened('/lineage', request, services);
        if ('refused' in access) return access.refused;
        const confined = services.settings.aws !== undefined || access.by === 'link';
        if (access.by === 'link' && !request.query.has('dataset')) return problem(403, 'this link names no dataset');
        return answerLineage(request, services, {
          explore: !confined,
          ...(confined ? { formats: PUBLIC_FORMATS } : {}),
        });
      },
    },
    ...marquezRoutes,
  ],
  { url: 'public', tidy: true },
);

export const handler = onLambda(entry);
