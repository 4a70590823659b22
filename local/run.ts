import { Failure } from '../shared/core/failure.ts';
import { readSettings } from '../shared/settings.ts';
import { startRuntime } from './runtime.ts';

/** `npm start` */
try {
  const runtime = await startRuntime(readSettings());
  console.log(`ready ${runtime.url}`);
  const { list, problems } = await runtime.services.deps.targets();
  for (const { name, account } of list)
    console.log(
      `  ${name.padEnd(10)} ${account.startsWith('simulated') ? `simulated at ${runtime.vendors[name]}` : `real: ${account}`}`,
    );
  for (const { target, message } of problems) console.log(`  ${target.padEnd(10)} cannot be used: ${message}`);
  console.log(`
Try:

  cp events/manifests/orders.yaml ${relativeTo(runtime.bucket)}/manifests/     register lineage by dropping a file
  cat ${relativeTo(runtime.bucket)}/status/manifests/orders.yaml.json          how each edge fared at each vendor
  curl ${runtime.vendors['dataphin']}/_sandbox/lineage               what the simulated Dataphin holds
  curl ${runtime.url}/lineage                       the graph, from the ledger
  rm ${relativeTo(runtime.bucket)}/manifests/orders.yaml                      withdraw it again

Real vendors: put their credentials into ${relativeTo(runtime.bucket).replace(/bucket$/, 'secrets')}/lineage/<vendor>.json (see README). Stop with Ctrl-C.
`);
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // An impatient second Ctrl-C ends it at once; nothing acknowledged is lost by that.
      if (stopping && signal === 'SIGINT') process.exit(130);
      if (stopping) return;
      stopping = true;
      void runtime.close().then(() => process.exit(0));
    });
  }
} catch (thrown) {
  console.error(thrown instanceof Failure ? thrown.message : thrown);
  process.exitCode = 1;
}

function relativeTo(path: string): string {
  return path.startsWith(`${process.cwd()}/`) ? path.slice(process.cwd().length + 1) : path;
}
