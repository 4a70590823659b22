import { functionUrl } from '../../shared/triggers/http.ts';
import { onLambda } from '../../shared/triggers/lambda.ts';
import { dataarts } from './dataarts.ts';
import { dataphin } from './dataphin.ts';
import { flink } from './flink.ts';
import { refusedCall } from './refused-call.ts';

/**
 * The vendors' own APIs, as far as they are about lineage, for clients of theirs that are given this address. Each verifies its
 * callers by its vendor's rules.
 */
export const entry = functionUrl(
  [
    { method: 'POST', path: '/', scope: 'signed', handle: dataphin },
    { method: 'POST', path: '/v1/{project_id}/lineage/lineage-info', scope: 'signed', handle: dataarts },
    { method: 'POST', path: '/meta/v2/lineage', scope: 'signed', handle: flink },
  ],
  { url: 'public', refuse: refusedCall },
);

export const handler = onLambda(entry);
