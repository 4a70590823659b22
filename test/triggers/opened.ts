import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { memoryLog } from '../../shared/log.ts';
import { readSettings } from '../../shared/settings.ts';
import { embeddedServices } from '../../shared/wiring.ts';

/** Services in a folder of their own, until the test ends; with `aws` they believe to be there. */
export async function opened(options: { readonly aws?: boolean } = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-trigger-'));
  const log = memoryLog();
  const services = await embeddedServices(readSettings({ DATA_DIR: dataDir }), { log });
  onTestFinished(async () => {
    await services.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const aws = { secretPrefix: '' };
  return { ...services, log, settings: { ...services.settings, ...(options.aws ? { aws } : {}) } };
}
