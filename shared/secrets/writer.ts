import type { JsonObject } from '../core/json.ts';

/** Puts secrets where `Secrets` reads them; for the tools of operators, never for functions. */
export interface SecretWriter {
  /** Replaces the secret or makes it. Throws `Failure`. */
  put(name: string, value: JsonObject): Promise<void>;
}
