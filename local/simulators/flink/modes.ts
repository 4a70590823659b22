import { choice } from '../modes.ts';

/** Oddities of the vendor's page and gaps in it, as switches; the first value is the default. */
export const switches = {
  emptyErrors: choice(
    ['quotes', 'null', 'absent', 'empty'],
    'errorCode and errorMessage of a success: two double quotes as in the vendor\'s example, null as in its text, left out, or "".',
  ),
  jobIdLineFeed: choice([true, false], "true: ids in jobInfos end in a line feed, as in the vendor's example."),
  permission: choice([true, false], 'false: every call is answered 403 Forbidden.RAM.'),
};
