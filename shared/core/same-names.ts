/** Names that stand for the same thing, found out from sets that overlap. */
export interface NameGroups {
  /** The name that stands for the group: the smallest of the preferred ones, else the smallest. A name not seen is its own. */
  idOf(name: string): string;
  /** All other names of the group whose id this is, sorted; a lone name that is not preferred stands for itself. */
  othersOf(id: string): readonly string[];
}

/** Groups names: two sets that share one are one group (union-find, near linear). `preferred` says which may stand for it, `otherwise` which if there is none. */
export function groupNames(
  sets: Iterable<readonly string[]>,
  preferred: (name: string) => boolean,
  otherwise: (name: string) => boolean = () => false,
): NameGroups {
  const parent = new Map<string, string>();
  const rootOf = (name: string): string => {
    let root = name;
    for (let up = parent.get(root); up !== undefined && up !== root; up = parent.get(root)) root = up;
    for (let at = name; at !== root; ) {
      const next = parent.get(at) ?? root;
      parent.set(at, root);
      at = next;
    }
    return root;
  };
  for (const names of sets) {
    const [first] = names;
    if (first === undefined) continue;
    if (names.length === 1) {
      if (!parent.has(first)) parent.set(first, first);
      continue;
    }
    for (const name of names) {
      if (!parent.has(name)) parent.set(name, name);
      parent.set(rootOf(name), rootOf(first));
    }
  }
  const members = new Map<string, string[]>();
  for (const name of parent.keys()) {
    const root = rootOf(name);
    const group = members.get(root);
    if (group) group.push(name);
    else members.set(root, [name]);
  }
  /** Of every name. */
  const ids = new Map<string, string>();
  const others = new Map<string, readonly string[]>();
  for (const [root, names] of members) {
    if (names.length > 1) names.sort();
    const id = names.find(preferred) ?? names.find(otherwise) ?? names[0] ?? root;
    for (const name of names) ids.set(name, id);
    // A vendor's name is worth telling even when it is the id.
    others.set(
      id,
      names.filter((name) => name !== id || !preferred(name)),
    );
  }
  return {
    idOf: (name) => ids.get(name) ?? name,
    othersOf: (id) => others.get(id) ?? [],
  };
}
