/** The element with this id; the page's own markup guarantees it. */
export function byId<T extends HTMLElement | SVGElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as unknown as T;
}

/** A new element with text and attributes. Text is set as text: data never becomes markup. */
export function element(
  tag: string,
  attributes: Record<string, string> = {},
  ...children: (string | Node)[]
): HTMLElement {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** `0.41 m`, or a dash where there is nothing to say. */
export function metres(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(2)} m`;
}
