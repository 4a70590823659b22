import * as z from 'zod';
import { readSettings } from './settings.ts';
import type { Services } from './wiring.ts';
import { awsServices } from './wiring-aws.ts';

// Most functions read a few texts with each schema before they end: compiling it first, as zod does, costs them more than it saves.
z.config({ jitless: true });

/**
 * What `#wire` means in a bundle for Lambda (package.json, the condition `lambda`): there is nothing but AWS to choose. A choice made by
 * `import()` would keep the bundler from dropping what nobody uses of the SDK. Rejects as `wire` does.
 */
export async function wire(): Promise<Services> {
  return awsServices(readSettings());
}
