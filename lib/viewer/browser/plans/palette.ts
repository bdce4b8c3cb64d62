import { readColors } from '../palette.js';

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
] as const;

/** Colours of the canvas. */
export type Palette = Record<(typeof kNames)[number], string>;

/** The colours of the theme in force. */
export function readPalette(): Palette {
  return readColors(kNames);
}

/** Colour of refinement step `step` of `count`: from the first guess to the last. */
export function stepColor(step: number, count: number, first: string, last: string): string {
  const share = count <= 1 ? 1 : Math.min(1, Math.max(0, step / (count - 1)));
  return `color-mix(in oklab, ${last} ${(share * 100).toFixed(0)}%, ${first})`;
}
