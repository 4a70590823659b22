import type { JsonObject } from '../core/json.ts';

/** Work that must not be lost: converge this owner, or judge what vanished at a target. */
export type Message =
  | {
      readonly kind: 'converge';
      readonly owner: string;
      readonly ticket?: string;
      /** When a person asked for it (epoch ms): what a vendor refused before that is tried again. */
      readonly askedAt?: number;
      /** To be looked at again although nothing of it changed. */
      readonly look?: true;
    }
  | { readonly kind: 'judge'; readonly target: string; readonly ticket: string };

/** A reconcile pass that ran out of time goes on where it stopped. */
export interface PassMessage {
  readonly kind: 'pass';
  readonly id: string;
}

/**
 * Work that comes with OpenLineage events: take events in (`ref`: an object of the bucket that holds them, when they are too large
 * for a message), publish what a job or dataset declares now, put what was archived within a window together, or remove what has
 * outlived its time.
 */
export type IntakeMessage =
  | (EventsMessage & { readonly events: readonly JsonObject[] })
  | (EventsMessage & { readonly ref: string })
  | { readonly kind: 'archive'; readonly window: string }
  | { readonly kind: 'tidy' }
  | {
      readonly kind: 'publish';
      readonly subject: { readonly kind: 'job' | 'dataset'; readonly namespace: string; readonly name: string };
    };

interface EventsMessage {
  readonly kind: 'events';
  /** The sender may speak of its own jobs only. */
  readonly confined?: boolean;
  /** When they were accepted, ISO 8601. */
  readonly at?: string;
  /** They come from the archive. */
  readonly replayed?: boolean;
}

/** Sending side. Durable when it resolves; delivered at least once, in any order, not before `delayMs`. */
export interface Queue {
  send(message: Message | IntakeMessage, options?: { readonly delayMs?: number }): Promise<void>;
  /** The same for many, in few requests. When it throws, some of them may have been sent. */
  sendMany(
    messages: readonly (Message | IntakeMessage | PassMessage)[],
    options?: { readonly delayMs?: number },
  ): Promise<void>;
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
