import type { Circuit } from '../http/circuit.ts';
import type { CallOptions, VendorClient } from './vendor.ts';

/** The client, whose calls about what we register go through the account's circuit; live queries of people do not. */
export function guarded(client: VendorClient, circuit: Circuit): VendorClient {
  function through<A, O extends CallOptions, R>(verb: ((about: A, options: O) => Promise<R>) | undefined) {
    return verb && ((about: A, options: O) => circuit.run(options.deadlineMs, () => verb(about, options)));
  }
  const { register, withdraw, locate, present, verify } = client;
  return {
    ...client,
    ...(register ? { register: through(register) } : {}),
    ...(withdraw ? { withdraw: through(withdraw) } : {}),
    ...(locate ? { locate: through(locate) } : {}),
    ...(present ? { present: through(present) } : {}),
    ...(verify ? { verify: through(verify) } : {}),
  } as VendorClient;
}
