import { horizon } from '../geometry.js';
import type { View } from './state.js';

const kStepsPerSecond = 1.25;
const kHoldSeconds = 0.5; // between the last guess and driving it

/** Play first goes through the refinement, then drives the final plan. */
export class Playback {
  readonly #view: View;
  #hold = 0;

  constructor(view: View) {
    this.#view = view;
  }

  /** Starts from the first guess when all has been seen, else from where the sliders stand. */
  start(last: number): void {
    const view = this.#view;
    if (view.refinement >= last && (view.time >= horizon || view.time === 0)) {
      view.refinement = 0;
      view.time = 0;
    }
    this.#hold = 0;
    view.playing = true;
  }

  /** Moves on by `seconds`; `still` (reduced motion) goes from step to step without blending. */
  advance(seconds: number, last: number, still: boolean): void {
    const view = this.#view;
    if (view.refinement < last) {
      const next = Math.min(last, this.#exact(view.refinement, still) + seconds * kStepsPerSecond);
      this.#partial = next;
      view.refinement = still ? Math.floor(next) : next;
      return;
    }
    this.#hold += seconds;
    if (this.#hold < kHoldSeconds && view.time === 0) return;
    view.time = Math.min(horizon, view.time + seconds);
    if (view.time >= horizon) view.playing = false;
  }

  // Without blending the view holds whole steps, and the part of a step that has passed is kept here.
  #partial = 0;
  #exact(shown: number, still: boolean): number {
    return still && Math.floor(this.#partial) === shown ? this.#partial : shown;
  }
}
