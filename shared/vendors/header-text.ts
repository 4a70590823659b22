import * as z from 'zod';

/**
 * Text that goes into an HTTP header as it is (RFC 9110, 5.5): printable ASCII. Blanks are refused as well, because those at its ends get
 * lost on the way, and a signature over them no longer fits.
 */
export const headerText = () =>
  z.string().regex(/^[\x21-\x7e]+$/, 'is sent in an HTTP header, so it is made of ASCII characters without blanks');
