/** Whether a name has all the words of a question in it, whatever the case: `orders raw` finds `shop.orders_raw`. */
export function matchesName(name: string, question: string): boolean {
  const text = name.toLowerCase();
  return question
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
