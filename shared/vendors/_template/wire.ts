import * as z from 'zod';
import { Failure } from '../../core/failure.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import type { Call } from '../vendor.ts';
import { parseAnswer, vendorText } from '../vendor-text.ts';

/** What is sent. Say here which page of the vendor it comes from, and when it was read. */
const commandSchema = z.strictObject({
  source: z.string(),
  target: z.string(),
  columns: z.array(z.tuple([z.string(), z.string()])),
});
export type EdgeCommand = z.output<typeof commandSchema>;

const answerSchema = z.looseObject({
  id: z.string().nullish(),
  code: z.string().nullish(),
  message: z.string().nullish(),
});

/** Throws `Failure` `invalid` on a call that was not made for this vendor. */
export function edgeCommand(call: Call): EdgeCommand {
  const columns = call.columns.map(({ from, to }) => [from.column, to.column]);
  const parsed = commandSchema.safeParse({ ...call.spec, columns });
  if (!parsed.success) throw new Failure('invalid', 'This call was not made for the template. Plan the owner again.');
  return parsed.data;
}

/** Decides success, and turns every other answer into the one right kind of Failure with the setting to look at. */
export function receiptOf(answer: HttpAnswer, secrets: readonly string[]): string {
  const parsed = answerSchema.safeParse(parseAnswer(answer.body));
  const { status } = answer;
  if (status >= 200 && status < 300) {
    if (parsed.success) return parsed.data.id ?? '';
    throw new Failure('unknown-outcome', `The catalog answered HTTP ${status} without JSON; it may have been done.`, {
      status,
    });
  }
  const code = vendorText((parsed.success ? parsed.data.code : '') ?? '', secrets);
  const words = vendorText((parsed.success ? parsed.data.message : '') ?? '', secrets);
  const said = `The catalog refused (HTTP ${status}${code && `, ${code}`})${words && `: "${words}"`}.`;
  const details = { status, ...(code === '' ? {} : { code }) };
  if (status === 429)
    throw new Failure('throttled', `${said} Lower "calls_per_second" in the target's secret.`, details);
  if (status >= 500)
    throw new Failure('unavailable', `${said} It may have been done.`, { ...details, maybeApplied: true });
  if (status === 401 || status === 403)
    throw new Failure('denied', `${said} Check "token" in the target's secret.`, details);
  if (status === 404) throw new Failure('missing', `${said} Check the table's name in the manifest.`, details);
  throw new Failure('rejected', `${said} Correct the entry in the manifest.`, details);
}
