import type { Vendor } from '../vendor.ts';
import { connect } from './client.ts';
import { datasetBlock, units } from './mapping.ts';
import { accountOf, readSecret, secretSchema } from './secret.ts';

/** Alibaba Realtime Compute for Apache Flink: shows the lineage of its jobs; takes none. Oddities in README.md. */
export const flink: Vendor = {
  name: 'flink',
  title: 'Alibaba Realtime Compute for Apache Flink',
  mappingVersion: 1,
  limits: { columnsPerCall: 0, callsPerSecond: 5 },
  abilities: {
    repeatable: false,
    withdraw: false,
    withdrawHint:
      'Flink takes no lineage from outside, so there is nothing to withdraw; stop or change the deployment there.',
  },
  blocks: { dataset: datasetBlock },
  secret: secretSchema,
  account: (secret) => accountOf(readSecret(secret)),
  units,
  prerequisites: [
    "the key's user may see the workspace (RAM, for example stream:ListDeployments) and is a member of the namespace",
    'the jobs whose lineage you want have run at least once',
  ],
  connect,
};
