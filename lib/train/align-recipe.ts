// The parameters of alignment and of distillation, and their defaults.

import { z } from 'zod';
import { WamFlowError } from '../errors.js';
import { describeIssues } from '../model/config-schema.js';
import type { NativeAlignConfig, NativeRewardWeights } from '../native-align.js';
import type { StepRule } from '../plan-options.js';
import type { PdmVersion } from '../sim/pdm-scorer.js';
import { miniRecipe, type SftParameters, sftShape } from './recipe.js';

/** Parameters of alignment by GRPO (stage `align`). */
export interface AlignParameters {
  /** Updates of the whole schedule: linear warm-up, then a cosine to 0. Default 400. */
  steps: number;
  /** Scenes an update, a multiple of `microBatches`. Default 24. */
  batch: number;
  /** Parts that a batch is computed in, the unit of parallel work. Changes the sums' order. Default 4. */
  microBatches: number;
  /** Plans of a scene that are compared with each other, 1 to 64. Default 8. */
  group: number;
  /**
   * Refinement steps of the plans. Several numbers: the parts of a batch take turns, so that plans of few steps get
   * better as well as those of many. Default `[1, 5]`.
   */
  rolloutSteps: number[];
  /** How x_t moves between steps. Default `renoise`. */
  rule: StepRule;
  /** Of the posterior that tokens are drawn from. Default 1. */
  temperature: number;
  /**
   * What stands for the log-probability of a plan. `chain`, the default: that of all steps, exact. `last`: of the last
   * one. `one_shot`: one pass on the plan noised anew. docs/alignment.md says what each leaves out.
   */
  estimator: 'chain' | 'last' | 'one_shot';
  /** Estimator `one_shot`: share of the passes at t = 0. Default 0.25. */
  zeroShare: number;
  /** `mean`, the default: reward less the group's mean. `standardised`: over its deviation. `leave_one_out`. */
  advantage: 'mean' | 'standardised' | 'leave_one_out';
  /** Probability ratios beyond 1 -+ this earn nothing more. Default 0.2. */
  clipRatio: number;
  /** Weight of the divergence from the weights that the run starts from. Default 0.02. */
  klBeta: number;
  /** Default `exact`, over the whole vocabulary; `k3`: an estimate from the drawn token. */
  kl: 'exact' | 'k3';
  /** Leave out scenes whose plans all have the same reward. Default true. */
  skipEven: boolean;
  /** Optimiser steps on the same plans. Default 1. */
  innerEpochs: number;
  /** Rules of the reward. Default `v1` (PDMS); `v2`: EPDMS with the human filter, before extended comfort. */
  version: PdmVersion;
  /** Weights of the sub-scores that are averaged. Default those of `v1`: ttc 5, progress 5, comfort 2, lane 0. */
  weights: NativeRewardWeights;
  /** Highest learning rate. Default 2e-4. */
  lr: number;
  /** Default 0.9. */
  beta1: number;
  /** Default 0.98. */
  beta2: number;
  /** Default 1e-8. */
  eps: number;
  /** Decoupled decay of matrices. Default 0. */
  weightDecay: number;
  /** Largest norm of the gradient. Default 1. */
  clip: number;
  /** Updates of the warm-up. Default 20. */
  warmup: number;
  /** Decay of the average of the weights, which is what the run gives. Default 0: no average. */
  ema: number;
  /** Scenes that plans are drawn for, chosen by `seed` among the windows. Default 1000. */
  scenes: number;
  /** Further scenes that the policy is looked at on, always with the same random numbers. Default 48. */
  probeScenes: number;
  /** Updates between such probes. Default 25. */
  probeEvery: number;
  /** The run ends when a probe's divergence is above this, nats a token. Default 0.5. */
  maxKl: number;
  /** ... when the distance between plans of a group is below this share of the start's. Default 0.25. */
  minDiversity: number;
  /** ... when plans are this much farther from the recorded future than at the start, metres. Default 1. */
  maxAdeDrift: number;
  /** Integer from 0 to 2^53-1. Default 1. */
  seed: number;
}

/**
 * Parameters of few-step distillation (stage `distill`): those of stage `sft`, with other defaults
 * ({@link distillRecipe}), and what the teacher does.
 */
export interface DistillParameters extends SftParameters {
  /** Refinement steps of the teacher's plans. Default 5. */
  teacherSteps: number;
  /** Plans that it draws of a window, 1 to 64. Default 8. */
  teacherSamples: number;
  /** What is learnt: `medoid`, the default, the plan nearest to all others; or any of them, a `sample`. */
  teacherTarget: 'medoid' | 'sample';
  /** Of the teacher's posterior. Default 1. */
  teacherTemperature: number;
  /** How the teacher's x_t moves between steps. Default `renoise`. */
  teacherRule: StepRule;
}

