/** Alignment and distillation in the native addon. Their handles are trainers. */

import type { NativeScorer } from './native-sim.js';
import type {
  NamedTensor,
  NativeDataset,
  NativeDevice,
  NativeModelConfig,
  NativeTrainConfig,
  NativeTrainer,
} from './native-types.js';

type NativeStepRule = 'released' | 'integrated' | 'renoise';

/** The C++ AlignConfig; every field must be there. lib/train/align-recipe.ts says what they mean. */
export interface NativeAlignConfig {
  steps: number;
  batch: number;
  microBatches: number;
  group: number;
  rolloutSteps: readonly number[];
  rule: NativeStepRule;
  temperature: number;
  estimator: 'chain' | 'last' | 'one_shot';
  zeroShare: number;
  advantage: 'mean' | 'standardised' | 'leave_one_out';
  clipRatio: number;
  klBeta: number;
  exactKl: boolean;
  skipEven: boolean;
  innerEpochs: number;
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  clip: number;
  warmup: number;
  ema: number;
  probeEvery: number;
  maxKl: number;
  minDiversity: number;
  maxAdeDrift: number;
  /** Below 2^53. */
  seed: number;
}

/** Weights of the averaged sub-scores, not negative. */
export interface NativeRewardWeights {
  ttc: number;
  progress: number;
  /** Lane keeping; version 2 alone. */
  lane: number;
  comfort: number;
}

/** A window of the data set with its scorers, which the aligner takes over: they are closed afterwards. */
export interface NativeScoredScene {
  window: number;
  scorer: NativeScorer;
  /** Of version 2: what the reward holds back is taken from it. */
  heldBack?: NativeScorer;
}

/** What the teacher of a distillation does. */
export interface NativeTeacher {
  steps: number;
  samples: number;
  target: 'medoid' | 'sample';
  temperature: number;
  rule: NativeStepRule;
}

export interface AlignAddon {
  /**
   * A trainer whose updates are those of GRPO. `reference`: the weights to start from and to stay near to.
   * {@link Addon.trainerRun} gives rows as lib/train/align-rows.ts reads them and ends early after an update that a stop
   * rule fires in.
   */
  createAligner(
    model: NativeModelConfig,
    align: NativeAlignConfig,
    dataset: NativeDataset,
    threads: number,
    reference: readonly NamedTensor[],
    judges: {
      scenes: readonly NativeScoredScene[];
      probes: readonly NativeScoredScene[];
      weights: NativeRewardWeights;
    },
    device?: NativeDevice,
  ): Promise<NativeTrainer>;
  /** Figures of the probes with the reference weights; without probes all are 0 or NaN. */
  alignerStart(trainer: NativeTrainer): Float64Array;
  /** A supervised trainer that learns the plans of `teacher`, which its state holds as well. */
  createDistiller(
    model: NativeModelConfig,
    train: NativeTrainConfig,
    dataset: NativeDataset,
    threads: number,
    teacher: readonly NamedTensor[],
    options: NativeTeacher,
    device?: NativeDevice,
  ): Promise<NativeTrainer>;
}
