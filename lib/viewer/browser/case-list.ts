import { byId, element } from './dom.js';

/** A line of the list. Groups follow each other: lines of one group stand together. */
export interface CaseEntry {
  group: string;
  id: string;
  /** Second line: `straight on, 8.3 m/s`. */
  facts: string;
  /** Figures at its end, with the heads of their columns (those of a group's first line are shown). */
  columns: readonly string[];
  numbers: readonly string[];
}

/** The list of cases; `choose` is called with a case's index. `unit` is what its figures are. */
export class CaseList {
  readonly #buttons: HTMLElement[] = [];
  #current = -1;

  constructor(
    entries: readonly CaseEntry[],
    noun: string,
    unit: string,
    choose: (index: number) => void,
  ) {
    const n = entries.length;
    byId('case-count').textContent = `${n} ${noun}${n === 1 ? '' : 's'}`;
    byId('case-unit').textContent = unit;
    const list = byId('cases');
    let group: HTMLElement | null = null;
    entries.forEach((entry, index) => {
      if (!group || entry.group !== entries[index - 1]?.group) {
        group = element('ol');
        const columns = element('span', { class: 'numbers' });
        for (const column of entry.columns) columns.append(element('i', {}, column));
        const head = element('h3', {}, element('span', {}, entry.group), columns);
        list.append(element('section', { class: 'group' }, head, group));
      }
      const button = element('button', { type: 'button', class: 'case' }, ...content(entry));
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

function content(entry: CaseEntry): HTMLElement[] {
  const numbers = element('span', { class: 'numbers' });
  for (const number of entry.numbers) numbers.append(element('b', {}, number));
  return [
    element('span', { class: 'case-id', title: entry.id }, entry.id),
    element('span', { class: 'case-facts' }, entry.facts),
    numbers,
  ];
}
