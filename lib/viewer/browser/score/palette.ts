import { readColors } from '../palette.js';

const kNames = [
  'ground',
  'grid',
  'block',
  'lane',
  'connector',
  'intersection',
  'carpark',
  'edge',
  'divider',
  'route',
  'centerline',
  'vehicle',
  'vehicleLine',
  'person',
  'personLine',
  'object',
  'objectLine',
  'ego',
  'human',
  'inertia',
  'red',
  'green',
  'fault',
  'faultInk',
  'label',
  'score0',
  'score1',
  'score2',
  'score3',
  'score4',
] as const;

/** Colours of the canvas. */
export type Palette = Record<(typeof kNames)[number], string>;

/** The colours of the theme in force. */
export function readPalette(): Palette {
  return readColors(kNames);
}

/** Colours of 0, 0.25, .. 1. */
export function stopsOf(palette: Palette): string[] {
  const { score0, score1, score2, score3, score4 } = palette;
  return [score0, score1, score2, score3, score4];
}

/** Colour of a score in [0, 1] on a scale of evenly spaced stops. */
export function scoreColor(score: number, stops: readonly string[]): string {
  const at = Math.min(1, Math.max(0, score)) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(at));
  const share = (100 * (at - k)).toFixed(1);
  return `color-mix(in oklab, ${stops[k + 1]} ${share}%, ${stops[k]})`;
}
