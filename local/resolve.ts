import { parseArgs } from 'node:util';
import { post, serviceUrl } from './service.ts';

const USAGE = `usage: npm run resolve -- <edge> --registered [--receipt <qualified name>] | --resend [--url <service>]

Says what became of a call that got no trustworthy answer. <edge> is the id in the status document's reason.
  --registered   it is there; it is not sent again
  --resend       it is not there; it is sent again`;

/** `npm run resolve`: exit code 0 done, 1 refused, 2 wrong usage. */
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      registered: { type: 'boolean', default: false },
      resend: { type: 'boolean', default: false },
      receipt: { type: 'string' },
      url: { type: 'string' },
    },
  });
  const [edge, ...more] = positionals;
  if (edge === undefined || more.length > 0 || values.registered === values.resend) {
    console.error(USAGE);
    process.exitCode = 2;
  } else {
    const as = values.registered ? 'registered' : 'absent';
    const resolve = { edge, as, ...(values.receipt === undefined ? {} : { receipt: values.receipt }) };
    await post(await serviceUrl(values.url), '/reconcile', { resolve });
    console.log(values.registered ? `edge ${edge} counts as registered` : `edge ${edge} is sent again`);
  }
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : String(thrown));
  process.exitCode = (thrown as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
}
