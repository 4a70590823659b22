/** Orders by text keys, the first that differs counting; by code unit: the same everywhere, unlike a language's order. */
export function by<T>(...keys: readonly ((value: T) => string)[]): (left: T, right: T) => number {
  return (left, right) => {
    for (const key of keys) {
      const a = key(left);
      const b = key(right);
      if (a !== b) return a < b ? -1 : 1;
    }
    return 0;
  };
}
