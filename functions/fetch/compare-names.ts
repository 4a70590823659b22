import { type Graph, type GraphNode, namesOf } from '../../shared/core/graph.ts';
import type { Naming } from '../../shared/core/naming.ts';
import { groupNames, type NameGroups } from '../../shared/core/same-names.ts';
import type { UnitReader } from './units.ts';
import { type Named, ruledName } from './vendor-names.ts';

/** Which names of the ledger and of vendors stand for one dataset; it learns as it goes. */
export interface Directory {
  idOf(name: string): string;
  nodeOf(id: string): GraphNode;
  /** Without the vendor in front; from naming.yaml when nobody has used one yet. */
  namesAt(id: string, target: Named): readonly string[];
  /** Looks up what these names, `vendor:name`, stand for. */
  learn(names: readonly string[]): Promise<void>;
}

export function directory(ledger: Graph, naming: Naming | undefined, reader: UnitReader): Directory {
  const identities = new Set<string>();
  const sets: (readonly string[])[] = [];
  const known = new Set<string>();
  const shown = new Set(ledger.nodes.map((node) => node.id));
  let groups: NameGroups | undefined;

  function put(names: readonly string[], identity?: string): void {
    if (identity !== undefined) identities.add(identity);
    sets.push(names);
    for (const name of names) known.add(name);
    groups = undefined;
  }
  const current = (): NameGroups => {
    groups ??= groupNames(
      sets,
      (name) => identities.has(name),
      (name) => shown.has(name),
    );
    return groups;
  };
  for (const { id, names } of ledger.nodes) put([id, ...names], names.includes(id) ? undefined : id);

  return {
    idOf: (name) => current().idOf(name),
    nodeOf: (id) => ({ id, names: current().othersOf(id) }),
    namesAt(id, { vendor }) {
      const prefix = `${vendor.name}:`;
      const own = [id, ...current().othersOf(id)].filter((name) => name.startsWith(prefix));
      if (own.length > 0) return [...new Set(own)].map((name) => name.slice(prefix.length));
      const ruled = ruledName(id, vendor, naming);
      if (ruled === undefined) return [];
      put([id, `${prefix}${ruled}`], id);
      return [ruled];
    },
    async learn(names) {
      const fresh = names.filter((name) => !known.has(name));
      if (fresh.length === 0) return;
      const units = await reader.alike(fresh);
      for (const unit of units) {
        for (const table of [...unit.from, ...unit.to]) put(namesOf(table, unit.vendor), table.dataset);
      }
      // A list that leaves catalogs out means the one table that is called so otherwise.
      for (const name of fresh) {
        const [vendor = ''] = name.split(':', 1);
        const listed = name.slice(vendor.length + 1);
        const full = [...known].filter((each) => each.startsWith(`${vendor}:`) && each.endsWith(`.${listed}`));
        put(full.length === 1 && !known.has(name) ? [name, ...full] : [name]);
      }
    },
  };
}
