/** What the doctor found about one thing. */
export interface Finding {
  readonly check: string;
  /** `wrong`: it does not work so; `warn`: it works, and somebody should look; `info`: cannot be seen from here, or needs nothing. */
  readonly state: 'ok' | 'info' | 'warn' | 'wrong';
  readonly message: string;
  /** What to do. */
  readonly fix?: string;
}

export const ok = (check: string, message: string): Finding => ({ check, state: 'ok', message });
export const info = (check: string, message: string): Finding => ({ check, state: 'info', message });
export const warn = (check: string, message: string, fix: string): Finding => ({ check, state: 'warn', message, fix });
export const wrong = (check: string, message: string, fix: string): Finding => ({
  check,
  state: 'wrong',
  message,
  fix,
});
