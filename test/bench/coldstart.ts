import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { startAccount } from '../package/account.ts';
import { startLambda } from '../package/lambda.ts';
import { packaged } from '../package/packaged.ts';
import { filled, functionsOf } from '../package/template.ts';
import { unzip } from '../package/unzip.ts';
import { type Benchmark, expectSame, type Figure, sideBySide } from './bench.ts';
import { inWaves, recorder } from './calls.ts';
import { floorBundle, partsOf } from './parts.ts';
import { bearerClients, sampleOf } from './samples.ts';

const root = resolve(import.meta.dirname, '../..');

/**
 * `coldstart.<entry>`: from starting the process to the first answer to its sample event, with the packaged zip, beside one
 * bundle of just its unavoidable parts that sends the same first calls; and `bundle.<entry>`, the size of both, deflated alike.
 */
export const coldstarts: Benchmark = async ({ short, progress }) => {
  const starts = short ? 1 : 20;
  progress('packaging');
  const made = await packaged();
  const folder = await mkdtemp(join(tmpdir(), 'lineage-bench-'));
  const stack = filled(made.template);
  const functions = functionsOf(stack);
  const account = await startAccount(stack, 'dev/');
  const vendor = await recorder({ vendor: account.vendors.dataphin.url });
  const aws = await recorder(account.behind);
  const figures: Figure[] = [];
  try {
    account.hold('lineage/dataphin', { ...account.vendors.dataphin.secret(), endpoint: vendor.url });
    account.hold('lineage/clients', bearerClients());
    account.hold('lineage/links', { key: 'k'.repeat(64) });
    await store();
    // What deletes comes last, so that the others find what they ask for.
    const names = Object.keys(functions).sort((a, b) => Number(a === 'delete-http') - Number(b === 'delete-http'));
    for (const name of names) figures.push(...(await measure(name)));
  } finally {
    await Promise.all([aws.close(), vendor.close(), account.close(), made.remove()]);
    await rm(folder, { recursive: true, force: true });
  }
  return figures;

  async function store(): Promise<void> {
    const Body = await readFile(join(root, 'events/manifests/minimal.yaml'), 'utf8');
    const Key = 'manifests/shop/visits.yaml';
    const put = new PutObjectCommand({ Bucket: account.bucketName, Key, Body, ContentType: 'application/yaml' });
    await account.s3.send(put);
  }

  async function measure(name: string): Promise<Figure[]> {
    const of = functions[name];
    if (of === undefined) throw new Error(`no function ${name}`);
    const [ours, floor] = [join(folder, name), join(folder, `${name}-floor`)];
    const [file = ''] = await unzip(join(made.folder, `${name}.zip`), ours);
    const environment = {
      ...of.Environment.Variables,
      QUEUE_URL: account.queueUrl,
      VANISH_GRACE: '0',
      AWS_ENDPOINT_URL: aws.url,
    };
    const start = async (task: string): Promise<number> => {
      // What it is to delete must be there each time.
      if (name === 'delete-http') await store();
      const event = await sampleOf(name);
      const started = performance.now();
      const lambda = await startLambda({
        name: of.FunctionName,
        folder: task,
        handler: of.Handler,
        timeoutSeconds: of.Timeout,
        memoryMb: of.MemorySize,
        environment,
      });
      try {
        const outcome = await lambda.invoke(event);
        const took = performance.now() - started;
        if ('failed' in outcome) throw new Error(`${name}: ${outcome.failed.errorMessage}\n${lambda.output()}`);
        if (task === ours) expectAnswer(name, outcome.answer);
        return took;
      } finally {
        await lambda.close();
      }
    };
    await start(ours);
    aws.calls.length = 0;
    vendor.calls.length = 0;
    // The second start: what the first one had to write once is there.
    await start(ours);
    const waves = inWaves([...aws.calls, ...vendor.calls]);
    const parts = await partsOf(of.Handler.replace(/\.\w+$/, '.ts'));
    const bundle = await floorBundle(parts, waves, vendor.url);
    const path = join(floor, file);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, bundle);
    aws.calls.length = 0;
    vendor.calls.length = 0;
    await start(floor);
    expectSame(`calls of the floor of ${name}`, aws.calls.length + vendor.calls.length, waves.flat().length);
    progress(`${name}: ${starts} starts of each, ${waves.flat().length} calls`);
    const times = await sideBySide({ ours: () => start(ours), floor: () => start(floor) }, starts);
    const code = await readFile(join(ours, file));
    const [size, least] = [deflateRawSync(code, { level: 9 }).length, deflateRawSync(bundle, { level: 9 }).length];
    return [
      {
        name: `coldstart.${name}`,
        what: 'process start to first answer',
        value: times.ours,
        unit: 'ms',
        floor: times.floor,
        ratio: times.ours / times.floor,
        must: { atMost: 1.25 },
      },
      {
        name: `bundle.${name}`,
        what: 'deflated code',
        value: size / 1_024,
        unit: 'KiB',
        floor: least / 1_024,
        ratio: size / least,
        must: { atMost: 1.15 },
      },
    ];
  }
};

function expectAnswer(name: string, answer: unknown): void {
  const { statusCode, batchItemFailures } = (answer ?? {}) as { statusCode?: number; batchItemFailures?: unknown[] };
  if (statusCode !== undefined && statusCode >= 400) throw new Error(`${name} answered ${JSON.stringify(answer)}`);
  expectSame(`failures of ${name}`, batchItemFailures?.length ?? 0, 0);
}
