import { projectGround } from '../../project.js';
import type { SeenCase, Waypoints } from '../../seen-case.js';
import { byId } from '../dom.js';
import { patchesAside, type View } from './state.js';
import { pathOf, svgNode } from './svg.js';

/** The two squares: the original where the letterbox puts it, and what becomes of it. */
export function drawPictures(item: SeenCase, view: View, onPatch: (patch: number | null) => void) {
  const { original, seen } = item;
  const { placement, width: size } = seen;
  const image = { href: original.url, ...box(placement), preserveAspectRatio: 'none' };
  const frames: [string, SVGElement[]][] = [
    [
      'original',
      [svgNode('rect', { class: 'bars', width: size, height: size }), svgNode('image', image)],
    ],
    ['seen', [svgNode('image', { class: 'pixels', href: seen.url, width: size, height: size })]],
  ];
  for (const [id, below] of frames) {
    const svg = svgNode('svg', { viewBox: `0 0 ${size} ${size}`, role: 'img' }, ...below);
    svg.setAttribute('aria-label', id === 'original' ? 'The picture' : 'What the model sees');
    if (view.grid) svg.append(svgNode('path', { class: 'patches', d: gridOf(item) }));
    if (id === 'seen') svg.append(svgNode('rect', { class: 'edge', ...box(placement) }));
    if (view.path) svg.append(...waysOf(item, view));
    svg.append(svgNode('rect', { class: 'patch', visibility: 'hidden' }));
    svg.addEventListener('pointermove', (event) =>
      onPatch(patchAt(item, svg, event as PointerEvent)),
    );
    svg.addEventListener('pointerleave', () => onPatch(null));
    byId(id).replaceChildren(svg);
  }
  const scale = placement.width / original.width;
  const [right, below] = [
    size - placement.left - placement.width,
    size - placement.top - placement.height,
  ];
  byId('original-text').textContent =
    `${original.width} x ${original.height} pixels, ${(1 / scale).toFixed(2)} of them to one of the model's`;
  byId('seen-text').textContent =
    `${size} x ${size}: picture ${placement.width} x ${placement.height}, grey ${placement.top} above, ${below} below, ` +
    `${placement.left} left, ${right} right; ${patchesAside(item)} x ${patchesAside(item)} patches of ${seen.patch}`;
}

/** Marks a patch in both; null for none. */
export function markPatch(item: SeenCase, patch: number | null): void {
  const aside = patchesAside(item);
  const side = item.seen.patch;
  for (const mark of document.querySelectorAll('.frame .patch')) {
    mark.setAttribute('visibility', patch === null ? 'hidden' : 'visible');
    if (patch === null) continue;
    const [x, y] = [(patch % aside) * side, Math.floor(patch / aside) * side];
    for (const [name, value] of Object.entries({ x, y, width: side, height: side })) {
      mark.setAttribute(name, String(value));
    }
  }
}

function box({ left, top, width, height }: SeenCase['seen']['placement']) {
  return { x: left, y: top, width, height };
}

function gridOf(item: SeenCase): string {
  const end = patchesAside(item) * item.seen.patch;
  const lines = Array.from({ length: patchesAside(item) + 1 }, (_, i) => i * item.seen.patch);
  return lines.map((at) => `M${at} 0V${end}M0 ${at}H${end}`).join('');
}

function patchAt(item: SeenCase, svg: SVGElement, event: PointerEvent): number | null {
  const { left, top, width } = svg.getBoundingClientRect();
  const perPatch = (width * item.seen.patch) / item.seen.width;
  const [x, y] = [event.clientX - left, event.clientY - top].map((v) => Math.floor(v / perPatch));
  const aside = patchesAside(item);
  return x! < 0 || y! < 0 || x! >= aside || y! >= aside ? null : y! * aside + x!;
}

/** Waypoints on the road of the picture, where its camera is known. */
function waysOf(item: SeenCase, view: View): SVGElement[] {
  const points = (waypoints: Waypoints) => projected(item, [0, 0, ...waypoints]);
  const nodes: SVGElement[] = [];
  const { plan, known } = item;
  if (known) {
    nodes.push(svgNode('path', { class: 'way known', d: pathOf(points(known)) }));
    nodes.push(...dots(points(known), 'dot known'));
  }
  if (!plan) return nodes;
  for (const early of plan.refinements.slice(0, view.step)) {
    nodes.push(svgNode('path', { class: 'way early', d: pathOf(points(early)) }));
  }
  const shown = points(plan.refinements[view.step]!);
  for (const name of ['way under', 'way'])
    nodes.push(svgNode('path', { class: name, d: pathOf(shown) }));
  nodes.push(...dots(shown, 'dot'));
  return nodes;
}

function dots(points: readonly (readonly [number, number] | null)[], name: string): SVGElement[] {
  return points
    .slice(1)
    .flatMap((point) =>
      point ? [svgNode('circle', { class: name, cx: point[0], cy: point[1], r: 2.6 })] : [],
    );
}

/** In pixels of the model's picture; null where a point is out of sight. */
function projected({ camera, original, seen }: SeenCase, waypoints: Waypoints) {
  const { left, top, width, height } = seen.placement;
  return Array.from({ length: waypoints.length / 2 }, (_, i): [number, number] | null => {
    const at = camera && projectGround(camera, original, waypoints[2 * i]!, waypoints[2 * i + 1]!);
    if (!at) return null;
    const [x, y] = [
      left + (at[0] * width) / original.width,
      top + (at[1] * height) / original.height,
    ];
    const isInside = x >= left && x <= left + width && y >= top && y <= top + height;
    return isInside ? [x, y] : null;
  });
}
