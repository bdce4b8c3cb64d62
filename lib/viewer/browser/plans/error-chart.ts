import type { PlanCase, Pose } from '../../case.js';
import { byId } from '../dom.js';
import { horizon } from '../geometry.js';
import { constantVelocity, interval } from './geometry.js';

const kWidth = 224;
const kHeight = 112;
const kMargin = { left: 36, right: 12, top: 8, bottom: 20 };

/** Distance to the recorded driver at each waypoint: the plan now on show, its first guess, constant velocity. */
export class ErrorChart {
  readonly #svg = byId<SVGElement>('error-chart');
  #item: PlanCase | null = null;
  #first: readonly Pose[] | null = null;
  #now: SVGElement | null = null;
  #cursor: SVGElement | null = null;
  #top = 1;

  /** `poses` is what is on show, `first` the first guess of the same plan. */
  show(item: PlanCase, first: readonly Pose[], poses: readonly Pose[], time: number): void {
    if (item !== this.#item || first !== this.#first) this.#build(item, first);
    this.#now?.setAttribute('d', this.#path(item, poses));
    this.#cursor?.setAttribute('transform', `translate(${x(time).toFixed(1)} 0)`);
    this.#cursor?.setAttribute('visibility', time === 0 ? 'hidden' : 'visible');
  }

  #build(item: PlanCase, first: readonly Pose[]): void {
    this.#item = item;
    this.#first = first;
    const inertia = constantVelocity(item);
    const errors = [first, inertia].flatMap((poses) => distances(poses, item.ego.future));
    this.#top = [1, 2, 4, 8, 16, 32, 64].find((m) => m >= Math.max(...errors, 0)) ?? 128;
    this.#svg.replaceChildren();
    byId('error-figure').hidden = errors.length === 0;
    this.#svg.setAttribute('viewBox', `0 0 ${kWidth} ${kHeight}`);
    for (const share of [0, 0.5, 1]) {
      const metres = share * this.#top;
      this.#add('path', { class: 'rule', d: `M${x(0)} ${this.#y(metres)}H${x(horizon)}` });
      const label = this.#add('text', { x: '31', y: `${this.#y(metres) + 3.5}`, class: 'end' });
      label.textContent = share === 1 ? `${metres} m` : String(metres);
    }
    for (let t = 0; t <= horizon; ++t) {
      const label = this.#add('text', { x: x(t).toFixed(1), y: `${kHeight - 5}`, class: 'middle' });
      label.textContent = t === horizon ? `${t} s` : String(t);
    }
    this.#add('path', { class: 'chart-inertia', d: this.#path(item, inertia) });
    this.#add('path', { class: 'chart-first', d: this.#path(item, first) });
    this.#now = this.#add('path', { class: 'chart-now' });
    this.#cursor = this.#add('path', {
      class: 'cursor',
      d: `M0 ${kMargin.top}V${kHeight - kMargin.bottom}`,
    });
  }

  #path(item: PlanCase, poses: readonly Pose[]): string {
    const points = distances(poses, item.ego.future).map(
      (error, i) => `${x((i + 1) * interval).toFixed(1)} ${this.#y(error).toFixed(1)}`,
    );
    return `M${[`${x(0)} ${this.#y(0)}`, ...points].join('L')}`;
  }

  #y(metres: number): number {
    const share = Math.min(1, metres / this.#top);
    return kHeight - kMargin.bottom - share * (kHeight - kMargin.top - kMargin.bottom);
  }

  #add(tag: string, attributes: Record<string, string>): SVGElement {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    this.#svg.append(node);
    return node;
  }
}

function x(time: number): number {
  return kMargin.left + (time / horizon) * (kWidth - kMargin.left - kMargin.right);
}

function distances(poses: readonly Pose[], truth: readonly Pose[]): number[] {
  return truth
    .slice(0, poses.length)
    .map((pose, i) => Math.hypot(pose[0] - poses[i][0], pose[1] - poses[i][1]));
}
