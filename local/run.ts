import { Failure } from '../shared/core/failure.ts';
import { readSettings } from '../shared/settings.ts';
import { startRuntime } from './runtime.ts';

/** How long callers may take to send the next request on a connection that they hold; it is answered, and closed. */
const PAUSE_MS = 1_000;

let stopping = false;

/** `npm start` */
try {
  const starting = startRuntime(readSettings());
  // From the start: what connected to a process that is still starting is answered, too.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // An impatient second Ctrl-C ends it at once; nothing acknowledged is lost by that.
      if (stopping && signal === 'SIGINT') process.exit(130);
      if (stopping) return;
      stopping = true;
      void starting
        .then((runtime) => runtime.close(PAUSE_MS))
        .then(
          () => process.exit(0),
          () => process.exit(1),
        );
    });
  }
  const runtime = await starting;
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
} catch (thrown) {
  // What could not be finished because it was stopped is no error.
  if (!stopping) console.error(thrown instanceof Failure ? thrown.message : thrown);
  process.exitCode = 1;
}

function relativeTo(path: string): string {
  return path.startsWith(`${process.cwd()}/`) ? path.slice(process.cwd().length + 1) : path;
}
