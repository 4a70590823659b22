import type { Vendor } from '../vendor.ts';
import { checkDataset, datasetBlock, entryBlock } from './blocks.ts';
import { connect } from './client.ts';
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
  blocks: { dataset: datasetBlock, entry: entryBlock, check: checkDataset },
  secret: secretSchema,
  account: (secret) => accountOf(readSecret(secret)),
  label,
  block: blockOf,
  units,
  written,
  connect,
};
