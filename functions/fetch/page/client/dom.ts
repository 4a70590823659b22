type Value = string | number | boolean | undefined | ((event: Event) => void);
type Child = Node | string | undefined | false;

/** An element with attributes (functions are listeners, `true` an empty attribute) and children. Texts become text nodes, never markup. */
export function el<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, Value>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  return dress(document.createElement(name), attributes, children);
}

export function svg<Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, Value>> = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Name] {
  return dress(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function dress<E extends Element>(
  element: E,
  attributes: Readonly<Record<string, Value>>,
  children: readonly Child[],
): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== undefined && child !== false));
  return element;
}

/** Puts an element at a place; through the style object, because the policy allows no style attributes. */
export function place(element: HTMLElement, box: { x: number; y: number; width: number; height?: number }): void {
  element.style.left = `${box.x}px`;
  element.style.top = `${box.y}px`;
  element.style.width = `${box.width}px`;
  if (box.height !== undefined) element.style.height = `${box.height}px`;
}

/** Says something for a moment, to ears as well. */
export function say(text: string): void {
  document.querySelector('.toast')?.remove();
  const toast = el('div', { class: 'toast', role: 'status' }, text);
  document.body.append(toast);
  setTimeout(() => toast.remove(), 4_000);
}
