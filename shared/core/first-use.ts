/**
 * Makes a value when it is first asked for, and keeps it. For schemas that are made late because a cold start may not need them, and
 * used for every call: `z.lazy` looks up what it stands for, and whether that refers to itself, each time.
 */
export function onFirstUse<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
