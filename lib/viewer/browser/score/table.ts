import type { ScoreCase, ScoredTrajectory } from '../../score-case.js';
import { byId, element } from '../dom.js';
import { type Metric, metricsOf } from './metrics.js';
import { scoreColor } from './score-color.js';
import { type SortKey, sortedOrder, type View } from './state.js';

/** Colours of the scale as the style sheet names them, so that the table follows the theme by itself. */
export const kStops = [0, 1, 2, 3, 4].map((k) => `var(--map-score${k})`);

/** The table of trajectories: a click on a head sorts, a click on a line chooses. */
export class ScoreTable {
  readonly #choose: (index: number) => void;
  readonly #sort: (key: SortKey) => void;
  #shown = '';
  #item: ScoreCase | null = null;
  #rows = new Map<number, HTMLElement>();
  #current = -1;

  constructor(choose: (index: number) => void, sort: (key: SortKey) => void) {
    this.#choose = choose;
    this.#sort = sort;
  }

  show(item: ScoreCase, view: View): void {
    const shown = `${view.sort} ${view.descending}`;
    if (item !== this.#item || shown !== this.#shown) {
      this.#item = item;
      this.#shown = shown;
      this.#build(item, view);
    }
    if (view.chosen === this.#current) return;
    this.#rows.get(this.#current)?.removeAttribute('aria-current');
    this.#current = view.chosen;
    const row = this.#rows.get(view.chosen);
    row?.setAttribute('aria-current', 'true');
    row?.scrollIntoView({ block: 'nearest' });
  }

  #build(item: ScoreCase, view: View): void {
    const metrics = metricsOf(item.version);
    const n = item.trajectories.length;
    byId('table-count').textContent = `${n} ${n === 1 ? 'trajectory' : 'trajectories'}`;
    const head = element('tr');
    head.append(this.#head('file', 'Trajectory', 'In the order of the file', view));
    const name = item.version === 'v1' ? 'PDMS' : 'EPDMS of one frame, before extended comfort';
    const hint = item.filtered ? `${name}, after the human filter` : name;
    head.append(this.#head('score', 'Score', hint, view));
    for (const { key, short, name } of metrics) head.append(this.#head(key, short, name, view));
    byId('table-head').replaceChildren(head);
    this.#rows.clear();
    this.#current = -1;
    for (const index of sortedOrder(item, view.sort, view.descending)) {
      const row = this.#row(item.trajectories[index] as ScoredTrajectory, index, metrics);
      this.#rows.set(index, row);
    }
    byId('table-body').replaceChildren(...this.#rows.values());
  }

  #head(key: SortKey, text: string, hint: string, view: View): HTMLElement {
    const button = element('button', { type: 'button', title: `${hint}: sort` }, text);
    button.addEventListener('click', () => this.#sort(key));
    const order = view.sort !== key ? 'none' : view.descending ? 'descending' : 'ascending';
    return element('th', { scope: 'col', 'aria-sort': order }, button);
  }

  #row(trajectory: ScoredTrajectory, index: number, metrics: readonly Metric[]): HTMLElement {
    const { id, label, score, failures } = trajectory;
    const swatch = element('i', { class: 'swatch' });
    swatch.style.background = scoreColor(score, kStops);
    const button = element('button', { type: 'button', title: id }, nameOf(label, id));
    const row = element(
      'tr',
      {},
      element('th', { scope: 'row' }, button),
      element('td', { class: 'score' }, swatch, score.toFixed(2)),
    );
    for (const { key, name } of metrics) {
      const value = trajectory.subScores[key];
      const forgiven = failures.some((failure) => failure.metric === key && failure.forgiven);
      row.append(cellOf(value, name, forgiven));
    }
    row.addEventListener('click', () => this.#choose(index));
    return row;
  }
}

/** What a trajectory is called: its label, or its id where it has none. */
export function nameOf(label: string, id: string): string {
  return label.trim() === '' ? id : label;
}

function cellOf(value: number, name: string, forgiven: boolean): HTMLElement {
  const text = Number.isInteger(value) ? String(value) : value.toFixed(2).replace(/^0/, '');
  const kind = value >= 1 ? 'full' : forgiven ? 'forgiven' : value > 0 ? 'part' : 'none';
  const why = forgiven ? ' (forgiven: the recorded driver fails it too)' : '';
  return element('td', { class: kind, title: `${name}: ${value.toFixed(3)}${why}` }, text);
}
