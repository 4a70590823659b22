import type { Services } from '../../shared/wiring.ts';

/** A queue in whose place nothing is stored until it is let go. */
export interface HeldQueue {
  /** How many are being stored now. */
  storing(): number;
  hold(): void;
  release(): void;
}

/** Puts such a queue into the place of that of the services. */
export function holdQueue({ deps }: Services): HeldQueue {
  let storing = 0;
  let go = () => {};
  let held: Promise<void> | undefined;
  Object.assign(deps.queue, {
    async send() {
      storing += 1;
      await held;
      storing -= 1;
    },
  });
  return {
    storing: () => storing,
    hold() {
      held = new Promise((done) => {
        go = done;
      });
    },
    release() {
      held = undefined;
      go();
    },
  };
}
