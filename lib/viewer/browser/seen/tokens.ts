import type { SeenCase, SeenSequence } from '../../seen-case.js';
import { byId, element } from '../dom.js';
import { cssColor, patchesAside, patchPositions } from './state.js';

/** Pixels of an image token's side. */
const kCell = 7;
/** What cannot be seen is written as a sign. */
const kSigns: Record<string, string> = { '\n': '⏎', '\r': '␍', '\t': '⇥', ' ': '·' };

export interface TokenEvents {
  onToken(position: number | null): void;
  onPatch(patch: number | null): void;
}

/** The sequence token by token; image tokens are a mosaic of their patches' colours, runs of pads are one. */
export function drawTokens(item: SeenCase, sequence: SeenSequence, events: TokenEvents): void {
  const nodes: Node[] = [];
  const { ids, kinds, texts, filled } = sequence;
  for (let i = 0; i < ids.length; ) {
    const kind = kinds[i]!;
    const isRun = kind === 'image' || kind === 'pad';
    let end = i + 1;
    while (isRun && end < ids.length && kinds[end] === kind) end += 1;
    if (kind === 'image') nodes.push(mosaic(item, events));
    else nodes.push(chip(i, isRun ? end - i : 1));
    if (texts[i]!.includes('\n') && !texts[i + 1]?.includes('\n')) nodes.push(element('hr'));
    i = end;
  }
  byId('tokens').replaceChildren(...nodes);

  function chip(at: number, count: number): Node {
    const kind = kinds[at]!;
    const isHole = filled[at] && kind === 'number';
    const says = isHole ? '?' : kind === 'pad' ? `pad × ${count}` : visible(texts[at]!);
    const name = `kind-${isHole ? 'filled' : kind}${filled[at] && !isHole ? ' filled' : ''}`;
    const node = element('span', { class: name }, says);
    node.addEventListener('pointerenter', () => events.onToken(at));
    node.addEventListener('pointerleave', () => events.onToken(null));
    return node;
  }
}

/** What a position is, in words. */
export function describeToken(sequence: SeenSequence, at: number): (string | Node)[] {
  const { ids, kinds, texts, filled, attended } = sequence;
  const says = texts[at] ? [' says ', element('b', {}, visible(texts[at]!))] : [];
  const of = kinds[at] === 'image' ? 'image token' : kinds[at]!;
  return [
    'position ',
    element('b', {}, String(at)),
    `: id ${ids[at]}, ${of}`,
    ...says,
    filled[at] ? ', filled in by the model' : ', given',
    attended[at] ? '' : ', hidden from others',
  ];
}

/** Names of the colours. */
export function drawTokenKeys(): void {
  const names = [
    ['text', 'text'],
    ['special', 'special'],
    ['number', 'number'],
    ['image', 'image token, in the colour of its patch'],
    ['filled', 'number that the model fills in'],
    ['pad', 'padding'],
  ];
  const keys = names.map(([kind, text]) =>
    element('span', {}, element('i', { class: `kind-${kind}` }), text!),
  );
  byId('token-keys').replaceChildren(...keys);
}

function mosaic(item: SeenCase, { onPatch }: TokenEvents): Node {
  const aside = patchesAside(item);
  const canvas = element('canvas', { role: 'img' }) as HTMLCanvasElement;
  canvas.width = aside;
  canvas.height = aside;
  canvas.style.width = `${aside * kCell}px`;
  canvas.style.height = canvas.style.width;
  canvas.setAttribute('aria-label', `${aside * aside} image tokens`);
  const context = canvas.getContext('2d')!;
  for (const [i, color] of item.seen.colors.entries()) {
    context.fillStyle = cssColor(color);
    context.fillRect(i % aside, Math.floor(i / aside), 1, 1);
  }
  canvas.addEventListener('pointermove', ({ offsetX, offsetY }) => {
    const [x, y] = [offsetX, offsetY].map((v) =>
      Math.min(aside - 1, Math.max(0, Math.floor(v / kCell))),
    );
    onPatch(y! * aside + x!);
  });
  canvas.addEventListener('pointerleave', () => onPatch(null));
  return canvas;
}

/** Position of a patch's token. */
export function positionOf(sequence: SeenSequence | undefined, patch: number): number | undefined {
  return sequence && patchPositions(sequence)[patch];
}

function visible(text: string): string {
  return text.replace(/[\n\r\t ]/g, (sign) => kSigns[sign]!);
}
