/** Orders by a text key, by code unit: the same everywhere, unlike a language's order. */
export function by<T>(key: (value: T) => string): (left: T, right: T) => number {
  return (left, right) => {
    const [a, b] = [key(left), key(right)];
    return a < b ? -1 : a > b ? 1 : 0;
  };
}
