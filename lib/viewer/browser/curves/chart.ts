import type { Curve, CurveChart } from '../../curves.js';
import { element } from '../dom.js';
import { linearScale, logScale, markText, type Scale } from './scale.js';
import { nearest, smoothed } from './smooth.js';

/** How all charts are drawn. */
export interface ChartView {
  smoothing: number;
  log: boolean;
  hidden: ReadonlySet<number>;
}

/** What a chart says at an update: one entry a run that is shown. */
export interface Reading {
  run: number;
  step: number;
  value: number;
  /** The value before smoothing, where it was smoothed. */
  raw?: number;
}

const kHeight = 220;
const kMargin = { left: 52, right: 10, top: 8, bottom: 34 };
// Points of a trial are marked while there are few enough to tell apart.
const kMostDots = 80;

/** One quantity over the updates. */
export class Chart {
  readonly node: HTMLElement;
  readonly #chart: CurveChart;
  readonly #svg: SVGElement;
  readonly #index: number;
  readonly #note = element('small', { class: 'note' });
  #shown: { curve: Curve; values: number[] }[] = [];
  #x: Scale = linearScale(0, 1, 1);
  #width = 0;
  #smoothing = 0;
  #cursor: SVGElement | null = null;
  /** Where curves are drawn: what lies beyond the axes is cut off. */
  #plot: SVGElement | null = null;

