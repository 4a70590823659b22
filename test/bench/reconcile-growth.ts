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

interface Size {
  readonly owners: number;
  readonly edgesPerOwner: number;
}

interface Told extends Growth {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly edges: Readonly<Record<string, number>>;
  /** Of a `steady` run: a pass, and listing the owners with one read each, in milliseconds. */
  readonly ours?: number;
  readonly floor?: number;
}

/** Passes of the embedded runtime over so many owners with so many edges each, of which nothing has changed. */
export function growth(size: Size): Promise<Growth> {
  return passes('pass', size);
}

/** The same beside listing the owners and reading each one's row. */
export async function steady(size: Size): Promise<{ readonly ours: number; readonly floor: number }> {
  const { ours, floor } = await passes('steady', size);
  if (ours === undefined || floor === undefined) throw new Error('nothing measured');
  return { ours, floor };
}

async function passes(step: 'pass' | 'steady', size: Size): Promise<Told> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-growth-'));
  try {
    const seeding = await startChild('./reconcile-growth-child.ts', { step: 'seed', dataDir, ...size });
    expectSame('owners seeded', (await seeding.next<{ seeded: number }>()).seeded, size.owners);
    await seeding.stop();
    const passing = await startPass({ step, dataDir, ...size });
    const told = await passing.next<Told>();
    await passing.stop();
    expectSame('owners unchanged', told.outcomes['unchanged'], size.owners);
    expectSame('edges', told.edges['registered'], size.owners * size.edgesPerOwner);
    return told;
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
