import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createTransport } from '../../shared/http/transport.ts';
import { parseEndpoint } from '../../shared/vendors/endpoint.ts';
import { local } from '../functions/local.ts';

/** A place that nobody should ever be led to. */
async function forbidden() {
  const visits: string[] = [];
  const server = createServer((request, response) => {
    visits.push(`${request.method} ${request.url}`);
    response.end('secret');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, visits };
}

test('no redirect of a vendor is followed', async () => {
  const there = await forbidden();
  const vendor = createServer((_request, response) => {
    response.writeHead(307, { location: `${there.url}/latest/meta-data` });
    response.end();
  });
  await new Promise<void>((done) => vendor.listen(0, '127.0.0.1', done));
  const transport = createTransport();
  onTestFinished(async () => {
    await transport.close();
    vendor.closeAllConnections();
    vendor.close();
  });
  const url = `http://127.0.0.1:${(vendor.address() as AddressInfo).port}/`;
  const answer = await transport.send({ method: 'POST', url, headers: {}, deadlineMs: Date.now() + 5_000 });
  // Whoever was sent there would have come before this one.
  await fetch(`${there.url}/last`);
  expect([answer.status, there.visits]).toEqual([307, ['GET /last']]);
});

test.each([
  'http://vendor.example.com',
  'http://169.254.169.254',
  'http://[fd00::1]',
  'ftp://vendor.example.com',
  'file:///etc/passwd',
  'https://user:password@vendor.example.com',
  'https://vendor.example.com/?redirect=x',
  'https://vendor.example.com/#x',
])('%s is no endpoint', (text) => {
  expect(parseEndpoint(text, false)).toBeUndefined();
});

test('nothing that a manifest, an event or a question names is ever asked', async () => {
  const at = await local();
  const { url, visits } = await forbidden();
  const dataset = { namespace: url, name: `${url}/a`, dataphin: { guid: `odps.1.p.${url}` } };
  const manifest = {
    version: 1,
    datasets: { a: dataset, b: { ...dataset, name: `${url}/b` } },
    lineage: [{ from: 'a', to: 'b' }],
  };
  const event = {
    eventType: 'COMPLETE',
    eventTime: '2026-11-21T00:00:00Z',
    producer: url,
    schemaURL: `${url}/schema.json`,
    run: { runId: 'r', facets: { x: { _producer: url, _schemaURL: `${url}/facet.json` } } },
    job: { namespace: url, name: url },
    inputs: [{ namespace: url, name: 'a' }],
    outputs: [{ namespace: url, name: 'b' }],
  };
  const json = { 'content-type': 'application/json' };
  for (const [method, path, body] of [
    ['PUT', '/manifests/a.json', JSON.stringify(manifest)],
    ['POST', '/lineage', JSON.stringify(manifest)],
    ['POST', '/api/v1/lineage', JSON.stringify(event)],
    ['GET', `/lineage?dataset=${encodeURIComponent(`${url}/${url}/a`)}`, undefined],
    ['POST', '/links', JSON.stringify({ dataset: url })],
    ['PUT', '/manifests/b.yaml', `version: 1\nlineage: !include ${url}/x\n`],
  ] as const) {
    const answer = await at.request(method, path, body, json);
    expect([path, answer.status === 500]).toEqual([path, false]);
  }
  await at.runtime.reconcile();
  expect(visits).toEqual([]);
});
