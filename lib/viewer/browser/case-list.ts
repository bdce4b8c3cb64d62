import type { PlanCase } from '../case.js';
import { errorsOf } from '../errors.js';
import { byId, element } from './dom.js';

const kCommand = {
  left: 'turn left',
  right: 'turn right',
  straight: 'straight on',
  unknown: 'no command',
} as const;

/** `straight on · 8.3 m/s · 14 other vehicles`. */
export function factsOf(item: PlanCase): string {
  const n = item.agents.length;
  return `${motionOf(item)} · ${n} other ${n === 1 ? 'vehicle' : 'vehicles'}`;
}

function motionOf(item: PlanCase): string {
  return `${kCommand[item.command]} · ${item.speed.toFixed(1)} m/s`;
}

/** The list of cases with the error of each plan; `choose` is called with a case's index. */
export class CaseList {
  readonly #buttons: HTMLElement[] = [];
  #current = -1;

  constructor(cases: readonly PlanCase[], choose: (index: number) => void) {
    byId('case-count').textContent = `${cases.length} ${cases.length === 1 ? 'case' : 'cases'}`;
    byId('case-unit').textContent = cases.some((item) => item.ego.future.length > 0)
      ? 'ADE, m'
      : '';
    const list = byId('cases');
    let group: HTMLElement | null = null;
    cases.forEach((item, index) => {
      if (!group || item.group !== cases[index - 1]?.group) {
        group = element('ol');
        const columns = element('span', { class: 'numbers' });
        for (const plan of item.plans.slice(0, 2)) columns.append(element('i', {}, plan.label));
        const head = element('h3', {}, element('span', {}, item.group), columns);
        list.append(element('section', { class: 'group' }, head, group));
      }
      const button = element('button', { type: 'button', class: 'case' }, ...content(item));
      button.addEventListener('click', () => choose(index));
      this.#buttons.push(button);
      group.append(element('li', {}, button));
    });
  }

  /** Marks the case that is shown, and brings it into sight. */
  show(index: number): void {
    if (index === this.#current) return;
    this.#buttons[this.#current]?.removeAttribute('aria-current');
    this.#current = index;
    const button = this.#buttons[index];
    button?.setAttribute('aria-current', 'true');
    button?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
}

function content(item: PlanCase): HTMLElement[] {
  const numbers = element('span', { class: 'numbers' });
  for (const plan of item.plans.slice(0, 2)) {
    const { ade } = errorsOf(plan.refinements.at(-1) ?? [], item.ego.future);
    numbers.append(element('b', {}, ade === null ? '–' : ade.toFixed(2)));
  }
  return [
    element('span', { class: 'case-id', title: item.id }, item.id),
    element('span', { class: 'case-facts' }, motionOf(item)),
    numbers,
  ];
}
