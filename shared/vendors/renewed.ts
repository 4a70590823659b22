import { Failure } from '../core/failure.ts';
import type { VendorClient } from './vendor.ts';

/**
 * The client; when the vendor refuses its credentials, what it was asked is asked once more with newer ones. `renew` gives a client of
 * the same account with other credentials, undefined when there are none. A refused call was not carried out, so it is safe to repeat.
 */
export function renewed(client: VendorClient, renew: () => Promise<VendorClient | undefined>): VendorClient {
  type Verb = (...given: readonly never[]) => Promise<unknown>;
  const verbs = Object.entries(client) as [keyof VendorClient, Verb | undefined][];
  const again = verbs.map(([name, verb]): [string, unknown] => {
    // It gives its answers bit by bit; whoever reads them asks again anyway.
    if (verb === undefined || name === 'pipelines') return [name, verb];
    const asked: Verb = async (...given) => {
      try {
        return await verb(...given);
      } catch (thrown) {
        if (!(thrown instanceof Failure) || thrown.kind !== 'denied' || thrown.maybeApplied) throw thrown;
        const other = (await renew())?.[name] as Verb | undefined;
        if (other === undefined) throw thrown;
        return other(...given);
      }
    };
    return [name, asked];
  });
  return Object.fromEntries(again) as VendorClient;
}
