import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectSame } from './bench.ts';
import { startChild } from './child.ts';

export interface Growth {
  /** Of one pass over settled owners, the second in a process of its own. */
  readonly ms: number;
  /** Of the first: a new process has to read every file once for its etag. */
  readonly coldMs: number;
  /** The most that process ever had in memory. */
  readonly peakRssBytes: number;
}

/** Passes of the embedded runtime over so many owners with so many edges each, of which nothing has changed. */
export async function growth(size: { readonly owners: number; readonly edgesPerOwner: number }): Promise<Growth> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-growth-'));
  try {
    const seeding = await startChild('./reconcile-growth-child.ts', { step: 'seed', dataDir, ...size });
    expectSame('owners seeded', (await seeding.next<{ seeded: number }>()).seeded, size.owners);
    await seeding.stop();
    const passing = await startPass({ step: 'pass', dataDir, ...size });
    const told = await passing.next<Growth & { outcomes: Record<string, number>; edges: Record<string, number> }>();
    await passing.stop();
    expectSame('owners unchanged', told.outcomes['unchanged'], size.owners);
    expectSame('edges', told.edges['registered'], size.owners * size.edgesPerOwner);
    return { ms: told.ms, coldMs: told.coldMs, peakRssBytes: told.peakRssBytes };
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** V8 lets garbage pile up as long as the machine has memory; what is to be shown is how much a pass needs. */
async function startPass(input: object): Promise<Awaited<ReturnType<typeof startChild>>> {
  const before = process.env['NODE_OPTIONS'];
  process.env['NODE_OPTIONS'] = `${before ?? ''} --max-old-space-size=256 --max-semi-space-size=16`;
  try {
    return await startChild('./reconcile-growth-child.ts', input);
  } finally {
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
  }
}
