import { refuseInAws } from './aws-request.ts';
import { Misuse, readArguments, runCommand, say } from './command.ts';
import { post, serviceUrl } from './service.ts';

const USAGE = `usage: npm run resolve -- <edge> --registered [--receipt <qualified name>] | --resend [--url <service>] [--key <key>]

Says what became of a call that got no trustworthy answer. <edge> is the id in the status document's reason.
  --registered   it is there; it is not sent again
  --resend       it is not there; it is sent again
  --key          of the secret lineage/clients, with the scope reconcile, where the service wants one; better LINEAGE_KEY in the environment
  --json         the answer as JSON`;

async function main(): Promise<undefined> {
  const { values, positionals } = readArguments({
    registered: { type: 'boolean', default: false },
    resend: { type: 'boolean', default: false },
    receipt: { type: 'string' },
    url: { type: 'string' },
    key: { type: 'string' },
  });
  const [edge, ...more] = positionals;
  if (edge === undefined || more.length > 0) throw new Misuse('which edge?');
  if (values.registered === values.resend) throw new Misuse('--registered or --resend?');
  const as = values.registered ? 'registered' : 'absent';
  const resolve = { edge, as, ...(values.receipt === undefined ? {} : { receipt: values.receipt }) };
  refuseInAws(values.url, [{ to: 'reconcile-http', path: 'reconcile', body: { resolve } }]);
  const report = await post(await serviceUrl(values.url), '/reconcile', { resolve }, values.key);
  say(values.json, report, () =>
    values.registered ? `edge ${edge} counts as registered` : `edge ${edge} is sent again`,
  );
  return undefined;
}

/** `npm run resolve` */
await runCommand(USAGE, main);
