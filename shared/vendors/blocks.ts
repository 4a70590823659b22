import type { Blocks } from '../core/manifest-schema.ts';
import { vendors } from './index.ts';

/** What each vendor lets a manifest and naming.yaml say. */
export const blocks: Blocks = Object.fromEntries(vendors.map((vendor) => [vendor.name, vendor.blocks]));
