import type { SeenCase, Waypoints } from '../../seen-case.js';
import { showSlider } from '../controls.js';
import { byId, element } from '../dom.js';
import type { View } from './state.js';
import { pathOf, svgNode } from './svg.js';

const kWidth = 520;
const kHeight = 380;
const kMargin = 34;

/** The plan from above, its numbers, and the answer that they were read from. */
export function drawPlan(item: SeenCase, view: View): void {
  const { plan, known } = item;
  byId('plan-card').hidden = !plan && !known;
  if (!plan && !known) return;
  const ways: [string, Waypoints][] = [];
  if (known) ways.push(['known', known]);
  for (const early of plan?.refinements.slice(0, view.step) ?? []) ways.push(['early', early]);
  if (plan) ways.push(['', plan.refinements[view.step]!]);
  drawAbove(ways, [...(plan?.refinements ?? []), ...(known ? [known] : [])]);
  byId('plan-title').textContent = plan ? 'Plan' : 'Waypoints';
  byId('plan-facts').textContent = plan?.detail ?? 'given with the picture';
  byId('steps').hidden = !plan;
  const keys = [...(plan ? ['plan', 'earlier steps'] : []), ...(known ? ['given'] : [])];
  byId('plan-keys').replaceChildren(...keys.map(keyOf));
  if (!plan) {
    byId('numbers').replaceChildren(...numberNodes(known!, known!, []));
    byId('answer').hidden = true;
    byId('answer-note').textContent = '';
    return;
  }
  const last = plan.refinements.length - 1;
  const slider = byId<HTMLInputElement>('step');
  slider.max = String(last);
  slider.disabled = last === 0;
  const text = `step ${view.step + 1} of ${last + 1}`;
  showSlider(slider, view.step, last === 0 ? 1 : view.step / last, text);
  byId('step-text').textContent = text;
  const now = plan.refinements[view.step]!;
  const before = plan.refinements[view.step - 1] ?? now;
  const sure = view.step === last ? plan.logProbability : [];
  byId('numbers').replaceChildren(...numberNodes(now, before, sure));
  byId('answer').hidden = false;
  byId('answer').textContent = plan.answer;
  const read = `${now.length / 2} waypoints were read back from this answer`;
  const problems = plan.problems.join('; ');
  byId('answer-note').textContent = plan.complete
    ? `${read}${problems ? `; ${problems}` : ', all of them'}.`
    : `Not a whole plan: ${problems}.`;
}

function numberNodes(now: Waypoints, before: Waypoints, logProbability: readonly number[]): Node[] {
  // With a heading an answer has three numbers a waypoint, of which two are shown.
  const perWaypoint = logProbability.length / (now.length / 2) || 2;
  return now.map((value, i) => {
    const at = Math.floor(i / 2) * perWaypoint + (i % 2);
    const share =
      logProbability.length > 0 ? ` ${(100 * Math.exp(logProbability[at]!)).toPrecision(2)} %` : '';
    const name = element('small', {}, `${'xy'[i % 2]}${Math.floor(i / 2) + 1}${share}`);
    const isChanged = value !== before[i];
    return element('div', isChanged ? { class: 'changed' } : {}, value.toFixed(2), name);
  });
}

function keyOf(name: string): Node {
  const color = { plan: '--map-last', 'earlier steps': '--map-first', given: '--map-green' }[name];
  const swatch = element('i', { class: 'line' });
  swatch.style.color = `var(${color})`;
  return element('span', {}, swatch, name);
}

/** x upwards, y to the left, the same scale for both; `all` decides what fits. */
function drawAbove(ways: readonly [string, Waypoints][], all: readonly Waypoints[]): void {
  const xs = [-3, 12, ...all.flatMap((way) => way.filter((_, i) => i % 2 === 0))];
  const ys = [-6, 6, ...all.flatMap((way) => way.filter((_, i) => i % 2 === 1))];
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((kHeight - 2 * kMargin) / (x1 - x0), (kWidth - 2 * kMargin) / (y1 - y0));
  const [midX, midY] = [(x0 + x1) / 2, (y0 + y1) / 2];
  const at = (x: number, y: number): [number, number] => [
    kWidth / 2 - (y - midY) * scale,
    kHeight / 2 - (x - midX) * scale,
  ];
  const svg = byId<SVGElement>('above');
  svg.setAttribute('viewBox', `0 0 ${kWidth} ${kHeight}`);
  svg.setAttribute('aria-label', 'Waypoints from above');
  svg.replaceChildren(...rules(scale, at));
  const [ex, ey] = at(0, 0);
  svg.append(svgNode('path', { class: 'ego', d: `M${ex} ${ey - 9}l6 16l-6 -4l-6 4z` }));
  for (const [name, way] of ways) {
    const points = [0, ...way.keys()]
      .filter((i) => i % 2 === 0)
      .map((i, k) => (k === 0 ? at(0, 0) : at(way[i]!, way[i + 1]!)));
    svg.append(svgNode('path', { class: `way ${name}`, d: pathOf(points) }));
    if (name === 'early') continue;
    for (const [cx, cy] of points.slice(1)) {
      svg.append(svgNode('circle', { class: `dot ${name}`, cx, cy, r: 4 }));
    }
  }
}

/** Lines of whole metres, few enough to read. */
function rules(scale: number, at: (x: number, y: number) => [number, number]): SVGElement[] {
  const step = [1, 2, 5, 10, 20, 50, 100].find((metres) => metres * scale >= 34) ?? 100;
  const nodes: SVGElement[] = [];
  const reach = Math.ceil((kWidth + kHeight) / scale / step);
  for (let k = -reach; k <= reach; k += 1) {
    const [left, top] = at(k * step, k * step);
    if (top >= 0 && top <= kHeight) {
      nodes.push(
        svgNode('path', { class: 'rule', d: `M0 ${top}H${kWidth}` }),
        label(`${k * step} m`, 4, top - 3),
      );
    }
    if (left >= 0 && left <= kWidth) {
      nodes.push(svgNode('path', { class: 'rule', d: `M${left} 0V${kHeight}` }));
      if (left > 40) nodes.push(label(String(k * step), left + 3, kHeight - 5));
    }
  }
  return nodes;
}

function label(text: string, x: number, y: number): SVGElement {
  const node = svgNode('text', { x, y });
  node.textContent = text;
  return node;
}
