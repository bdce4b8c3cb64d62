/** A new SVG element. */
export function svgNode(
  tag: string,
  attributes: Record<string, string | number>,
  ...children: Node[]
): SVGElement {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** `M x y L x y ...`; null points begin a new piece. */
export function pathOf(points: readonly (readonly [number, number] | null)[]): string {
  let from = 'M';
  return points
    .map((point) => {
      const part = point ? `${from}${point[0].toFixed(2)} ${point[1].toFixed(2)}` : '';
      from = point ? 'L' : 'M';
      return part;
    })
    .join('');
}
