const DAY_MS = 86_400_000;

/**
 * Writes times (epoch ms) as `Date.toISOString` does, RangeError included. The day, which most rows of an answer share, is worked out
 * once: an answer has two times per edge.
 */
export function isoTimes(): (ms: number) => string {
  let known = Number.NaN;
  let date = '';
  return (time) => {
    const ms = Math.trunc(time);
    const day = Math.floor(ms / DAY_MS);
    if (day !== known) {
      const text = new Date(ms).toISOString();
      date = text.slice(0, text.indexOf('T') + 1);
      known = day;
    }
    const rest = ms - day * DAY_MS;
    const seconds = Math.floor(rest / 1_000);
    const minutes = Math.floor(seconds / 60);
    const clock = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(seconds % 60)}`;
    const fraction = rest % 1_000;
    return `${date}${clock}.${fraction < 100 ? '0' : ''}${two(fraction)}Z`;
  };
}

const two = (number: number): string => (number < 10 ? `0${number}` : `${number}`);
