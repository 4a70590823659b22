import type { ServerResponse } from 'node:http';
import type { AdmissionSettings } from '../shared/settings.ts';
import { SECURITY_HEADERS } from '../shared/triggers/http.ts';
import { comeAgain } from '../shared/triggers/problem.ts';

/** Reading and writing do not take each other's room: under a flood of events the pages still answer. */
export type Lane = 'read' | 'write';

/** The room of one request, from its first line to its answer. */
export interface Place {
  /** Takes room for bytes that have come; false when there is none. */
  grow(bytes: number): boolean;
  /** To be called when the request is complete, so that slow senders take no room but their bytes. Waits for its turn; false when there is no room, or it waited too long. */
  begin(): Promise<boolean>;
  leave(): void;
}

export interface Admission {
  /** Undefined when the lane is full. */
  enter(lane: Lane): Place | undefined;
  /** Answers 503 with Retry-After when it is this one's turn. */
  turnAway(response: ServerResponse): Promise<void>;
}

/**
 * Begun in one turn of the event loop; enough to share a commit. The loop accepts one new connection a turn (libuv 1.52, measured), so
 * turns have to be short.
 */
const BEGUN_IN_TURN = 64;
/** So many cost less than half of what serving the others does. */
const TURNED_AWAY_IN_TURN = 128;
/** Whoever sends has waited too long then: the webhook waits for its store for 1.5 s, and clients wait for two at the least. People wait for pages longer. */
const LATE_MS = 400;
const TELL_EVERY_MS = 10_000;

/**
 * What a platform does before a function is called: so many requests, and bytes of them, are in hand at once, and no more. They begin in
 * the order they came, some in each turn of the loop. `tell` hears how many were turned away: at once, then every ten seconds. `now` is in
 * ms and never goes back.
 *
 * Who is turned away hears of it between two turns, and only so many do. A connection that waits for its answer sends nothing more, so
 * however many there are, each turn ends, what waits for the disk goes on, and most of the time goes into requests that are served.
 */
export function admission(limits: AdmissionSettings, tell: (turnedAway: number) => void, now: () => number): Admission {
  const lanes = { read: newLane(Number.POSITIVE_INFINITY), write: newLane(LATE_MS) };
  const refused: (() => void)[] = [];
  let bytesInHand = 0;
  let begun = 0;
  let turnedAway = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  let scheduled = false;

  function beforeNextTurn(): void {
    if (!scheduled) setImmediate(turn);
    scheduled = true;
  }

  function turn(): void {
    scheduled = false;
    lanes.read.entered = 0;
    lanes.write.entered = 0;
    const { read, write } = lanes;
    const at = now();
    // Each has half of the turn, and what the other leaves of its own.
    const next = read.waiting.splice(0, BEGUN_IN_TURN / 2);
    next.push(...write.waiting.splice(0, BEGUN_IN_TURN - next.length));
    next.push(...read.waiting.splice(0, BEGUN_IN_TURN - next.length));
    begun = next.length;
    for (const { until, resolve } of next) resolve(at < until);
    for (const answer of refused.splice(0, TURNED_AWAY_IN_TURN)) answer();
    if (begun > 0 || refused.length > 0) beforeNextTurn();
  }

  return {
    enter(name) {
      const lane = lanes[name];
      // What is answered at once takes no room for long, and would let the same turn go on and on.
      if (lane.inHand >= limits.requests || lane.entered >= limits.requests) return undefined;
      lane.entered += 1;
      beforeNextTurn();
      let held = 0;
      let bytes = 0;
      return {
        grow(more) {
          // One alone may be as large as its function takes.
          if (bytesInHand > bytes && bytesInHand + more > limits.bytes) return false;
          bytes += more;
          bytesInHand += more;
          return true;
        },
        async begin() {
          if (lane.inHand >= limits.requests) return false;
          held = 1;
          lane.inHand += held;
          if (lane.waiting.length === 0 && begun < BEGUN_IN_TURN) {
            begun += 1;
            return true;
          }
          return new Promise((resolve) => lane.waiting.push({ until: now() + lane.lateMs, resolve }));
        },
        leave() {
          lane.inHand -= held;
          bytesInHand -= bytes;
        },
      };
    },
    turnAway(response) {
      turnedAway += 1;
      if (now() - toldAt > TELL_EVERY_MS) {
        toldAt = now();
        tell(turnedAway);
        turnedAway = 0;
      }
      beforeNextTurn();
      return new Promise((done) => {
        refused.push(() => {
          // What is left of the body is read and thrown away by node, so that the client gets to see the answer.
          response.writeHead(503, REFUSAL_HEADERS);
          response.end(REFUSAL_BODY);
          done();
        });
      });
    },
  };
}

interface LaneState {
  inHand: number;
  /** Since the last turn. */
  entered: number;
  readonly waiting: { readonly until: number; readonly resolve: (inTime: boolean) => void }[];
  /** Who has waited longer is sent away. */
  readonly lateMs: number;
}

const newLane = (lateMs: number): LaneState => ({ inHand: 0, entered: 0, waiting: [], lateMs });

const REFUSAL = comeAgain('more requests at once than can be served');
const REFUSAL_BODY = Buffer.from(REFUSAL.body ?? '');
/** Made once, and flat, which costs least to write. */
const REFUSAL_HEADERS = Object.entries({
  ...SECURITY_HEADERS,
  ...REFUSAL.headers,
  'content-length': String(REFUSAL_BODY.byteLength),
}).flat();
