import { byId, element } from './dom.js';
import type { Layer } from './state.js';

const kEntries: readonly [Layer, string][] = [
  ['plan', 'Plan'],
  ['guesses', 'Earlier guesses'],
  ['samples', 'Other samples'],
  ['human', 'Recorded driver'],
  ['inertia', 'Constant velocity'],
  ['traffic', 'Traffic'],
  ['route', 'Route'],
];

/** The legend: each entry is a switch of its layer. */
export class Legend {
  readonly #buttons = new Map<Layer, HTMLElement>();

  constructor(toggle: (layer: Layer) => void) {
    for (const [layer, name] of kEntries) {
      const key = element('i', { class: `key key-${layer}` });
      const button = element('button', { type: 'button', title: `Show or hide` }, key, name);
      button.addEventListener('click', () => toggle(layer));
      this.#buttons.set(layer, button);
      byId('legend').append(button);
    }
  }

  /** Marks hidden layers; entries in `absent` have nothing to show in this case and go away. */
  show(hidden: ReadonlySet<Layer>, absent: ReadonlySet<Layer>): void {
    for (const [layer, button] of this.#buttons) {
      button.setAttribute('aria-pressed', String(!hidden.has(layer)));
      button.hidden = absent.has(layer);
    }
  }
}
