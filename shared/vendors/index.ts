import { dataarts } from './dataarts/index.ts';
import { dataphin } from './dataphin/index.ts';
import { flink } from './flink/index.ts';
import type { Vendor } from './vendor.ts';

/** Every vendor that lineage can be registered with or read from. A new one is a folder (copy `_template/`) and a line here. */
export const vendors: readonly Vendor[] = [dataphin, dataarts, flink];
