import { Logger } from '@aws-lambda-powertools/logger';
import type { JsonObject } from './core/json.ts';
import { redactFields, redactText } from './redaction.ts';
import type { LogLevel } from './settings.ts';

/** Where a function tells what it does. Messages are constant sentences; what varies goes into fields. */
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
 * One JSON object per line: debug and info on stdout, warn and error on stderr. Fields with secret-looking names are redacted.
 *
 * Powertools keeps appended keys in the Logger instance, which concurrent functions of one process would share. Here each
 * call of `createLog` has its own instance, and nothing is ever appended to it: every line brings all its fields along.
 */
export function createLog(options: { readonly service: string; readonly level: LogLevel }): Log {
  const logger = new Logger({ serviceName: options.service, logLevel: options.level });
  return toLog({}, ({ level, message, fields }) => logger[level](message, withoutReservedNames(fields)));
}

/** Says nothing. */
export const silentLog: Log = toLog({}, () => {});

/** Collects lines, children's included, exactly as they would be printed. */
export function memoryLog(): Log & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  return { ...toLog({}, (line) => lines.push(line)), lines };
}

function toLog(bound: JsonObject, print: (line: LogLine) => void): Log {
  const at = (level: LogLine['level']) => (message: string, fields?: JsonObject) =>
    print({ level, message: redactText(message), fields: redactFields({ ...bound, ...fields }) });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => toLog({ ...bound, ...fields }, print),
  };
}

// Powertools drops fields of these names, with a warning line for each.
const RESERVED: ReadonlySet<string> = new Set(['level', 'message', 'sampling_rate', 'service', 'timestamp']);

function withoutReservedNames(fields: JsonObject): Record<string, JsonObject[string]> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [RESERVED.has(name) ? `${name}_` : name, value]),
  );
}
