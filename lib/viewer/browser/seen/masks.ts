import type { SeenCase, SeenSequence } from '../../seen-case.js';
import { byId, element } from '../dom.js';
import { cssColor } from './state.js';

const kMatrix = 360;

const kWords = {
  full: 'every position sees every other',
  causal: 'a position sees itself and what is before it',
  prefix: 'the prompt sees itself, the answer sees everything',
} as const;

/** A strip for each mask, and who sees whom. */
export function drawMasks(item: SeenCase, sequence: SeenSequence): void {
  const { ids, kinds, filled, attended, mask } = sequence;
  const style = getComputedStyle(document.documentElement);
  const named = (name: string) => style.getPropertyValue(name).trim();
  let patch = 0;
  const colors = kinds.map((kind, i) => {
    if (kind === 'image') return cssColor(item.seen.colors[patch++] ?? 0x7f7f7f);
    return named(filled[i] && kind === 'number' ? '--filled' : `--${kind}`);
  });
  const accent = named('--accent');
  const bands: [string, (string | null)[]][] = [
    ['tokens', colors],
    ['picture', kinds.map((kind) => (kind === 'image' ? accent : null))],
    ['filled in', filled.map((is) => (is ? named('--filled') : null))],
    ['seen', attended.map((is) => (is ? accent : null))],
  ];
  byId('bands').replaceChildren(...bands.map(([name, values]) => band(name, values)));
  byId('bands-axis').replaceChildren(
    element('span', {}, '0'),
    element('span', {}, String(ids.length - 1)),
  );
  const image = kinds.filter((kind) => kind === 'image').length;
  byId('masks-facts').textContent =
    `${ids.length} positions, ${image} of the picture, ${filled.filter(Boolean).length} filled in`;
  drawMatrix(sequence, colors);
  byId('matrix-text').textContent =
    `Mask ${mask}: ${kWords[mask]}. A row sees the columns that are coloured.`;
}

function band(name: string, colors: readonly (string | null)[]): Node {
  const canvas = element('canvas') as HTMLCanvasElement;
  canvas.width = colors.length;
  canvas.height = 1;
  const context = canvas.getContext('2d')!;
  for (const [i, color] of colors.entries()) {
    if (color === null) continue;
    context.fillStyle = color;
    context.fillRect(i, 0, 1, 1);
  }
  const count = colors.filter((color) => color !== null).length;
  return element(
    'div',
    { class: 'band' },
    element('span', {}, name),
    canvas,
    element('small', {}, String(count)),
  );
}

/** Rows are who looks, columns are what is looked at, in the colours of the tokens. */
function drawMatrix(
  { ids, attended, mask, answerStart }: SeenSequence,
  colors: readonly string[],
): void {
  const canvas = byId('matrix') as unknown as HTMLCanvasElement;
  canvas.width = kMatrix;
  canvas.height = kMatrix;
  canvas.setAttribute('aria-label', `Mask ${mask}`);
  const context = canvas.getContext('2d')!;
  const scale = kMatrix / ids.length;
  for (let column = 0; column < ids.length; column += 1) {
    if (!attended[column]) continue;
    // The first row that sees this column; all after it do too.
    const first =
      mask === 'causal' ? column : mask === 'prefix' && column >= answerStart ? answerStart : 0;
    context.fillStyle = colors[column]!;
    context.fillRect(column * scale, first * scale, scale + 0.5, (ids.length - first) * scale);
  }
}
