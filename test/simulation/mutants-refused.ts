import type { Json } from '../../shared/core/json.ts';
import type { Mutant } from './mutants.ts';

interface Stored {
  readonly lease?: unknown;
  readonly units?: { readonly ids?: readonly string[] };
  readonly refusal?: unknown;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** What a vendor refuses for good is forgotten in the owner's row, or never looked at again. */
export const REFUSED_MUTANTS: Readonly<Record<string, Mutant>> = {
  'refused withdrawal kept': {
    store(row, expected, { ledger }) {
      const { units, lease } = row.body as Stored;
      if (!row.key.startsWith('owner/') || lease || !units?.ids) return { row, expected };
      const owner = row.key.slice('owner/'.length);
      const ids = units.ids.filter((id) => {
        const { refusal, claims } = (ledger.shadow.get(`unit/${id}`)?.body ?? {}) as Stored;
        return refusal === undefined || claims?.[owner] !== undefined;
      });
      return { row: { ...row, body: { ...row.body, units: { ids } as Json } }, expected };
    },
  },
  'what is refused is due again': {
    store({ body: { again: _never, ...body }, ...row }, expected) {
      return { row: { ...row, body }, expected };
    },
  },
};
