import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { silentLog } from '../shared/log.ts';
import type { Settings } from '../shared/settings.ts';
import { embeddedServices, type Services, wire } from '../shared/wiring.ts';
import { simulatedDataphinCredentials } from './simulators/dataphin/index.ts';
import { simulatedFlinkCredentials } from './simulators/flink/index.ts';

/**
 * What a command reads from beside a service that may be running on the same data: ledger, bucket and vendors. Simulated vendors only
 * answer while it runs. In AWS, when the settings say so. Nothing is converged here.
 */
export async function readingServices(
  settings: Settings,
): Promise<{ readonly services: Services; close(): Promise<void> }> {
  if (settings.aws !== undefined) return { services: await wire(), close: async () => {} };
  const dataDir = resolve(settings.dataDir);
  const vendors = await runningVendors(dataDir);
  const credentials = { dataphin: simulatedDataphinCredentials, flink: simulatedFlinkCredentials };
  const simulated = Object.fromEntries(
    Object.entries(credentials).flatMap(([vendor, secret]) => {
      const endpoint = vendors[vendor];
      return endpoint === undefined ? [] : [[vendor, { ...secret, endpoint }]];
    }),
  );
  const services = await embeddedServices({ ...settings, dataDir }, { simulated, log: silentLog });
  return { services, close: () => services.close() };
}

async function runningVendors(dataDir: string): Promise<Readonly<Record<string, string>>> {
  try {
    const text = await readFile(join(dataDir, 'runtime.json'), 'utf8');
    return (JSON.parse(text) as { vendors: Record<string, string> }).vendors;
  } catch {
    return {};
  }
}
