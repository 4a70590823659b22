import type * as z from 'zod';
import { Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';

/**
 * Reads the secret of a vendor's account, checked. Throws `Failure` `invalid` that names the keys and never a value: zod's messages
 * name types and keys only.
 */
export function secretReader<Schema extends z.ZodType>(
  title: string,
  schema: Schema,
): (secret: JsonObject) => z.output<Schema> {
  return (secret) => {
    const parsed = schema.safeParse(secret, { jitless: true });
    if (parsed.success) return parsed.data;
    throw unusable(title, wrongKeys(parsed.error));
  };
}

/** `key: what is wrong with it; …` */
export function wrongKeys(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'secret'}: ${issue.message}`).join('; ');
}

export function unusable(title: string, what: string): Failure {
  return new Failure('invalid', `The ${title} secret cannot be used. ${what}`);
}
