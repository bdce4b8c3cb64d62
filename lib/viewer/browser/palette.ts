/** Colours of the canvas, read from the style sheet so that a theme is defined once. */
export interface Palette {
  ground: string;
  grid: string;
  road: string;
  edge: string;
  divider: string;
  opposite: string;
  route: string;
  vehicle: string;
  vehicleLine: string;
  ego: string;
  human: string;
  inertia: string;
  first: string;
  last: string;
  red: string;
  yellow: string;
  green: string;
}

const kNames = [
  'ground',
  'grid',
  'road',
  'edge',
  'divider',
  'opposite',
  'route',
  'vehicle',
  'vehicleLine',
  'ego',
  'human',
  'inertia',
  'first',
  'last',
  'red',
  'yellow',
  'green',
] as const satisfies readonly (keyof Palette)[];

/** The colours of the theme in force. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(
    kNames.map((name) => [name, style.getPropertyValue(`--map-${name}`).trim()]),
  ) as unknown as Palette;
}

/** Colour of refinement step `step` of `count`: from the first guess to the last. */
export function stepColor(step: number, count: number, first: string, last: string): string {
  const share = count <= 1 ? 1 : Math.min(1, Math.max(0, step / (count - 1)));
  return `color-mix(in oklab, ${last} ${(share * 100).toFixed(0)}%, ${first})`;
}
