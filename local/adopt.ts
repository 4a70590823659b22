import { parseArgs } from 'node:util';
import { post, serviceUrl } from './service.ts';

const USAGE = `usage: npm run adopt [-- <owner>…] [--url <service>]

Counts what the manifests declare as registered already, without a vendor call: after the ledger was lost, or when other tools registered
the lineage. From then on it is ours: what is withdrawn from a manifest is deleted where the vendor can delete. Without owners
(manifests/orders.yaml, …) all of them are adopted.`;

/** `npm run adopt`: exit code 0 done, 1 refused or unfinished, 2 wrong usage. */
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { url: { type: 'string' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) console.log(USAGE);
  else {
    const owners = positionals.length > 0 ? { owners: positionals } : {};
    const report = (await post(await serviceUrl(values.url), '/reconcile', { adopt: true, ...owners })) as {
      owners: number;
      left: number;
      outcomes: Record<string, number>;
      failures: readonly { owner: string; reason: string }[];
    };
    const outcomes = Object.entries(report.outcomes).map(([kind, count]) => `${count} ${kind}`);
    console.log(`${report.owners} manifests looked at: ${outcomes.join(', ') || 'nothing to do'}`);
    for (const { owner, reason } of report.failures) console.error(`${owner}: ${reason}`);
    if (report.left > 0) console.error(`${report.left} were not reached in time; run it again`);
    if (report.left > 0 || report.failures.length > 0) process.exitCode = 1;
  }
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : String(thrown));
  process.exitCode = (thrown as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
}
