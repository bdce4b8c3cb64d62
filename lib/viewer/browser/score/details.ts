import type { ScoreCase, ScoredTrajectory } from '../../score-case.js';
import { byId, element } from '../dom.js';
import { shortOf } from './metrics.js';
import { scoreColor } from './score-color.js';
import { kStops, nameOf } from './table.js';

/** The chosen trajectory in words: its score, its progress, and a sentence for each lost mark. */
export class Details {
  readonly #choose: (failure: number) => void;
  #shown: ScoredTrajectory | null = null;
  #buttons: HTMLElement[] = [];

  /** `choose` is called with the index of a failure. */
  constructor(choose: (failure: number) => void) {
    this.#choose = choose;
  }

  show(item: ScoreCase, trajectory: ScoredTrajectory | null, failure: number | null): void {
    if (trajectory && trajectory !== this.#shown) this.#build(item, trajectory);
    this.#shown = trajectory;
    this.#buttons.forEach((button, i) => {
      if (i === failure) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    });
  }

  #build(item: ScoreCase, trajectory: ScoredTrajectory): void {
    const { id, label, score, unfilteredScore, failures, progressM } = trajectory;
    byId('chosen-name').textContent = nameOf(label, id);
    byId('chosen-name').title = id;
    byId('chosen-score').textContent = score.toFixed(3);
    byId('chosen-color').style.background = scoreColor(score, kStops);
    const parts = [`${progressM.toFixed(1)} m along the route`];
    if (item.filtered && unfilteredScore !== score) {
      parts.push(`${unfilteredScore.toFixed(3)} before the human filter`);
    }
    byId('chosen-detail').textContent = parts.join(' · ');
    this.#buttons = failures.map((failure, index) => {
      const short = element('b', {}, shortOf(item.version, failure.metric));
      const value = element('span', { class: 'value' }, String(Number(failure.score.toFixed(2))));
      const note = failure.forgiven
        ? element('em', {}, 'forgiven: the recorded driver fails it too')
        : '';
      const text = element('span', { class: 'text' }, sentence(failure.text), note);
      const button = element('button', { type: 'button' }, short, value, text);
      if (failure.forgiven) button.classList.add('forgiven');
      button.addEventListener('click', () => this.#choose(index));
      return button;
    });
    byId('failures').replaceChildren(
      ...this.#buttons.map((button) => element('li', {}, button)),
      ...(failures.length === 0 ? [element('li', { class: 'clean' }, 'No marks lost.')] : []),
    );
  }
}

/** The sentence without the name of its sub-score, which stands beside it. */
function sentence(text: string): string {
  const rest = text.slice(text.indexOf(': ') + 2);
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}
