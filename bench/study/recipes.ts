// How the models of docs/results.md are made; one budget of compute for what is trained from random weights.

import type { TrainOptions } from '../../lib/train/options.js';

/** Options of a run but for data, seed, and where it reads and writes. */
export interface StudyRecipe {
  key: string;
  /** The model of the same seed that it starts from. */
  from?: string;
  options: Partial<TrainOptions>;
}

/** The backbone of all of them. */
export const kBackbone = {
  hidden_size: 96,
  num_attention_heads: 3,
  intermediate_size: 288,
  encoder: { hidden_size: 96 },
} as const;

const scratch = (key: string, steps: number, model: object = {}): StudyRecipe => ({
  key,
  options: { stage: 'sft', model: { ...kBackbone, ...model }, steps },
});

/** In the order in which they can be made. */
export const kRecipes: readonly StudyRecipe[] = [
  scratch('regression', 3000, { decoder: { kind: 'regression' } }),
  scratch('autoregressive', 2600, { decoder: { kind: 'autoregressive' } }),
  scratch('diffusion', 2700, { decoder: { kind: 'diffusion' } }),
  scratch('mixture', 2400, { path: { kind: 'mixture' } }),
  scratch('flow', 2400),
  {
    key: 'aligned',
    from: 'flow',
    options: { stage: 'align', steps: 400, batch: 24, lr: 4e-4, estimator: 'chain', scenes: 2500 },
  },
  {
    key: 'distilled',
    from: 'flow',
    options: { stage: 'distill', steps: 300, copies: 3, teacherSamples: 8, warmup: 20 },
  },
];
