import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataarts } from '../../shared/vendors/dataarts/index.ts';
import { readSecret } from '../../shared/vendors/dataarts/secret.ts';
import { vendors } from '../../shared/vendors/index.ts';
import type { Call } from '../../shared/vendors/vendor.ts';
import { DATAARTS_SECRET, DATAPHIN_SECRET, dataartsCall, FLINK_SECRET, loopback, surroundings } from './loopback.ts';

let server: Awaited<ReturnType<typeof loopback>>;
beforeAll(async () => {
  server = await loopback();
});
afterAll(() => server.close());

const KEYS = { ...DATAARTS_SECRET, security_token: 'SECTOKSECTOKSECTOK', instance_id: 'i1', allow_http: true };

function connected(attemptTimeoutMs = 5_000) {
  const { io, options, close } = surroundings(attemptTimeoutMs);
  const client = dataarts.connect({ ...KEYS, endpoint: server.url }, io);
  const failing = async (working: Promise<unknown> | undefined) => {
    try {
      return await working?.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    } finally {
      await close();
    }
  };
  return { client, options, failing };
}

describe('what is read', () => {
  it('quotes no key in its failures', async () => {
    const said = `ak ${KEYS.ak} with ${KEYS.security_token} not exist`;
    server.answers({ status: 401, body: { error_code: 'APIGW.0301', error_msg: said } });
    const { client, options, failing } = connected();
    const failure = await failing(client.locate?.(dataartsCall, options));
    expect(failure).toMatchObject({ message: expect.stringContaining('ak [redacted] with [redacted] not exist') });
  });

  it('is read in smaller pages where a page is larger than an answer may be', async () => {
    const row = {
      source_db: 'db1',
      source_table: 't_in',
      source_schema: '',
      target_db: 'db1',
      target_table: 't_out',
      target_schema: '',
      node_name: 'x'.repeat(200_000),
    };
    const nodes = Array.from({ length: 120 }, (_, at) => ({ ...row, node_qualified_name: `n${at}` }));
    nodes[119] = { ...nodes[119], node_name: 'testNode' } as (typeof nodes)[number];
    server.answersWith(({ target }) => {
      const query = new URL(target, server.url).searchParams;
      const [offset, limit] = [Number(query.get('offset')), Number(query.get('limit'))];
      return { body: { total: nodes.length, data: nodes.slice(offset, offset + limit) } };
    });
    const { client, options, failing } = connected(20_000);
    let found: readonly string[] | undefined;
    expect(
      await failing(
        client.locate?.(dataartsCall, options).then((names) => {
          found = names;
        }),
      ),
    ).toBeUndefined();
    expect(found).toEqual(['n119']);
    const limits = server.seen.map(({ target }) => new URL(target, server.url).searchParams.get('limit'));
    expect(limits).toEqual(['100', '25', '25', '25', '25', '25']);
  });
});

describe('a refusal', () => {
  const elsewhere: Call = { ...dataartsCall, spec: { ...dataartsCall.spec, workspaceId: 'another' } };
  const refused = async (call: Call, code: string) => {
    server.answers({ status: 403, body: { error_code: code, error_msg: 'no role here' } });
    const { client, options, failing } = connected();
    return failing(client.register?.(call, options));
  };

  it('of an entry that names a workspace of its own is that of the entry', async () => {
    expect(await refused(elsewhere, 'DLG.0403')).toMatchObject({
      kind: 'missing',
      maybeApplied: false,
      message: expect.stringContaining('workspace another'),
    });
  });

  it("of the secret's workspace, or by the gateway, is that of the account", async () => {
    expect(await refused(dataartsCall, 'DLG.0403')).toMatchObject({ kind: 'denied' });
    expect(await refused(elsewhere, 'APIGW.0302')).toMatchObject({ kind: 'denied' });
  });
});

describe('the probe', () => {
  it('takes nothing for DataArts that does not answer as it does', async () => {
    const probing = async (body: string | object) => {
      server.answers({ body });
      const { client, options, failing } = connected();
      return failing(client.probe?.(options));
    };
    expect(await probing('<html>Welcome</html>')).toMatchObject({ kind: 'unavailable', status: 200 });
    expect(await probing([])).toMatchObject({ kind: 'unavailable' });
    expect(await probing({ relations: [] })).toBeUndefined();
  });
});

describe('what goes into headers', () => {
  it.each([
    ['workspace_id', 'ws\n1'],
    ['workspace_id', '工作区'],
    ['project_id', ' p'],
    ['ak', 'AK\n'],
    ['security_token', 'a b'],
    ['instance_id', ''],
  ])('is checked in the secret: %s', (key, value) => {
    expect(() => readSecret({ ...KEYS, region: 'eu-de', [key]: value })).toThrow(key);
  });

  it.each([
    ['dataphin', 'access_key_id', 'ID\n'],
    ['dataphin', 'security_token', 'a b'],
    ['flink', 'access_key_id', ' ID'],
    ['flink', 'workspace', '工作区'],
  ])('is checked in the secret of %s: %s', (name, key, value) => {
    const vendor = vendors.find((each) => each.name === name);
    const secret = { ...(name === 'flink' ? FLINK_SECRET : DATAPHIN_SECRET), endpoint: 'https://vendor.example' };
    const { io } = surroundings();
    expect(() => vendor?.connect(secret, io)).not.toThrow();
    expect(() => vendor?.connect({ ...secret, [key]: value }, io)).toThrow(key);
  });

  it('is checked in a manifest', () => {
    const { entry } = dataarts.blocks;
    expect(entry?.safeParse({ workspaceId: 'ws 1' }).success).toBe(false);
    expect(entry?.safeParse({ workspaceId: '1b59d3c777ad' }).success).toBe(true);
  });
});
