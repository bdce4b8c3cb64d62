import { byId, element } from './dom.js';

/** The legend: each entry is a switch of its layer. */
export class Legend<Layer extends string> {
  readonly #buttons = new Map<Layer, HTMLElement>();

  /** `entries`: layer and name; the style sheet draws the key of a layer by its class `key-<layer>`. */
  constructor(entries: readonly (readonly [Layer, string])[], toggle: (layer: Layer) => void) {
    for (const [layer, name] of entries) {
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
