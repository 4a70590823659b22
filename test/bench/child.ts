import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Starts a file of this folder as a process of its own; it tells what it has to say as one JSON value per line. */
export async function startChild(
  file: string,
  input: unknown,
): Promise<{ readonly child: ChildProcess; next<T>(): Promise<T>; stop(): Promise<void> }> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--expose-gc', path, JSON.stringify(input)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit');
  return {
    child,
    next: async <T>() => {
      const line = await lines.next();
      if (line.done) throw new Error(`${file} ended without an answer; see above`);
      return JSON.parse(line.value) as T;
    },
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}

/** Runs it to its end and returns the one thing it said. */
export async function runChild<T>(file: string, input: unknown): Promise<T> {
  const started = await startChild(file, input);
  try {
    return await started.next<T>();
  } finally {
    await started.stop();
  }
}

/** In the child: what it was given. */
export function given<T>(): T {
  return JSON.parse(process.argv[2] ?? 'null') as T;
}

/** In the child: says it. */
export function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
