/** Whether a glob fits a whole text: `*` is any text (also none, also slashes), everything else is itself. Time is at most glob × text. */
export function matchGlob(glob: string, text: string): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let retry = 0;
  while (at < text.length) {
    if (glob[position] === '*') {
      star = position;
      retry = at;
      position += 1;
    } else if (position < glob.length && glob[position] === text[at]) {
      position += 1;
      at += 1;
    } else if (star >= 0) {
      // Only the last star ever has to give way: an earlier one that took more could not help.
      retry += 1;
      at = retry;
      position = star + 1;
    } else return false;
  }
  while (glob[position] === '*') position += 1;
  return position === glob.length;
}
