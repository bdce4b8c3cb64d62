import type { SeenCase, SeenSequence } from '../../seen-case.js';

/** Everything that the page shows follows from this and the data. */
export interface View {
  caseIndex: number;
  /** Index of the form of the sequence. */
  form: number;
  /** Refinement that is shown, from 0. */
  step: number;
  grid: boolean;
  path: boolean;
}

/** The form of the sequence that is shown; undefined without a tokenizer. */
export function sequenceOf(item: SeenCase, view: View): SeenSequence | undefined {
  return item.sequences[Math.min(view.form, item.sequences.length - 1)];
}

/** Position of each image token in the sequence, in the order of patches. */
export function patchPositions(sequence: SeenSequence): number[] {
  return sequence.kinds.flatMap((kind, i) => (kind === 'image' ? [i] : []));
}

export function patchesAside({ seen }: SeenCase): number {
  return Math.floor(seen.width / seen.patch);
}

export function cssColor(color: number): string {
  return `#${color.toString(16).padStart(6, '0')}`;
}
