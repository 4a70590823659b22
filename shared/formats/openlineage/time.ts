const TIME =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d{0,9})?)? ?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?(?:\[[^\]]{1,60}\])?$/i;

/** As most clients write it: UTC with milliseconds; on a day that every month has, so that it needs no further look. */
const USUAL = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/**
 * An `eventTime` as UTC with nine decimals, `2026-11-20T02:00:00.000000000Z`, so that times compare as texts. Without a zone it is
 * taken as UTC; a Java zone name in brackets is allowed. Undefined when it is no time.
 */
export function readTime(text: string): string | undefined {
  if (USUAL.test(text)) return `${text.slice(0, -1)}000000Z`;
  const found = TIME.exec(text.trim());
  if (!found) return undefined;
  const [, year, month, day, hour, minute, second, fraction, sign, zoneHours, zoneMinutes] = found;
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute));
  // `Date.UTC` rolls 31 February over; a real day comes back as it was given.
  const asGiven = new Date(local);
  if (asGiven.getUTCDate() !== Number(day) || asGiven.getUTCMonth() + 1 !== Number(month)) return undefined;
  const seconds = Number(second ?? 0);
  if (Number(hour) > 23 || Number(minute) > 59 || seconds > 60) return undefined;
  const offsetMinutes = (Number(zoneHours ?? 0) * 60 + Number(zoneMinutes ?? 0)) * (sign === '-' ? -1 : 1);
  const utc = new Date(local - offsetMinutes * 60_000 + Math.min(seconds, 59) * 1_000);
  if (!(utc.getUTCFullYear() >= 0 && utc.getUTCFullYear() <= 9_999)) return undefined;
  return `${utc.toISOString().slice(0, 19)}.${(fraction ?? '').padEnd(9, '0')}Z`;
}

const DAY_MS = 86_400_000;

/**
 * A time that an event names, or, where it lies more than a day after the event was accepted, the time of acceptance. Clocks differ, and zones
 * are forgotten; but what comes from the far future would stand for ever, and nothing said after it would count.
 */
export function notAhead(time: string, acceptedMs: number): string {
  return Number.isNaN(acceptedMs) || time <= utc(acceptedMs + DAY_MS) ? time : utc(acceptedMs);
}

const utc = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000000Z`;
