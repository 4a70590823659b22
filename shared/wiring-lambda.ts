import * as z from 'zod';
import { Failure } from './core/failure.ts';
import { readSettings } from './settings.ts';
import type { Services } from './wiring.ts';
import { awsServices } from './wiring-aws.ts';

// Most functions read a few texts with each schema before they end: compiling it first, as zod does, costs them more than it saves.
z.config({ jitless: true });

/**
 * What `#wire` means in a bundle for Lambda (package.json, the condition `lambda`): there is nothing but AWS to choose. A choice made by
 * `import()` would keep the bundler from dropping what nobody uses of the SDK. Rejects with a `Failure` `invalid` unless all of `TABLE`, `BUCKET` and `QUEUE_URL` are set.
 */
export async function wire(): Promise<Services> {
  const settings = readSettings();
  if (settings.aws === undefined) {
    throw new Failure('invalid', 'This package keeps everything in AWS: set TABLE, BUCKET and QUEUE_URL.');
  }
  return awsServices(settings);
}
