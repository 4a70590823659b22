import { describe, expect, test } from 'vitest';
import { readSettings } from '../shared/settings.ts';

describe('settings', () => {
  test('without any, everything has the default of the local runtime', () => {
    expect(readSettings({})).toEqual({
      deployment: 'local',
      port: 3_000,
      admission: { requests: 512, bytes: 67_108_864 },
      dataDir: '.data',
      reconcileEveryMs: 60_000,
      auth: 'none',
      vanishGraceMs: 1_000,
      unknownWaitMs: 120_000,
      logLevel: 'info',
      logSample: 0,
      cors: { origins: [] },
      retention: { reportsMs: 1_209_600_000, statusesMs: 7_776_000_000 },
      drift: { detectShare: 5, heal: true, prune: false },
      modes: {},
      planKeptMs: 604_800_000,
      hold: { withdrawRatio: 0.3, singleRemovalLimit: 100, smallTarget: 10 },
      openlineage: {
        runs: 3,
        indirect: 'table',
        strict: false,
        failedRuns: false,
        selfEdges: true,
        keepSql: false,
        runExpiryMs: 604_800_000,
        archiveDays: 30,
        inboxDays: 30,
      },
      flinkSource: { on: true, namespaces: [], temporary: 'contract' },
      wire: { dataphin: 'relay', dataarts: 'relay', flink: 'keep', down: 'error' },
      publicHosts: [],
    });
  });

  test('each can be set; seconds may have decimals, words any case', () => {
    const settings = readSettings({
      DEPLOYMENT: 'prod-eu',
      PORT: '0',
      DATA_DIR: '/var/lib/lineage functions',
      RECONCILE_EVERY: '0.5',
      AUTH: 'Required',
      VANISH_GRACE: '0',
      UNKNOWN_WAIT: '1.25',
      LOG_LEVEL: 'WARN',
      LOG_SAMPLE: '2.5',
      CORS_ORIGINS: 'https://Portal.example.com, http://localhost:8080',
      REPORT_RETENTION: '1',
      STATUS_RETENTION: '2',
      DRIFT_DETECT: '10',
      DRIFT_HEAL: 'no',
      DRIFT_PRUNE: 'yes',
      WITHDRAW_HOLD_RATIO: '0.5',
      SINGLE_REMOVAL_LIMIT: '7',
      SMALL_TARGET: '0',
      OPENLINEAGE_RUNS: '1',
      OPENLINEAGE_INDIRECT: 'KEEP',
      OPENLINEAGE_STRICT: 'yes',
      OPENLINEAGE_FAILED_RUNS: 'publish',
      OPENLINEAGE_SELF_EDGES: 'drop',
      OPENLINEAGE_KEEP_SQL: 'yes',
      OPENLINEAGE_RUN_EXPIRY: '0.5',
      OPENLINEAGE_ARCHIVE_DAYS: '7',
      OPENLINEAGE_INBOX_DAYS: '8',
      FLINK_SOURCE: 'Off',
      FLINK_SOURCE_NAMESPACES: 'a, b,a',
      FLINK_SOURCE_NAME: 'orders-*',
      FLINK_SOURCE_LABEL: 'team=orders|billing',
      FLINK_SOURCE_STATUS: 'running',
      FLINK_SOURCE_TEMPORARY: 'drop',
      MODES: 'dataphin=upsert-only, dataarts/finance=report-only',
      REQUESTS_AT_ONCE: '100',
      REQUEST_MB_AT_ONCE: '2',
      PLAN_DAYS: '2',
      WIRE_DATAPHIN: 'All',
      WIRE_DATAARTS: 'keep',
      WIRE_FLINK: 'relay',
      WIRE_DOWN: 'forward',
      PUBLIC_HOSTS: 'Lineage.example.com, 10.0.0.7:3000',
      PATH: '/usr/bin',
    });
    expect(settings).toEqual({
      deployment: 'prod-eu',
      port: 0,
      admission: { requests: 100, bytes: 2_097_152 },
      dataDir: '/var/lib/lineage functions',
      reconcileEveryMs: 500,
      auth: 'required',
      vanishGraceMs: 0,
      unknownWaitMs: 1_250,
      logLevel: 'warn',
      logSample: 0.025,
      cors: { origins: ['https://portal.example.com', 'http://localhost:8080'] },
      retention: { reportsMs: 86_400_000, statusesMs: 172_800_000 },
      drift: { detectShare: 10, heal: false, prune: true },
      modes: { dataphin: 'upsert-only', 'dataarts/finance': 'report-only' },
      planKeptMs: 172_800_000,
      hold: { withdrawRatio: 0.5, singleRemovalLimit: 7, smallTarget: 0 },
      openlineage: {
        runs: 1,
        indirect: 'keep',
        strict: true,
        failedRuns: true,
        selfEdges: false,
        keepSql: true,
        runExpiryMs: 43_200_000,
        archiveDays: 7,
        inboxDays: 8,
      },
      flinkSource: {
        on: false,
        namespaces: ['a', 'b'],
        name: 'orders-*',
        label: { key: 'team', values: ['orders', 'billing'] },
        status: 'RUNNING',
        temporary: 'drop',
      },
      wire: { dataphin: 'all', dataarts: 'keep', flink: 'relay', down: 'forward' },
      publicHosts: ['lineage.example.com', '10.0.0.7:3000'],
    });
  });

  test('a socket that was handed over is used by the process that it is for, or by whichever comes where none is named', () => {
    const at = (given: Readonly<Record<string, string>>) => readSettings(given, 4711).listenFd;
    expect(at({ LISTEN_FDS: '1', LISTEN_PID: '4711' })).toBe(3);
    expect(at({ LISTEN_FDS: '1' })).toBe(3);
    expect(at({ LISTEN_FDS: '1', LISTEN_PID: '' })).toBe(3);
    expect(at({ LISTEN_FDS: '1', LISTEN_PID: '4712' })).toBeUndefined();
    expect(at({ LISTEN_FDS: '2', LISTEN_PID: '4712' })).toBeUndefined();
    expect(at({ LISTEN_PID: '4711' })).toBeUndefined();
    expect(() => at({ LISTEN_FDS: '2', LISTEN_PID: '4711' })).toThrow(/- LISTEN_FDS is "2": give 1/);
  });

  test('an empty or blank one counts as not set', () => {
    expect(readSettings({ PORT: '', DATA_DIR: ' ', AUTH: undefined })).toEqual(readSettings({}));
  });

  test('every wrong one is listed, with what it may be', () => {
    const wrong = () => readSettings({ PORT: '70000', AUTH: 'maybe', RECONCILE_EVERY: '0', DATA_DIR: 'good' });
    expect(wrong).toThrow(
      expect.objectContaining({
        kind: 'invalid',
        message: [
          'Correct these settings and start again:',
          '- PORT is "70000": give a whole number from 0 to 65535 (0 picks a free one)',
          '- RECONCILE_EVERY is "0": give a number from 0.1 to 86400 seconds',
          '- AUTH is "maybe": give none or required',
        ].join('\n'),
      }),
    );
  });

  test.each([
    ['PORT', ['-1', '3000.5', '1e3', '0x10', 'abc', 'NaN', '3 000']],
    ['VANISH_GRACE', ['-1', 'Infinity', '90000', '1s']],
    ['UNKNOWN_WAIT', ['-0.1', 'two']],
    ['WITHDRAW_HOLD_RATIO', ['1.1', '30%', '-0.3']],
    ['SINGLE_REMOVAL_LIMIT', ['1.5', '-1']],
    ['SMALL_TARGET', ['ten']],
    ['MODES', ['dataphin', 'dataphin=all', 'dataphin=sync;dataarts=sync', '=sync', 'dataphin=sync,']],
    ['PLAN_DAYS', ['0', '1.5', 'week']],
    ['LOG_LEVEL', ['loud']],
    ['LOG_SAMPLE', ['101', '-1', 'all']],
    ['DEPLOYMENT', ['a b', '-x', 'x'.repeat(65), 'a/b']],
    ['DATA_DIR', ['a\0b']],
  ] as const)('%s is refused as any of %j', (name, values) => {
    for (const value of values)
      expect(() => readSettings({ [name]: value }), value).toThrow(new RegExp(`- ${name} is`));
  });

  test('this process has settings, too', () => {
    expect(readSettings().dataDir).not.toBe('');
  });
});
