import { expect, it } from 'vitest';
import { dataarts } from '../../functions/vendor-wire/dataarts.ts';
import { dataphin } from '../../functions/vendor-wire/dataphin.ts';
import { flink } from '../../functions/vendor-wire/flink.ts';
import type { Json, JsonObject } from '../../shared/core/json.ts';
import type { Answer } from '../../shared/triggers/http.ts';
import type { Services } from '../../shared/wiring.ts';
import { machine, request } from './wire-machine.ts';

const BODIES = 10_000;
const PER_STATE = 50;

/** Numbers from 0 up to 1 that are the same in every run. */
function numbers(seed: number): () => number {
  let at = seed;
  return () => {
    at = (at * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return at / 4_294_967_296;
  };
}

const ODD: readonly Json[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    '',
    ' ',
    'x',
    'JOB',
    'BY_GUID',
    'BY_PROPERTY',
    '__proto__',
    '\u0000',
    '\ud800',
  ],
  ...['a'.repeat(3_000), '../../etc/passwd', '%ZZ', [], {}, [[]], { a: 1 }, [null], Number('99999999999999999999')],
];

function mutated(value: Json, random: () => number): Json {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  if (random() < 0.15) return pick(ODD);
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    if (list.length === 0 || random() < 0.1)
      return random() < 0.5 ? [] : Array.from({ length: 101 }, () => list[0] ?? null);
    const at = Math.floor(random() * list.length);
    return list.map((each, index) => (index === at ? mutated(each, random) : each));
  }
  if (typeof value === 'object' && value !== null) {
    const object = value as JsonObject;
    const key = pick(Object.keys(object).concat('extra'));
    if (random() < 0.15) return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
    return { ...object, [key]: mutated(object[key] ?? null, random) };
  }
  return pick(ODD);
}

/** Mutated as a tree, and one time in four as text, too. */
function body(base: Json, random: () => number): string {
  let value = base;
  for (let times = 0; times <= random() * 3; times += 1) value = mutated(value, random);
  const text = JSON.stringify(value);
  if (random() > 0.25) return text;
  const at = Math.floor(random() * text.length);
  const odd = ['', '{', '}', '"', ',', '\u0000', '\\u', '[', '9e999'][Math.floor(random() * 9)] ?? '';
  return random() < 0.3 ? text.slice(0, at) : `${text.slice(0, at)}${odd}${text.slice(at + 1)}`;
}

type Send = (text: string, random: () => number, services: Services) => Promise<Answer>;

async function storm(
  seed: number,
  base: (random: () => number) => Json,
  send: Send,
  accepted: (answer: Answer) => boolean,
) {
  const random = numbers(seed);
  const tally = { accepted: 0, refused: 0 };
  let here = machine();
  for (let count = 0; count < BODIES; count += 1) {
    if (count % PER_STATE === 0) here = machine();
    const text = body(base(random), random);
    const before = here.state();
    const answer = await send(text, random, here.services);
    const said = `${answer.status} ${String(answer.body)} for ${text.slice(0, 500)}`;
    expect(answer.status, said).toBeLessThan(500);
    expect(() => JSON.parse(String(answer.body)), said).not.toThrow();
    if (accepted(answer)) tally.accepted += 1;
    else {
      tally.refused += 1;
      if (here.state() !== before) throw new Error(`refused, and changed something: ${said}`);
    }
  }
  // Otherwise it proves nothing.
  expect(Math.min(tally.accepted, tally.refused)).toBeGreaterThan(BODIES / 100);
}

const asset = (name: string) => ({
  ReferenceType: 'BY_GUID',
  Guid: `odps.1.p.${name}`,
  MetadataType: 'TABLE',
  Env: 'PROD',
});
const detail = (name: string) => ({
  Source: { ReferenceType: 'BY_GUID', Guid: `odps.1.p.a.${name}`, ParentGuid: 'odps.1.p.a', MetadataType: 'COLUMN' },
  Target: { Name: name, MetadataType: 'COLUMN', ExtProperties: { k: 1 } },
  IsDirect: false,
});

it('Dataphin: no body gives a 500, and none that is refused changes anything', { timeout: 60_000 }, async () => {
  await storm(
    1,
    (random) => ({
      Source: asset('a'),
      Target: { ReferenceType: 'BY_PROPERTY', MetadataType: 'TABLE', Catalog: 'dataphin', Schema: 's', Name: 'b' },
      DetailedLineages: [detail(`c${Math.floor(random() * 5)}`)],
      RelationProperties: { why: 'x' },
      TenantId: 1,
    }),
    (text, random, services) => {
      const action = random() < 0.7 ? 'AddRegisterLineage' : 'DeleteRegisterLineage';
      const form = random() < 0.5;
      const sent = form
        ? `${action}Command=${encodeURIComponent(text.toWellFormed())}`
        : `{"${action}Command":${text}}`;
      const headers = {
        'x-acs-action': action,
        'content-type': form ? 'application/x-www-form-urlencoded' : 'application/json',
      };
      const query = new URLSearchParams({ OpTenantId: random() < 0.95 ? '30001011' : 'x' });
      return dataphin(request({ headers, query, body: Buffer.from(sent) }), services);
    },
    ({ status }) => status === 200,
  );
});

it('DataArts: no body gives a 500, and none that is refused changes anything', { timeout: 60_000 }, async () => {
  const table = (name: string) => ({ catalog: 'c', database: 'db', schema: '', table: name });
  await storm(
    2,
    (random) => ({
      job_id: `j${Math.floor(random() * 3)}`,
      node_name: 'n',
      table_lineage: {
        input_tables: [table('a'), table('b')],
        output_tables: [table('c')],
        column_lineages: [
          {
            input_columns: [{ database: 'db', schema: '', table: 'a', column: 'x' }],
            output_columns: [{ table: 'c', column: `y${Math.floor(random() * 5)}` }],
          },
        ],
      },
    }),
    (text, random, services) => {
      const headers: Record<string, string> = random() < 0.97 ? { workspace: 'w' } : {};
      return dataarts(request({ params: { project_id: 'p' }, headers, body: Buffer.from(text) }), services);
    },
    ({ status }) => status === 200,
  );
});

it('Flink: no body gives a 500, and none changes anything', { timeout: 60_000 }, async () => {
  await storm(
    3,
    (random) => ({
      id: random() < 0.5 ? 'dataphin:odps.1.p.a' : 'j0',
      idType: random() < 0.5 ? 'TABLE' : 'job',
      direction: 'Both',
      depth: 1,
      isColumnLevel: true,
      isTemporary: false,
      namespace: 'default',
      workspace: 'w',
    }),
    async (text, random, services) => {
      if (random() < 0.01) {
        const command = { AddRegisterLineageCommand: { Source: asset('a'), Target: asset('b') } };
        const query = new URLSearchParams({ OpTenantId: '1' });
        const add = request({
          query,
          headers: { 'x-acs-action': 'AddRegisterLineage' },
          body: Buffer.from(JSON.stringify(command)),
        });
        await dataphin(add, services);
        return { status: 200, body: '{"success":true}' };
      }
      return flink(request({ headers: { workspace: 'w' }, body: Buffer.from(text) }), services);
    },
    ({ body: text }) => (JSON.parse(String(text)) as JsonObject)['success'] === true,
  );
});
