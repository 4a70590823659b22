import { choice } from '../modes.ts';

/** Everything the vendor leaves open, as switches; the first value is the default. */
export const switches = {
  repeatAdd: choice(
    ['upsert', 'replace', 'error', 'error-when-nothing-new'],
    'AddRegisterLineage of a registered pair: upsert joins the columns, replace exchanges them, error refuses any repeat, ' +
      'error-when-nothing-new refuses only one whose columns are all held.',
  ),
  deleteUnknown: choice(
    ['success', 'error'],
    'DeleteRegisterLineage of a pair or column that is not registered: success does nothing, error refuses the whole call.',
  ),
  deleteWithoutDetails: choice(
    ['pair', 'nothing', 'error'],
    'DeleteRegisterLineage without DetailedLineages: pair deletes the table pair with its columns, nothing answers success ' +
      'and keeps all while columns are left, error refuses.',
  ),
  success: choice(
    ['boolean', 'string', 'rotate'],
    'Success in a successful answer: true, or "Success" with the Message "internal error" as the vendor\'s page shows it, ' +
      'or these two in turn.',
  ),
  businessErrors: choice(
    ['http', 'success-false'],
    'How the service (not the gateway) refuses: with an HTTP status, or inside HTTP 200 with Success false.',
  ),
  permission: choice([true, false], 'false: every call is answered 401 DataphinOpenAPIRamUnAuthorized.'),
};
