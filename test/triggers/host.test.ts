import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startHost } from '../../local/host.ts';
import { functionUrl, json, type Request } from '../../shared/triggers/http.ts';
import { hardened } from '../hardening/machine.ts';

const told = ({ params, query }: Request) => Promise.resolve(json(200, { params, query: [...query] }));
const echo = functionUrl(
  [
    { method: 'GET', path: '/echo', handle: told },
    { method: 'GET', path: '/of/{namespace}/named/{name}', handle: told },
  ],
  { url: 'public' },
);

/** What the function behind the host is told, the target sent as it stands: clients would put some of these right. */
async function asked(target: string): Promise<unknown> {
  const { services } = await hardened();
  const host = await startHost({ echo }, services, 0);
  onTestFinished(() => host.close());
  const { hostname, port, host: name } = new URL(host.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  socket.write(`GET ${target} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, 'close');
  return JSON.parse(text.slice(text.indexOf('\r\n\r\n')));
}

test.each([
  ['/echo?dataset=n://q/t?x=1', [['dataset', 'n://q/t?x=1']]],
  [
    '/echo?dataset=a?&format=json?',
    [
      ['dataset', 'a?'],
      ['format', 'json?'],
    ],
  ],
  ['/echo?', []],
  ['/echo', []],
])('%s: the query is everything behind the first question mark', async (target, query) => {
  expect(await asked(target)).toEqual({ params: {}, query });
});

test('an encoded slash parts no path', async () => {
  expect(await asked('/of/https%3A%2F%2Fhost%2Fprod/named/a%2Fb%3Fc')).toEqual({
    params: { namespace: 'https://host/prod', name: 'a/b?c' },
    query: [],
  });
});
