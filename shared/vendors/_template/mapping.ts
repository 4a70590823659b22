import * as z from 'zod';
import { type Dataset, identity } from '../../core/dataset.ts';
import { unitId } from '../../core/unit-id.ts';
import type { Mapping, MappingInput, Unit, UnitTable, Unresolved } from '../vendor.ts';

/** `template` block of a dataset: every key optional, unknown ones refused. */
export const datasetBlock = z.strictObject({ table: z.string().min(1).describe('Name in the catalog').optional() });

/** One unit per pair of tables. Pure, and the same for the same entries: its ids are kept in the ledger for years. */
export function units(input: MappingInput): Mapping {
  const found = new Map<string, Unit>();
  const unresolved: Unresolved[] = [];
  for (const entry of input.entries) {
    entry.from.forEach((source, fromAt) => {
      entry.to.forEach((target, toAt) => {
        const from = tableOf(source);
        const to = tableOf(target);
        if (from === undefined || to === undefined) {
          const reason = 'it has no name there; give it a template block with a table, or a naming rule';
          unresolved.push({ path: entry.path, from: labelOf(source), to: labelOf(target), reason });
          return;
        }
        const id = unitId(['template', input.account, from.name, to.name]);
        const known = found.get(id);
        const columns = entry.columns
          .filter((edge) => edge.from.table === fromAt && edge.to.table === toAt)
          .map((edge) => ({ ...edge, from: { ...edge.from, table: 0 }, to: { ...edge.to, table: 0 } }));
        found.set(id, {
          id,
          from: [from],
          to: [to],
          spec: { source: from.name, target: to.name },
          columns: [...(known?.columns ?? []), ...columns],
          options: {},
          paths: [...new Set([...(known?.paths ?? []), entry.path])],
        });
      });
    });
  }
  return { units: [...found.values()], unresolved };
}

function tableOf(dataset: Dataset): UnitTable | undefined {
  const block = datasetBlock.safeParse(dataset.vendors['template']);
  if (!block.success || block.data.table === undefined) return undefined;
  const known = identity(dataset);
  return { name: block.data.table, ...(known === undefined ? {} : { dataset: known }) };
}

function labelOf(dataset: Dataset): string {
  return identity(dataset) ?? dataset.alias ?? '(unnamed)';
}
