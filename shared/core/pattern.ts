/** A piece of a pattern: literal text, `*` (any run, also none), or `{name}` (one or more characters without a dot). */
type Piece = { readonly literal: string } | { readonly any: true } | { readonly name: string };

/** A compiled pattern; plain data. */
export interface Pattern {
  readonly source: string;
  readonly pieces: readonly Piece[];
}

const PIECE = /\*+|\{([^{}]*)\}|[^*{}]+|[{}]/g;
const PLACEHOLDER_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;

/** Compiles a pattern, or says what is wrong with it. */
export function compilePattern(source: string): Pattern | { readonly error: string } {
  const pieces: Piece[] = [];
  let open = false;
  for (const match of source.matchAll(PIECE)) {
    const [text, name] = match;
    const hole = text.startsWith('*') || name !== undefined;
    if (text === '{' || text === '}')
      return { error: `a single ${text} in ${JSON.stringify(source)}; placeholders are written {name}` };
    if (name !== undefined && !PLACEHOLDER_NAME.test(name))
      return { error: `${text} is no placeholder; names begin with a letter and hold letters, digits and _` };
    if (hole && open)
      return {
        error: `${JSON.stringify(source)}: put some text between two placeholders, or it is unclear where one ends`,
      };
    if (name !== undefined && pieces.some((piece) => 'name' in piece && piece.name === name))
      return { error: `${text} is used twice` };
    pieces.push(name !== undefined ? { name } : hole ? { any: true } : { literal: text });
    open = hole;
  }
  return { source, pieces };
}

export function placeholdersOf(pattern: Pattern): readonly string[] {
  return pattern.pieces.flatMap((piece) => ('name' in piece ? [piece.name] : []));
}

/**
 * Matches the whole text; what each placeholder stands for, as short as possible from the left, or undefined. Time is
 * (pieces × text length), whatever the text: a table of "the rest matches from here", filled from the end, no backtracking.
 */
export function matchPattern(pattern: Pattern, text: string): Readonly<Record<string, string>> | undefined {
  const { pieces } = pattern;
  const first = pieces[0];
  const last = pieces[pieces.length - 1];
  if (first !== undefined && 'literal' in first && !text.startsWith(first.literal)) return undefined;
  if (last !== undefined && 'literal' in last && !text.endsWith(last.literal)) return undefined;
  const width = text.length + 1;
  const rest = new Uint8Array((pieces.length + 1) * width);
  rest[pieces.length * width + text.length] = 1;
  for (let row = pieces.length - 1; row >= 0; row -= 1) {
    const piece = pieces[row] as Piece;
    const next = (row + 1) * width;
    for (let at = text.length; at >= 0; at -= 1) {
      let matches: number | undefined;
      if ('literal' in piece) matches = text.startsWith(piece.literal, at) ? rest[next + at + piece.literal.length] : 0;
      else if ('any' in piece)
        matches = (rest[next + at] ?? 0) | (at < text.length ? (rest[row * width + at + 1] ?? 0) : 0);
      else
        matches =
          at < text.length && text[at] !== '.' ? (rest[next + at + 1] ?? 0) | (rest[row * width + at + 1] ?? 0) : 0;
      rest[row * width + at] = matches ?? 0;
    }
  }
  if (rest[0] !== 1) return undefined;
  const found: Record<string, string> = {};
  let at = 0;
  pieces.forEach((piece, row) => {
    if ('literal' in piece) {
      at += piece.literal.length;
      return;
    }
    let end = 'name' in piece ? at + 1 : at;
    while (rest[(row + 1) * width + end] !== 1) end += 1;
    if ('name' in piece) found[piece.name] = text.slice(at, end);
    at = end;
  });
  return found;
}

const PLACEHOLDER = /\{([^{}]*)\}/g;

/** Names in braces in a template text. */
export function placeholdersIn(template: string): readonly string[] {
  return [...template.matchAll(PLACEHOLDER)].map((match) => match[1] ?? '');
}

/** A template text with each `{name}` replaced; names without a value stay as they are. */
export function filled(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(PLACEHOLDER, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
  );
}
