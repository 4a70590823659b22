import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLog, memoryLog, silentLog } from '../shared/log.ts';
import { isSecretName, redactFields } from '../shared/redaction.ts';

describe('redaction', () => {
  test.each([
    ...['password', 'db_password', 'Secret', 'clientSecret', 'access_key_secret', 'token', 'X-Auth-Token', 'idToken'],
    ...[
      'key',
      'Key',
      'api_key',
      'apiKey',
      'apikey',
      'x-api-key',
      'accessKeyId',
      'AccessKeyId',
      'access_key_id',
      'keys',
    ],
    ...['credential', 'credentials', 'Authorization', 'signature', 'x-acs-signature', 'X-Amz-Signature', 'privateKey'],
  ])('%s is a secret-looking name', (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  test.each(['owner', 'object', 'unit', 'target', 'table', 'monkey', 'keyboard', 'author', 'signed', 'etag', 'rev'])(
    '%s is not',
    (name) => {
      expect(isSecretName(name)).toBe(false);
    },
  );

  test('works at every depth, hides whole structures, and keeps numbers, which are counts', () => {
    const fields = {
      owner: 'manifests/a.yaml',
      request: { headers: [{ Authorization: 'x', accept: 'y' }], tokens: 3 },
      credentials: { user: 'u', pin: 1234 },
      keys: ['a', 'b'],
      token: null,
    };
    expect(redactFields(fields)).toEqual({
      owner: 'manifests/a.yaml',
      request: { headers: [{ Authorization: '[redacted]', accept: 'y' }], tokens: 3 },
      credentials: '[redacted]',
      keys: '[redacted]',
      token: null,
    });
    expect(fields.credentials.pin).toBe(1234);
  });

  test('cuts secrets out of URLs and headers inside text', () => {
    const url = 'https://h/?X-Amz-Signature=abc&table=t&access_token=def#x';
    expect(redactFields({ url, said: 'sent Bearer eyJhbGciOi.x-y_z and more' })).toEqual({
      url: 'https://h/?X-Amz-Signature=[redacted]&table=t&access_token=[redacted]',
      said: 'sent Bearer [redacted] and more',
    });
  });
});

describe('the log', () => {
  let out: string[];
  let err: string[];

  beforeEach(() => {
    out = [];
    err = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => out.push(String(chunk)) > 0);
    vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => err.push(String(chunk)) > 0);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

  test('prints one JSON object per line, errors and warnings on stderr', () => {
    const log = createLog({ service: 'register', level: 'debug' });
    log.debug('d');
    log.info('i', { owner: 'a\nb\u001b[31m', edges: 3 });
    log.warn('w');
    log.error('e', { token: 'hunter2' });
    vi.restoreAllMocks();
    expect(parsed(out)).toMatchObject([
      { level: 'DEBUG', message: 'd', service: 'register' },
      { level: 'INFO', message: 'i', owner: 'a\nb\u001b[31m', edges: 3 },
    ]);
    expect(parsed(err)).toMatchObject([
      { level: 'WARN', message: 'w' },
      { level: 'ERROR', message: 'e', token: '[redacted]' },
    ]);
    expect([...out, ...err].every((line) => line.indexOf('\n') === line.length - 1 && !line.includes('\u001b'))).toBe(
      true,
    );
  });

  test('prints nothing below its level, and nothing at all when silent', () => {
    const log = createLog({ service: 's', level: 'warn' });
    log.info('no');
    log.warn('yes');
    createLog({ service: 's', level: 'silent' }).error('no');
    silentLog.child({ a: 1 }).error('no');
    vi.restoreAllMocks();
    expect(out).toEqual([]);
    expect(parsed(err)).toMatchObject([{ message: 'yes' }]);
  });

  test('functions and children that work at the same time share nothing', () => {
    const register = createLog({ service: 'register', level: 'info' });
    const fetch = createLog({ service: 'fetch', level: 'info' });
    const one = register.child({ owner: 'one', only: 1 });
    const two = register.child({ owner: 'two' }).child({ target: 'flink' });
    one.info('a');
    fetch.info('b');
    two.info('c');
    register.info('d');
    one.info('e', { owner: 'once' });
    one.info('f');
    vi.restoreAllMocks();
    const seen = parsed(out).map(({ level, timestamp, sampling_rate, xray_trace_id, ...rest }) => rest);
    expect(seen).toEqual([
      { message: 'a', service: 'register', owner: 'one', only: 1 },
      { message: 'b', service: 'fetch' },
      { message: 'c', service: 'register', owner: 'two', target: 'flink' },
      { message: 'd', service: 'register' },
      { message: 'e', service: 'register', owner: 'once', only: 1 },
      { message: 'f', service: 'register', owner: 'one', only: 1 },
    ]);
  });

  test('fields with names of its own are kept under another name, without a warning line', () => {
    createLog({ service: 's', level: 'info' }).info('real', { level: 'x', message: 'y', service: 'z', timestamp: 1 });
    vi.restoreAllMocks();
    expect(parsed(out)).toMatchObject([
      { message: 'real', service: 's', level_: 'x', message_: 'y', service_: 'z', timestamp_: 1 },
    ]);
    expect(err).toEqual([]);
  });
});

test('the memory log collects its own and its children’s lines, redacted', () => {
  const log = memoryLog();
  log.info('a');
  log.child({ owner: 'o', password: 'hunter2' }).error('Basic aHVudGVyMg==', { n: 1 });
  expect(log.lines).toEqual([
    { level: 'info', message: 'a', fields: {} },
    { level: 'error', message: 'Basic [redacted]', fields: { owner: 'o', password: '[redacted]', n: 1 } },
  ]);
});
