import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { Failure } from '../shared/core/failure.ts';

/** The command was called wrongly: its usage is shown, and it ends with 2. */
export class Misuse extends Error {}

const EVERY = { help: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } } as const;

/** The command's arguments; every command knows `--help` and `--json`. Throws `Misuse`. */
export function readArguments<Options extends ParseArgsOptionsConfig>(options: Options) {
  try {
    return parseArgs({ allowPositionals: true, options: { ...EVERY, ...options } });
  } catch (thrown) {
    throw new Misuse(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

/**
 * Runs an npm script to its end: answers on stdout, what went wrong on stderr. Exit codes: 0 done, 1 refused or something is wrong (also
 * when `main` gives it), 2 called wrongly.
 */
export async function runCommand(usage: string, main: () => Promise<number | undefined>): Promise<void> {
  if (process.argv.slice(2).some((each) => each === '--help' || each === '-h')) {
    console.log(usage);
    return;
  }
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (thrown) {
    const misuse = thrown instanceof Misuse;
    const wrongSetting = thrown instanceof Failure && thrown.message.startsWith('Correct these settings');
    console.error(thrown instanceof Error ? thrown.message : String(thrown));
    if (misuse) console.error(`\n${usage}`);
    process.exitCode = misuse || wrongSetting ? 2 : 1;
  }
}

/** The answer, for a program with `--json` or for a person. */
export function say(json: boolean | undefined, value: unknown, text: () => string): void {
  console.log(json === true ? JSON.stringify(value, null, 2) : text());
}

/** Rows as aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
