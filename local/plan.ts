import { parseArgs } from 'node:util';
import { append } from '../shared/core/large-lists.ts';
import { isEmpty } from '../shared/core/plan-document.ts';
import { planMarkdown } from '../shared/formats/plan-markdown.ts';
import { planTerminal } from '../shared/formats/plan-terminal.ts';
import { refuseInAws } from './aws-request.ts';
import { filesAt, type ManifestFile, manifestTexts } from './manifest-files.ts';
import { type Order, planAtService, planInFolder, serviceOf } from './plan-source.ts';

const USAGE = `usage: npm run plan [-- <folder or manifest>…] [--complete] [--format terminal|markdown|json] [--deep]
                       [--url <service>] [--key <key>]

Says what would happen if these manifests were in the bucket, and does nothing. A folder stands for manifests/: lineage/shop/a.yaml of
"lineage/" is manifests/shop/a.yaml. Without a folder: what is in the bucket already. Asks the service at --url or the one that has
DATA_DIR, else reads DATA_DIR itself.

  --complete   the folder is all there is: manifests that it does not hold count as removed. Without it they are left out of the plan
  --deep       ask the vendors what they show already; it takes from their budgets
  --key        of the secret lineage/clients, with the scope reconcile, where the service wants one; better LINEAGE_KEY in the environment

Ends with 0 when there is nothing to do, 2 when there is, 1 when something is wrong: a manifest, naming.yaml, or a target that cannot be used.`;

const FORMATS = ['terminal', 'markdown', 'json'];

/** `npm run plan`. Colours only for a terminal whose user has not set NO_COLOR. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      complete: { type: 'boolean', default: false },
      deep: { type: 'boolean', default: false },
      format: { type: 'string', default: 'terminal' },
      url: { type: 'string' },
      key: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const { format, complete, deep } = values;
  if (!FORMATS.includes(format)) throw new Error(`--format is one of ${FORMATS.join(', ')}`);
  if (complete && positionals.length === 0)
    throw new Error('--complete says that a folder is all there is; which one?');
  const order: Order = {
    ...(positionals.length > 0 ? { manifests: await manifestsIn(positionals) } : {}),
    ...(complete ? { complete } : {}),
    ...(deep ? { deep } : {}),
  };
  refuseInAws(values.url, [requestOf(order, format)]);
  const url = await serviceOf(values.url);
  const plan = url === undefined ? await planInFolder(order) : await planAtService(url, values.key, order);
  const color = process.stdout.isTTY === true && process.stdout.hasColors();
  const texts: Record<string, () => string> = {
    json: () => `${JSON.stringify(plan, null, 2)}\n`,
    markdown: () => planMarkdown(plan),
    terminal: () => planTerminal(plan, { color }),
  };
  await new Promise<void>((done) => process.stdout.write(texts[format]?.() ?? '', () => done()));
  if (plan.problems.length > 0) return 1;
  return isEmpty(plan) ? 0 : 2;
}

/** The same question to the function in AWS. */
function requestOf(order: Order, format: string): Parameters<typeof refuseInAws>[1][number] {
  if (order.manifests !== undefined)
    return { to: 'reconcile-http', path: 'reconcile', body: { dryRun: true, ...order } };
  const query = new URLSearchParams({
    ...(order.deep ? { deep: 'true' } : {}),
    ...(format === 'json' ? {} : { format: format === 'markdown' ? 'markdown' : 'text' }),
  });
  return { to: 'reconcile-http', path: query.size === 0 ? 'plan' : `plan?${query}` };
}

/** Manifests by the key they would have in the bucket. */
async function manifestsIn(names: readonly string[]): Promise<Record<string, string>> {
  const files: ManifestFile[] = [];
  for (const name of names) {
    const found = await filesAt(name);
    if (found === undefined)
      throw new Error(
        `${name} is neither a file nor a folder here; name a folder that stands for manifests/, or a manifest`,
      );
    append(files, found);
  }
  if (files.length === 0) throw new Error(`there is no manifest (.yaml, .yml, .json) in ${names.join(', ')}`);
  return Object.fromEntries(await manifestTexts(files, { whole: false }));
}

// Whoever reads may have seen enough (`| head`).
process.stdout.on('error', () => process.exit(1));
try {
  process.exitCode = await main();
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : String(thrown));
  if ((thrown as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) console.error(`\n${USAGE}`);
  process.exitCode = 1;
}
