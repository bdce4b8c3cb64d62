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
