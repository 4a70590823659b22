import { choice, seconds } from '../modes.ts';

/** Everything the vendor leaves open, as switches; the first value is the default. */
export const switches = {
  repeatCreate: choice(
    ['new-node', 'upsert'],
    'CreateLineageInfo with a job_id and node_name that the workspace already has: one more node, or the same node with new content.',
  ),
  lock: choice([true, false], 'true: five failures of the AK/SK in a row lock it for five minutes.'),
  permission: choice([true, false], 'false: every call is answered 403 APIGW.0306.'),
  tokenLifetime: seconds(86_400, 'How long after it was handed out an IAM token is taken; asked at every call.'),
};
