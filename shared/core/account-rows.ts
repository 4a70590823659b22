import type { JsonObject } from './json.ts';

/** Rows that all processes keep of an account: what is taken of its budget, and whether it refuses us. */
export const budgetKey = (account: string): string => `budget/${account}`;
export const circuitKey = (account: string): string => `circuit/${account}`;

/** How many of an account's calls of a UTC day (`2026-11-21`) are taken, as the body of its row says. */
export function usedOn(day: string, body: JsonObject | undefined): number {
  const taken = body?.['taken'] as { readonly day: string; readonly used: number } | undefined;
  return taken?.day === day ? taken.used : 0;
}

/** Whether the account refuses this secret (its tag), as the body of its row says. */
export function refuses(secret: string, body: JsonObject | undefined): boolean {
  const opened = body?.['opened'] as { readonly secret: string } | undefined;
  return opened?.secret === secret;
}