  /** `index` is its place in the page; `onPoint` is called with the update under the pointer, or null when it leaves. */
  constructor(
    chart: CurveChart,
    index: number,
    onPoint: (step: number | null, event: PointerEvent) => void,
  ) {
    this.#chart = chart;
    this.#index = index;
    this.#svg = svgNode('svg', { role: 'img' });
    const unit = element('small', {}, [chart.unit, betterText(chart)].filter(Boolean).join(', '));
    this.node = element(
      'figure',
      { class: 'chart' },
      element('h2', {}, element('span', {}, chart.label), unit, this.#note),
    );
    this.node.append(this.#svg);
    this.#svg.addEventListener('pointermove', (event) => onPoint(this.#stepAt(event), event));
    this.#svg.addEventListener('pointerdown', (event) => onPoint(this.#stepAt(event), event));
    this.#svg.addEventListener('pointerleave', (event) => onPoint(null, event));
  }

  /** Draws everything anew; `lastStep` is the end of the axis of updates. */
  draw(view: ChartView, lastStep: number): void {
    this.#width = Math.max(200, this.#svg.clientWidth);
    this.#smoothing = this.#chart.isExact ? 0 : view.smoothing;
    this.#shown = this.#chart.curves
      .filter(({ run }) => !view.hidden.has(run))
      .map((curve) => ({ curve, values: smoothed(curve.values, this.#smoothing) }));
    const y = this.#valueScale(view.log);
    this.#x = linearScale(0, lastStep, Math.max(2, Math.floor(this.#width / 90)));
    this.#note.textContent = view.log && !y.isLog ? 'linear: values of 0 or less' : '';
    this.#svg.replaceChildren();
    this.#svg.setAttribute('viewBox', `0 0 ${this.#width} ${kHeight}`);
    this.#svg.setAttribute('aria-label', this.#describe());
    this.#drawAxes(y);
    this.#plot = this.#clipped();
    for (const { curve, values } of this.#shown) {
      if (this.#smoothing > 0) this.#drawCurve(curve, curve.values, y, 'raw');
      this.#drawCurve(curve, values, y, curve.run >= 8 ? 'curve dashed' : 'curve');
      if (this.#chart.isTrial && values.length <= kMostDots) this.#drawDots(curve, values, y);
    }
    this.#cursor = this.#add('path', { class: 'cursor', visibility: 'hidden' });
  }

  /** Marks an update; null for none. */
  point(step: number | null): void {
    if (!this.#cursor) return;
    this.#cursor.setAttribute('visibility', step === null ? 'hidden' : 'visible');
    if (step === null) return;
    const bottom = kHeight - kMargin.bottom;
    this.#cursor.setAttribute('d', `M${this.#left(step).toFixed(1)} ${kMargin.top}V${bottom}`);
  }

  /** What the curves say nearest to `step`. */
  readingsAt(step: number): Reading[] {
    return this.#shown.map(({ curve, values }) => {
      const at = nearest(curve.steps, step);
      const reading = { run: curve.run, step: curve.steps[at], value: values[at] };
      return this.#smoothing > 0 ? { ...reading, raw: curve.values[at] } : reading;
    });
  }

  #valueScale(log: boolean): Scale {
    // The few wildest values before smoothing must not flatten the rest.
    const raw = this.#shown.flatMap(({ curve }) => curve.values).sort((a, b) => a - b);
    if (raw.length === 0) return linearScale(0, 1, 4);
    const cut = this.#chart.isTrial ? 0 : Math.floor(raw.length / 100);
    const ends = [raw[cut], raw[raw.length - 1 - cut]];
    for (const { values } of this.#shown) {
      for (const value of values) {
        ends[0] = Math.min(ends[0], value);
        ends[1] = Math.max(ends[1], value);
      }
    }
    const [low, high] = ends;
    if (log && low > 0) {
      const room = (high / low) ** 0.04;
      return logScale(low / room, high * room, 6);
    }
    const room = 0.04 * (high - low);
    return linearScale(low - room, high + room, 6);
  }

  #drawAxes(y: Scale): void {
    const [right, bottom] = [this.#width - kMargin.right, kHeight - kMargin.bottom];
    for (const value of y.marks) {
      const top = this.#top(y, value);
      this.#add('path', { class: 'rule', d: `M${kMargin.left} ${top.toFixed(1)}H${right}` });
      this.#text(markText(value), kMargin.left - 7, top + 4, 'end');
    }
    for (const value of this.#x.marks) {
      const left = this.#left(value);
      this.#add('path', { class: 'axis', d: `M${left.toFixed(1)} ${bottom}v4` });
      this.#text(markText(value), left, bottom + 16, left > right - 16 ? 'end' : 'middle');
    }
    this.#add('path', { class: 'axis', d: `M${kMargin.left} ${bottom}H${right}` });
    this.#text('update', (kMargin.left + right) / 2, kHeight - 4, 'middle');
  }

  #drawCurve(curve: Curve, values: readonly number[], y: Scale, name: string): void {
    const points = curve.steps.map(
      (step, i) => `${this.#left(step).toFixed(1)} ${this.#top(y, values[i]).toFixed(1)}`,
    );
    const path = { class: `${name} run-${curve.run % 8}`, d: `M${points.join('L')}` };
    this.#plot?.append(svgNode('path', path));
  }

  #drawDots(curve: Curve, values: readonly number[], y: Scale): void {
    for (const [i, step] of curve.steps.entries()) {
      const [cx, cy] = [this.#left(step).toFixed(1), this.#top(y, values[i]).toFixed(1)];
      const dot = { class: `dot run-${curve.run % 8}`, cx, cy, r: '3.2' };
      this.#plot?.append(svgNode('circle', dot));
    }
  }

  #clipped(): SVGElement {
    const id = `plot-${this.#index}`;
    const clip = this.#add('clipPath', { id });
    // Room for half a line and for dots at the ends.
    const size = {
      x: String(kMargin.left - 4),
      y: String(kMargin.top - 4),
      width: String(this.#width - kMargin.left - kMargin.right + 8),
      height: String(kHeight - kMargin.top - kMargin.bottom + 5),
    };
    clip.append(svgNode('rect', size));
    return this.#add('g', { 'clip-path': `url(#${id})` });
  }

  #describe(): string {
    const ends = this.#shown.map(({ values }) => values.at(-1)?.toPrecision(4)).join(', ');
    return `${this.#chart.label} over updates; last values ${ends}`;
  }

  #left(step: number): number {
    return kMargin.left + this.#x.share(step) * (this.#width - kMargin.left - kMargin.right);
  }

  #top(y: Scale, value: number): number {
    const bottom = kHeight - kMargin.bottom;
    const top = bottom - y.share(value) * (bottom - kMargin.top);
    // Far outside is outside: a path must not have infinite coordinates.
    return Math.min(4 * kHeight, Math.max(-4 * kHeight, top));
  }

  #stepAt(event: PointerEvent): number | null {
    const box = this.#svg.getBoundingClientRect();
    const inner = this.#width - kMargin.left - kMargin.right;
    const share = (event.clientX - box.left - kMargin.left) / inner;
    if (share < -0.02 || share > 1.02 || this.#shown.length === 0) return null;
    const step = share / this.#x.share(1);
    const near = this.readingsAt(step).map((reading) => reading.step);
    return near.reduce((best, s) => (Math.abs(s - step) < Math.abs(best - step) ? s : best));
  }

  #text(text: string, x: number, y: number, anchor: string): void {
    const node = this.#add('text', { x: x.toFixed(1), y: y.toFixed(1), 'text-anchor': anchor });
    node.textContent = text;
  }

  #add(tag: string, attributes: Record<string, string>): SVGElement {
    const node = svgNode(tag, attributes);
    this.#svg.append(node);
    return node;
  }
}

function svgNode(tag: string, attributes: Record<string, string>): SVGElement {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function betterText({ better }: CurveChart): string {
  return better === '' ? '' : better === 'low' ? 'lower is better' : 'higher is better';
}
