import { describe, expect, it } from 'vitest';
import { hidePrivate, hidePrivateText, isPrivateName } from '../../shared/vendors/private-values.ts';

const HIDDEN = '[redacted]';

describe('names', () => {
  it.each(
    'password PASSWORD db.Password user_passwd pwd secret client-secret accessKeySecret access_key_id ACCESSKEYID apikey key token security.token credential aws.credentials.provider private-key fs.azure.account.key accountkey sasl.jaas.config Authorization redis.pass pass%77ord passphrase'.split(
      ' ',
    ),
  )('%s is private', (name) => {
    expect(isPrivateName(name)).toBe(true);
  });
  it.each(
    'connector hostname port username user topic primary-key bucket-key partition.keys key.format value.fields-include monkey passenger compass'.split(
      ' ',
    ),
  )('%s is not', (name) => {
    expect(isPrivateName(name)).toBe(false);
  });
});

describe('values', () => {
  it('masks any type at any depth, and leaves the rest', () => {
    const given = {
      connector: 'kafka',
      port: 9092,
      Password: 12345,
      options: [{ deep: { Secret_Token: { a: 1 }, safe: true } }],
      enabled: false,
      key: ['a'],
      credential: true,
      secret: null,
      token: '',
    };
    expect(hidePrivate(given)).toEqual({
      connector: 'kafka',
      port: 9092,
      Password: HIDDEN,
      options: [{ deep: { Secret_Token: HIDDEN, safe: true } }],
      enabled: false,
      key: HIDDEN,
      credential: HIDDEN,
      secret: null,
      token: '',
    });
  });
  it('masks values whose name stands beside them', () => {
    const pairs = [
      { name: 'password', value: 'hunter2' },
      { key: 'user', value: 'me' },
    ];
    expect(hidePrivate(pairs)).toEqual([
      { name: 'password', value: HIDDEN },
      { key: 'user', value: 'me' },
    ]);
  });
  it('masks what is too deep to look at', () => {
    let deep: { [key: string]: object } = {};
    const top = deep;
    for (let at = 0; at < 50_000; at += 1) {
      const next = {};
      deep['a'] = next;
      deep = next;
    }
    deep['password'] = { value: 'hunter2' };
    expect(() => hidePrivate(top as never)).not.toThrow();
  });
});

describe('texts', () => {
  const LEAK = /hunter2|p@ss|sl\/ash|abcdef123/;
  it.each([
    ['https://me:hunter2@host:8080/path?x=1', 'host:8080/path?x=1'],
    ['mongodb://me:hunter2@h1:1,h2:2/db', 'h1:1,h2:2/db'],
    ['mysql://me:p@ss@host/db', '@host/db'],
    ['mysql://me:sl/ash@host/db', '@host/db'],
    ['https://token-only-hunter2@host/', '@host/'],
    ['jdbc:mysql://host:3306/db?user=me&password=hunter2&ssl=true', 'ssl=true'],
    ['jdbc:mysql://host/db?Access_Token=hunter2', 'jdbc:mysql://host/db'],
    ['jdbc:sqlserver://host:1433;user=me;password=hunter2;encrypt=true', 'encrypt=true'],
    ['jdbc:oracle:thin:me/hunter2@host:1521:sid', 'host:1521:sid'],
    ['AccountName=me;AccountKey=hunter2==;EndpointSuffix=core', 'EndpointSuffix=core'],
    [`org.PlainLoginModule required username="me" password="hun\\"ter2 hunter2";`, 'username="me"'],
    [`CREATE TABLE t WITH ('user' = 'me', 'password' = 'it''s hunter2', 'x' = 'y')`, `'x' = 'y'`],
    ['{"user":"me","password":"hunter2","port":1}', '"port":1'],
    [String.raw`{\"password\":\"hunter2\",\"port\":1}`, 'port'],
    ['url=jdbc:x://h/db?password=hunter2', 'url=jdbc:x://h/db'],
    ['authorization: Bearer abcdef123', 'Bearer'],
    ['https://h/p?pass%77ord=hunter2', 'https://h/p'],
    ['-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY----- rest', 'rest'],
    ['password="hunter2', 'password='],
  ])('%s', (text, kept) => {
    const clean = hidePrivateText(text);
    expect(clean).not.toMatch(LEAK);
    expect(clean).toContain(kept);
    expect(hidePrivateText(clean)).toBe(clean);
  });
  it.each(['jdbc:mysql://host:3306/db?useSSL=true', 'https://h:8080/a/@scope/b', 'me@example.com', 'a = b; c = d'])(
    'leaves %s alone',
    (text) => {
      expect(hidePrivateText(text)).toBe(text);
    },
  );
  it('takes linear time on hostile texts', () => {
    const started = performance.now();
    for (const piece of ['://:', 'a=', '"', "'password'", '%', 'a.', '\\"']) hidePrivateText(piece.repeat(100_000));
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
