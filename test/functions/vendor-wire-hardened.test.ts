import { expect, it } from 'vitest';
import { dataarts } from '../../functions/vendor-wire/dataarts.ts';
import { dataphin } from '../../functions/vendor-wire/dataphin.ts';
import { flink } from '../../functions/vendor-wire/flink.ts';
import { entry as webhook } from '../../functions/register/webhook.ts';
import { at } from '../simulators/callers.ts';
import { machine, request } from './wire-machine.ts';

const deep = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const asset = (name: string) => `{"ReferenceType":"BY_GUID","Guid":"odps.1.p.${name}","MetadataType":"TABLE"}`;

for (const depth of [500, 3000, 20_000, 300_000]) {
  it(`probe dataphin ${depth}`, async () => {
    const { services } = machine();
    const body = Buffer.from(`{"AddRegisterLineageCommand":{"Source":${asset('a')},"Target":${asset('b')},"RelationProperties":${deep(depth)}}}`);
    const query = new URLSearchParams({ OpTenantId: '1' });
    const answer = await dataphin(request({ query, headers: { 'x-acs-action': 'AddRegisterLineage' }, body }), services);
    console.log(depth, answer.status, String(answer.body).slice(0, 300));
  });
  it(`probe dataarts ${depth}`, async () => {
    const { services } = machine();
    const body = Buffer.from(`{"table_lineage":${deep(depth)}}`);
    const answer = await dataarts(request({ params: { project_id: 'p' }, headers: { workspace: 'w' }, body }), services);
    console.log(depth, answer.status, String(answer.body).slice(0, 300));
    const body2 = Buffer.from(`{"job_id": ${deep(depth)}, "table_lineage":{"input_tables":[{"table":"a"}],"output_tables":[{"table":"b"}]}}`);
    const answer2 = await dataarts(request({ params: { project_id: 'p' }, headers: { workspace: 'w' }, body: body2 }), services);
    console.log(depth, answer2.status, String(answer2.body).slice(0, 300));
    const f = await flink(request({ headers: { workspace: 'w' }, body: Buffer.from(`{"id":"x","idType":"JOB","x":${deep(depth)}}`)}), services);
    console.log(depth, f.status, String(f.body).slice(0, 300));
  });
  it(`probe event ${depth}`, async () => {
    const { services } = machine();
    const route = webhook.routes.find((each) => each.path === '/api/v1/lineage');
    const event = `{"eventTime":"2026-01-01T00:00:00Z","eventType":"START","run":{"runId":"r","facets":{"x":${deep(depth)}}},"job":{"namespace":"n","name":"j"}}`;
    const answer = await route?.handle(request({ body: Buffer.from(event) }), services).catch((e: unknown) => ({ status: 'threw', body: String(e) }));
    console.log(depth, answer?.status, String(answer?.body).slice(0, 300));
  });
}
it('x', () => expect(at({ a: 1 }, 'a')).toBe(1));
