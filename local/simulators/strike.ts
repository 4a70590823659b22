import type { ServerResponse } from 'node:http';
import type { AnsweringFault, Fault } from './faults.ts';
import type { Answer } from './product.ts';
import { send, sendText } from './send.ts';

/** The exchange that a fault hits. */
export interface Exchange {
  readonly response: ServerResponse;
  /** Applies the call. */
  perform(): Answer;
  vendorAnswer(kind: AnsweringFault): Answer;
  /** Runs work after a delay in milliseconds, unless the simulator is closed first. */
  later(delayMs: number, work: () => void): void;
}

const LATE_MS = 1000;

/** Carries one fault out on one call; what each kind does stands at `faultSchema`. */
export function strike(fault: Fault, exchange: Exchange): void {
  const { response, perform, vendorAnswer, later } = exchange;
  const delayed = (work: () => void) => {
    if (fault.delayMs === undefined) work();
    else later(fault.delayMs, work);
  };
  switch (fault.kind) {
    case 'hang':
      break;
    case 'reset':
      delayed(() => response.socket?.resetAndDestroy());
      break;
    case 'lost-answer':
      perform();
      delayed(() => response.destroy());
      break;
    case 'late-apply':
      response.destroy();
      later(fault.delayMs ?? LATE_MS, perform);
      break;
    case 'bad-json': {
      const whole = JSON.stringify(perform().body);
      delayed(() => sendText(response, 200, {}, whole.slice(0, Math.floor(whole.length / 2))));
      break;
    }
    default: {
      const answer = vendorAnswer(fault.kind);
      delayed(() => send(response, answer));
    }
  }
}
