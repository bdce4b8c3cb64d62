import type { CasePlan, PlanCase } from '../../case.js';
import { errorsOf } from '../../errors.js';
import { byId, element, metres } from '../dom.js';
import { constantVelocity, planAt } from './geometry.js';
import { stepColor } from './palette.js';

/** The card of figures: plan switch, errors at the shown step, latency, and the error of every step as bars. */
export class Figures {
  readonly #choosePlan: (index: number) => void;
  readonly #chooseStep: (step: number) => void;
  #item: PlanCase | null = null;
  #plan: CasePlan | null = null;
  #values = new Map<string, HTMLElement>();
  #bars: HTMLElement[] = [];

  constructor(choosePlan: (index: number) => void, chooseStep: (step: number) => void) {
    this.#choosePlan = choosePlan;
    this.#chooseStep = chooseStep;
  }

  /** Figures of `plan` at fractional step `refinement`. */
  show(item: PlanCase, plan: CasePlan, refinement: number): void {
    if (item !== this.#item || plan !== this.#plan) this.#build(item, plan);
    const now = errorsOf(planAt(plan.refinements, refinement), item.ego.future);
    this.#set('ade', metres(now.ade));
    this.#set('fde', metres(now.fde));
    this.#bars.forEach((bar, k) => {
      if (k === Math.round(refinement)) bar.setAttribute('aria-current', 'step');
      else bar.removeAttribute('aria-current');
    });
  }

  #build(item: PlanCase, plan: CasePlan): void {
    this.#item = item;
    this.#plan = plan;
    byId('plans').replaceChildren(
      ...item.plans.map((other, index) => {
        const button = element(
          'button',
          { type: 'button', 'aria-pressed': String(other === plan) },
          other.label,
        );
        button.addEventListener('click', () => this.#choosePlan(index));
        return button;
      }),
    );
    byId('plan-detail').textContent = plan.detail;
    this.#values.clear();
    const inertia = errorsOf(constantVelocity(item), item.ego.future).ade;
    const best = plan.samples
      .map((sample) => errorsOf(sample, item.ego.future).ade)
      .filter((ade) => ade !== null);
    byId('figures').replaceChildren(
      ...this.#row('ade', 'Mean error', 'ADE: mean distance to the recorded driver over 4 s'),
      ...this.#row('fde', 'Error at 4 s', 'FDE: distance to the recorded driver at 4 s'),
      ...(best.length > 1
        ? this.#row('min', `Best of ${best.length}`, 'smallest mean error of the samples')
        : []),
      ...this.#row('inertia', 'At constant velocity', 'mean error of going on as now'),
      ...this.#row('latency', 'Latency', plan.latencyDetail),
    );
    if (best.length > 1) this.#set('min', metres(Math.min(...best)));
    this.#set('inertia', metres(inertia));
    this.#set('latency', `${plan.latencyMs.toPrecision(plan.latencyMs < 1 ? 2 : 3)} ms`);
    this.#buildBars(item, plan);
  }

  /** One bar a step, as high as its error; a click shows that step. */
  #buildBars(item: PlanCase, plan: CasePlan): void {
    const errors = plan.refinements.map((poses) => errorsOf(poses, item.ego.future).ade ?? 0);
    const highest = Math.max(...errors, 1e-6);
    const count = errors.length;
    this.#bars = errors.map((error, k) => {
      const name = `Step ${k + 1}: mean error ${metres(error)}`;
      const bar = element('button', { type: 'button', title: name, 'aria-label': name });
      const fill = element('i');
      fill.style.height = `${Math.max(4, (100 * error) / highest)}%`;
      fill.style.background = stepColor(k, count, 'var(--map-first)', 'var(--map-last)');
      const figure = element('span', {}, error.toFixed(error < 10 ? 2 : 1));
      bar.append(element('span', { class: 'column' }, fill), figure);
      bar.addEventListener('click', () => this.#chooseStep(k));
      return bar;
    });
    const wanted = count > 1 && count <= 10 && item.ego.future.length > 0;
    byId('steps-figure').hidden = !wanted;
    byId('steps').replaceChildren(...(wanted ? this.#bars : []));
  }

  #row(key: string, label: string, hint: string): HTMLElement[] {
    const value = element('dd', { id: `figure-${key}` });
    this.#values.set(key, value);
    return [element('dt', { title: hint }, label), value];
  }

  #set(key: string, text: string): void {
    const value = this.#values.get(key);
    if (value && value.textContent !== text) value.textContent = text;
  }
}