/** Defaults of stage `align`. A fresh object at each call. */
export function alignRecipe(): AlignParameters {
  return {
    steps: 400,
    batch: 24,
    microBatches: 4,
    group: 8,
    rolloutSteps: [1, 5],
    rule: 'renoise',
    temperature: 1,
    estimator: 'chain',
    zeroShare: 0.25,
    advantage: 'mean',
    clipRatio: 0.2,
    klBeta: 0.02,
    kl: 'exact',
    skipEven: true,
    innerEpochs: 1,
    version: 'v1',
    weights: { ttc: 5, progress: 5, lane: 0, comfort: 2 },
    lr: 2e-4,
    beta1: 0.9,
    beta2: 0.98,
    eps: 1e-8,
    weightDecay: 0,
    clip: 1,
    warmup: 20,
    ema: 0,
    scenes: 1000,
    probeScenes: 48,
    probeEvery: 25,
    maxKl: 0.5,
    minDiversity: 0.25,
    maxAdeDrift: 1,
    seed: 1,
  };
}

/** Defaults of stage `distill`. A fresh object at each call. */
export function distillRecipe(): DistillParameters {
  return {
    ...miniRecipe().sft,
    steps: 500,
    lr: 5e-4,
    warmup: 50,
    // A window costs the teacher more than the student: make the most of it.
    copies: 6,
    // The plan of one step is what the teacher's many are for.
    zeroFraction: 0.75,
    teacherSteps: 5,
    teacherSamples: 8,
    teacherTarget: 'medoid',
    teacherTemperature: 1,
    teacherRule: 'renoise',
  };
}

const rule = z.enum(['released', 'integrated', 'renoise']);
const positive = z.number().positive();
const notNegative = z.number().min(0);
const share = z.number().min(0).max(1);
const below1 = z.number().min(0).lt(1);

const alignSchema = z
  .strictObject({
    steps: z.int().min(1).max(1e9),
    batch: z.int().min(1).max(4096),
    microBatches: z.int().min(1).max(4096),
    group: z.int().min(1).max(64),
    rolloutSteps: z.array(z.int().min(1).max(64)).min(1).max(64),
    rule,
    temperature: z.number().min(1e-3).max(1e3),
    estimator: z.enum(['chain', 'last', 'one_shot']),
    zeroShare: share,
    advantage: z.enum(['mean', 'standardised', 'leave_one_out']),
    clipRatio: positive,
    klBeta: notNegative,
    kl: z.enum(['exact', 'k3']),
    skipEven: z.boolean(),
    innerEpochs: z.int().min(1).max(64),
    version: z.enum(['v1', 'v2']),
    weights: z
      .strictObject({
        ttc: notNegative,
        progress: notNegative,
        lane: notNegative,
        comfort: notNegative,
      })
      .refine(({ ttc, progress, lane, comfort }) => ttc + progress + lane + comfort > 0, {
        message: 'expected a weight above 0',
      }),
    lr: positive,
    beta1: below1,
    beta2: below1,
    eps: positive,
    weightDecay: notNegative,
    clip: positive,
    warmup: z.int().min(0).max(1e9),
    ema: below1,
    scenes: z.int().min(1).max(1e6),
    probeScenes: z.int().min(0).max(1e5),
    probeEvery: z.int().min(1).max(1e9),
    maxKl: positive,
    minDiversity: notNegative,
    maxAdeDrift: positive,
    seed: z.int().min(0),
  })
  .refine(({ batch, microBatches }) => batch % microBatches === 0, {
    path: ['batch'],
    message: 'expected a multiple of microBatches',
  }) satisfies z.ZodType<AlignParameters>;

const distillSchema = z
  .strictObject({
    ...sftShape,
    teacherSteps: z.int().min(1).max(64),
    teacherSamples: z.int().min(1).max(64),
    teacherTarget: z.enum(['medoid', 'sample']),
    teacherTemperature: z.number().min(1e-3).max(1e3),
    teacherRule: rule,
  })
  .refine(({ batch, microBatches }) => batch % microBatches === 0, {
    path: ['batch'],
    message: 'expected a multiple of microBatches',
  }) satisfies z.ZodType<DistillParameters>;

/**
 * Checks the parameters of stage `align`.
 *
 * @throws WamFlowError `ERR_ARGUMENT` that lists every wrong, missing and unknown one.
 */
export function checkAlignParameters(value: unknown): AlignParameters {
  return check(alignSchema, value);
}

/** {@link checkAlignParameters} for stage `distill`. */
export function checkDistillParameters(value: unknown): DistillParameters {
  return check(distillSchema, value);
}

/** The part that the engine's updates depend on. */
export function toNativeAlign(parameters: AlignParameters): NativeAlignConfig {
  const {
    kl,
    version: _version,
    weights: _weights,
    scenes: _scenes,
    probeScenes: _p,
    ...rest
  } = parameters;
  return { ...rest, exactKl: kl === 'exact' };
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new WamFlowError('ERR_ARGUMENT', describeIssues(result.error, 'train'));
}
