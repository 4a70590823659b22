/**
 * Events that are too large for a message are taken in a few at a time: read, one needs several times its bytes, and a batch of them
 * more than a function has.
 */

/** Inflated, of all that are worked on at once; one alone may be larger. */
const BYTES_AT_ONCE = 16 * 1024 * 1024;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => void;
}

interface Turns {
  bytes: number;
  readonly waiting: Waiting[];
}

const turns = new WeakMap<object, Turns>();

/** Runs `work` when there is room for so many bytes beside what runs already, in the order of asking. Room is shared by all with one `of`. */
export async function inLargeTurn<T>(bytes: number, of: object, work: () => Promise<T>): Promise<T> {
  const shared = turns.get(of) ?? { bytes: 0, waiting: [] };
  turns.set(of, shared);
  await new Promise<void>((begin) => {
    shared.waiting.push({ bytes, begin });
    beginNext(shared);
  });
  try {
    return await work();
  } finally {
    shared.bytes -= bytes;
    beginNext(shared);
  }
}

function beginNext(shared: Turns): void {
  for (;;) {
    const [next] = shared.waiting;
    if (next === undefined || (shared.bytes > 0 && shared.bytes + next.bytes > BYTES_AT_ONCE)) return;
    shared.waiting.shift();
    shared.bytes += next.bytes;
    next.begin();
  }
}
