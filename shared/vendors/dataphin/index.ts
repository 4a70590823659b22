import type { Vendor } from '../vendor.ts';
import { checkDataset, datasetBlock, entryBlock } from './blocks.ts';
import { connect } from './client.ts';
import { mentions, tablesOf } from './identities.ts';
import { blockOf, label, units } from './mapping.ts';
import { accountOf, readSecret, secretSchema } from './secret.ts';
import { MAX_DETAILS } from './wire.ts';
import { written } from './written.ts';

/** Alibaba Dataphin: one call per pair of tables; registers, withdraws and reads back. Oddities in README.md. */
export const dataphin: Vendor = {
  name: 'dataphin',
  title: 'Alibaba Dataphin',
  mappingVersion: 1,
  limits: { columnsPerCall: MAX_DETAILS, callsPerSecond: 5 },
  abilities: { repeatable: true, withdraw: true },
  blocks: { dataset: datasetBlock, entry: entryBlock, check: checkDataset, label, tables: tablesOf, mentions },
  secret: secretSchema,
  account: (secret) => accountOf(readSecret(secret)),
  label,
  block: blockOf,
  units,
  prerequisites: [
    'the OpenAPI add-on is bought, and the public preview of custom lineage registration is open to you (ask Dataphin support)',
    'Dataphin is v5.4.0 or newer (to register), v5.4.2 or newer (to read back)',
    'the key\'s user is super or system administrator, or has the right "Metadata - Other Features - Register External Lineage"; fully managed: DataphinOpenAPIFullAccess in RAM, too',
    'the projects, business units or data sources of your tables are registered in Dataphin',
  ],
  written,
  connect,
};
