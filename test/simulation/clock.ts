/** What happens at a moment. True when it let a waiting promise go on, so that the world must run until all wait again. */
export type Happening = () => boolean;

interface Entry {
  readonly at: number;
  readonly seq: number;
  readonly happen: Happening;
}

/** Virtual time in milliseconds and what is to come, as a binary heap. Nothing here ever waits for real. */
export class Clock {
  now: number;
  private seq = 0;
  private readonly heap: Entry[] = [];

  constructor(start: number) {
    this.now = start;
  }

  at(time: number, happen: Happening): void {
    this.seq += 1;
    const { heap } = this;
    const entry = { at: Math.max(time, this.now), seq: this.seq, happen };
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!before(entry, heap[parent] as Entry)) break;
      heap[place] = heap[parent] as Entry;
      place = parent;
    }
    heap[place] = entry;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.at(this.now + ms, () => {
        resolve();
        return true;
      });
    });
  }

  /** Goes on to the next moment at which somebody wakes. False when nothing is left to happen. */
  step(): boolean {
    for (;;) {
      const entry = this.take();
      if (entry === undefined) return false;
      this.now = entry.at;
      if (entry.happen()) return true;
    }
  }

  private take(): Entry | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
      if (!before(heap[child] as Entry, last)) break;
      heap[place] = heap[child] as Entry;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

function before(one: Entry, other: Entry): boolean {
  return one.at < other.at || (one.at === other.at && one.seq < other.seq);
}
