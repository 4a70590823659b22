import { Logger } from '@aws-lambda-powertools/logger';
import type { JsonObject } from './core/json.ts';
import { redactFields, redactText } from './redaction.ts';
import type { LogLevel } from './settings.ts';
import { currentTrace } from './trace.ts';

/**
 * Where a function tells what it does. Messages are constant sentences; what varies goes into fields. Every line carries the fields of the
 * trace it is written in (`shared/trace.ts`), besides its own.
 */
export interface Log {
  debug(message: string, fields?: JsonObject): void;
  info(message: string, fields?: JsonObject): void;
  warn(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
  /** A log whose lines carry these fields too; this one stays as it is. */
  child(fields: JsonObject): Log;
}

export interface LogLine {
  readonly level: Exclude<LogLevel, 'silent'>;
  readonly message: string;
  readonly fields: JsonObject;
}

/**
 * One JSON object per line: debug and info on stdout, warn and error on stderr. Fields with secret-looking names are redacted. In a trace that
 * was sampled, everything is printed.
 *
 * Powertools keeps appended keys in the Logger instance, which concurrent functions of one process would share. Here each
 * call of `createLog` has its own instance, and nothing is ever appended to it: every line brings all its fields along.
 */
export function createLog(options: { readonly service: string; readonly level: LogLevel }): Log {
  const { service: serviceName, level: least } = options;
  const logger = new Logger({
    serviceName,
    logLevel: least === 'silent' ? 'silent' : 'debug',
    // Which events are told in full is decided here, so its own rate is always 0 and says nothing.
    jsonReplacerFn: (name, value: unknown) => (name === 'sampling_rate' ? undefined : value),
  });
  return toLog(
    {},
    ({ level, message, fields }) => logger[level](message, withoutReservedNames(fields)),
    (level) => RANK[level] >= RANK[currentTrace()?.debug === true ? 'debug' : least],
  );
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

/** Says nothing. */
export const silentLog: Log = toLog(
  {},
  () => {},
  () => false,
);

/** Collects lines, children's included, exactly as they would be printed. */
export function memoryLog(): Log & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const keep = (line: LogLine) => {
    lines.push(line);
  };
  return { ...toLog({}, keep, () => true), lines };
}

function toLog(bound: JsonObject, print: (line: LogLine) => void, isWanted: (level: LogLine['level']) => boolean): Log {
  const at = (level: LogLine['level']) => (message: string, fields?: JsonObject) => {
    if (!isWanted(level)) return;
    print({
      level,
      message: redactText(message),
      fields: redactFields({ ...currentTrace()?.fields, ...bound, ...fields }),
    });
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => toLog({ ...bound, ...fields }, print, isWanted),
  };
}

// Powertools drops fields of these names, with a warning line for each.
const RESERVED: ReadonlySet<string> = new Set(['level', 'message', 'sampling_rate', 'service', 'timestamp']);

function withoutReservedNames(fields: JsonObject): Record<string, JsonObject[string]> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [RESERVED.has(name) ? `${name}_` : name, value]),
  );
}
