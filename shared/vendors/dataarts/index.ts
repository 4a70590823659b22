import type { Vendor } from '../vendor.ts';
import { checkDataset, datasetBlock, entryBlock } from './blocks.ts';
import { connect } from './client.ts';
import { blockOf, nameOfBlock, tablesOf, units } from './mapping.ts';
import { accountOf, readSecret, secretSchema } from './secret.ts';
import { MAX_COLUMNS_PER_GROUP, MAX_GROUPS } from './wire.ts';
import { written } from './written.ts';

/** Huawei DataArts Studio: one call per job node; registers only. Oddities in README.md. */
export const dataarts: Vendor = {
  name: 'dataarts',
  title: 'Huawei DataArts Studio',
  mappingVersion: 1,
  // The mapping keeps every unit within 100 groups, so a unit is always one call.
  limits: { columnsPerCall: MAX_GROUPS * MAX_COLUMNS_PER_GROUP, callsPerSecond: 20 },
  abilities: {
    repeatable: false,
    withdraw: false,
    withdrawHint:
      'DataArts has no call that deletes lineage: the job node and its edges stay. To remove them, open DataArts Studio > DataArts Catalog (Data Map), search for the qualified_name in the receipt, and delete that job node asset by hand.',
  },
  blocks: { dataset: datasetBlock, entry: entryBlock, check: checkDataset, label: nameOfBlock, tables: tablesOf },
  secret: secretSchema,
  account: (secret) => accountOf(readSecret(secret)),
  label: nameOfBlock,
  block: blockOf,
  units,
  prerequisites: [
    "the key's user has the role DAYU Administrator, or DAYU User (DataArts Studio User) and a role in the workspace that may write",
    'the workspace of "workspace_id" is in the project and region of the secret',
    'for "instance_id": Huawei has opened ShowLineageBulk to you (by invitation)',
  ],
  written,
  connect,
};
