import type { JsonObject } from '../core/json.ts';

/** Work that must not be lost: converge this owner, or judge what vanished at a target. */
export type Message =
  | { readonly kind: 'converge'; readonly owner: string; readonly ticket?: string }
  | { readonly kind: 'judge'; readonly target: string; readonly ticket: string };

/**
 * Work that comes with OpenLineage events: take events in (`ref`: an object of the bucket that holds them, when they are too large
 * for a message), or publish what a job or dataset declares now. `confined`: the sender may speak of its own jobs only.
 */
export type IntakeMessage =
  | { readonly kind: 'events'; readonly events: readonly JsonObject[]; readonly confined?: boolean }
  | { readonly kind: 'events'; readonly ref: string; readonly confined?: boolean }
  | {
      readonly kind: 'publish';
      readonly subject: { readonly kind: 'job' | 'dataset'; readonly namespace: string; readonly name: string };
    };

/** Sending side. Durable when it resolves; delivered at least once, in any order, not before `delayMs`. */
export interface Queue {
  send(message: Message | IntakeMessage, options?: { readonly delayMs?: number }): Promise<void>;
}

export interface Delivery {
  readonly id: string;
  readonly body: string;
  /** How often it has been handed out, this time included. */
  readonly attempt: number;
}

/** Receiving side of the embedded queue; on AWS the platform plays this part. */
export interface QueueReceiver {
  /** Up to `limit` due messages, hidden from other receivers for `visibilityMs`. */
  receive(limit: number, visibilityMs: number): Promise<readonly Delivery[]>;
  /** Done: never delivered again. */
  acknowledge(id: string): Promise<void>;
  /** Failed: due again after `delayMs`; after `maxAttempts` deliveries it is kept as a dead letter instead. */
  retry(id: string, delayMs: number, reason: string): Promise<void>;
}
