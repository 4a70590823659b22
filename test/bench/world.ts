import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Target } from '../../shared/converge/deps.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { memoryLog } from '../../shared/log.ts';
import { readSettings } from '../../shared/settings.ts';
import { type EmbeddedServices, embeddedServices } from '../../shared/wiring.ts';
import { startChild } from './child.ts';

/** One machine's services on a fresh folder, with Dataphin simulated in another process. */
export interface World {
  readonly services: EmbeddedServices;
  readonly dataDir: string;
  target(): Promise<Target>;
  /** Table pairs that the vendor holds now. */
  held(): Promise<readonly { readonly columns: readonly unknown[] }[]>;
  drop(key: string, text: string): Promise<void>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-bench-'));
  const simulator = await startChild('simulator-child.ts', 'dataphin');
  const { url, secret } = await simulator.next<{ url: string; secret: JsonObject }>();
  const services = await embeddedServices(readSettings({ DATA_DIR: dataDir, LOG_LEVEL: 'silent' }), {
    simulated: { dataphin: secret },
    log: memoryLog(),
  });
  return {
    services,
    dataDir,
    target: async () => {
      const [target] = (await services.deps.targets()).list;
      if (target === undefined) throw new Error('no target');
      return target;
    },
    held: async () =>
      (await (await fetch(`${url}/_sandbox/lineage`)).json()) as readonly { readonly columns: readonly unknown[] }[],
    drop: async (key, text) => {
      const path = join(services.bucket, key);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    },
    close: async () => {
      await services.close();
      await simulator.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
