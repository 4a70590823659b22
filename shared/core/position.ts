/** Where a value stands in a document: map keys and list indexes from the root. */
export type Path = readonly (string | number)[];

const PLAIN_KEY = /^[A-Za-z_$][\w$-]*$/;

/** A path as people read it: `lineage[0].columns.total[1]`; unusual keys are quoted: `columns["a.b"]`. The root is ''. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!PLAIN_KEY.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

const STEP = /\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\.?([A-Za-z_$][\w$-]*)/y;

/** The path that `formatPath` wrote so; of other text as much as reads like one. */
export function parsePath(text: string): Path {
  const path: (string | number)[] = [];
  STEP.lastIndex = 0;
  for (let step = STEP.exec(text); step !== null; step = STEP.exec(text)) {
    const [, index, key, plain = ''] = step;
    path.push(index !== undefined ? Number(index) : key !== undefined ? (JSON.parse(key) as string) : plain);
  }
  return path;
}

/** Offsets at which lines begin; hand it to `lineAt`. */
export function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** The 1-based line of an offset. */
export function lineAt(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return low + 1;
}

/**
 * Remembers at which offset each key or item of each container stands. Flat lists, because a document has up to a million
 * values and most documents have no problem to point at; a large map gets a real index when it is first asked about.
 */
export class Marks {
  readonly #lists = new Map<object, (string | number)[]>();
  readonly #indexes = new Map<object, Map<string | number, number>>();

  set(container: object, key: string | number, offset: number): void {
    const list = this.#lists.get(container);
    if (list === undefined) this.#lists.set(container, [key, offset]);
    else list.push(key, offset);
  }

  /** The offset of a key or item; of the last one, if a key was given twice. */
  find(container: object, key: string | number): number | undefined {
    let index = this.#indexes.get(container);
    if (index === undefined) {
      index = new Map();
      const list = this.#lists.get(container) ?? [];
      for (let at = 0; at < list.length; at += 2) index.set(list[at] as string | number, list[at + 1] as number);
      this.#indexes.set(container, index);
    }
    return index.get(key);
  }

  /** The offset of the deepest step of `path` that exists under `root`. */
  locate(root: unknown, path: Path, rootOffset: number): number {
    let offset = rootOffset;
    let container = root;
    for (const step of path) {
      if (typeof container !== 'object' || container === null) break;
      const found = this.find(container, step);
      if (found === undefined) break;
      offset = found;
      container = (container as Record<string | number, unknown>)[step];
    }
    return offset;
  }
}
