// The parameters of training and, in one place, the values that the bundled model is made with.

import { z } from 'zod';
import { argumentError, WamFlowError } from '../errors.js';
import type { ModelConfig } from '../model/config.js';
import { describeIssues } from '../model/config-schema.js';
import type { CutOptions, NativeTokenizerTrainConfig, NativeTrainConfig } from '../native-types.js';

/** Parameters of supervised training (stage `sft`). */
export interface SftParameters {
  /** Updates of the whole schedule: linear warm-up, then a cosine to 0. Default 6000. */
  steps: number;
  /** Windows an update, a multiple of `microBatches`. Default 32. */
  batch: number;
  /** Parts that a batch is computed in, the unit of parallel work. Changes the sums' order. Default 4. */
  microBatches: number;
  /** Noised copies of the action tokens for each window. Default 3. */
  copies: number;
  /** Highest learning rate. Default 2e-3. */
  lr: number;
  /** Decay of the first moment. Default 0.9. */
  beta1: number;
  /** Decay of the second moment. Default 0.98. */
  beta2: number;
  /** Added to the root of the second moment. Default 1e-8. */
  eps: number;
  /** Decoupled decay of matrices. Default 0.05. */
  weightDecay: number;
  /** Largest norm of the gradient. Default 1. */
  clip: number;
  /** Updates of the warm-up. Default 150. */
  warmup: number;
  /** Decay of the average of the weights, which is what plans are made with. Default 0.999. */
  ema: number;
  /** Default 0.1. */
  dropout: number;
  /** Standard deviation of the target around the recorded token, tokens. Default 2. */
  smear: number;
  /** Share of the copies that train at t = 0. Default 0.25. */
  zeroFraction: number;
  /** Mirror, scale, drop and disturb scenes. Default true. */
  augment: boolean;
  /** Integer from 0 to 2^53-1. Default 1. */
  seed: number;
}

/** Parameters of the training of a numeric table by triplet margin (stage `tokenizer`). */
export interface TokenizerParameters {
  /** Updates. Default 3000. */
  steps: number;
  /** Triplets an update. Default 1024. */
  batch: number;
  /** Learning rate of the first update; falls along a cosine to 0. Default 5e-3. */
  lr: number;
  /** Largest margin. Default 0.05, the paper's. */
  margin: number;
  /**
   * The margin of a triplet is at most this times (far distance - near distance) of its token coordinates, whose whole
   * range is 2: neighbours on a sphere cannot keep a fixed margin. Default 1.
   */
  marginPerGap: number;
  /** Integer from 0 to 2^53-1. Default 1. */
  seed: number;
}

/** A model configuration as one writes it: what is left out has its default. */
export type ModelOverrides = DeepPartial<ModelConfig>;

type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: DeepPartial<T[K]> }
    : T;

/** How a model is made from data. */
export interface Recipe {
  model: ModelOverrides;
  /** Stage `sft`. */
  sft: SftParameters;
  /** Stage `tokenizer`. */
  tokenizer: TokenizerParameters;
  /** Windows that are cut from the tracks, beside those that the data lists; seconds. */
  cut: CutOptions;
}

/**
 * The recipe of the bundled model `mini`; docs/training.md says where each value comes from. A fresh object at each
 * call. Slot scales are missing: they are measured on the training windows.
 */
export function miniRecipe(): Recipe {
  return {
    model: {
      model_type: 'wam-flow',
      hidden_size: 128,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      intermediate_size: 384,
      hidden_act: 'gelu',
      norm: 'layer_norm',
      attention_mask: 'prefix',
      encoder: { hidden_size: 128, max_agents: 16, max_lanes: 20 },
      tokens: { kind: 'residual_companded', vocab_size: 401, compand: 5 },
      numeric: { features: 'fourier' },
      path: {
        kind: 'metric',
        metric: 'coordinate',
        power: 1,
        schedule: { kind: 'kernel_width', initial_width: 1, final_width: 0.004 },
        sampling_schedule: { kind: 'kernel_width', initial_width: 1, final_width: 0.00025 },
        mask_at_zero: true,
      },
    },
    sft: {
      steps: 6000,
      batch: 32,
      microBatches: 4,
      copies: 3,
      lr: 2e-3,
      beta1: 0.9,
      beta2: 0.98,
      eps: 1e-8,
      weightDecay: 0.05,
      clip: 1,
      warmup: 150,
      ema: 0.999,
      dropout: 0.1,
      smear: 2,
      zeroFraction: 0.25,
      augment: true,
      seed: 1,
    },
    tokenizer: { steps: 3000, batch: 1024, lr: 5e-3, margin: 0.05, marginPerGap: 1, seed: 1 },
    cut: {
      strideS: 0.2,
      standingStrideS: 1.2,
      minFutureS: 1,
      minHistoryS: 0.5,
      // Listed windows (weight 1) are what plans are judged on; a queue that stands still teaches little.
      weight: 0.5,
      standingWeight: 0.15,
    },
  };
}

const count = z.int().min(1);
const positive = z.number().positive();
const share = z.number().min(0).lt(1);
const seed = z.int().min(0);

/** What {@link SftParameters} must be, field by field. */
export const sftShape = {
  steps: count.max(1e9),
  batch: count.max(4096),
  microBatches: count.max(4096),
  copies: count.max(64),
  lr: positive,
  beta1: share,
  beta2: share,
  eps: positive,
  weightDecay: z.number().min(0),
  clip: positive,
  warmup: z.int().min(0).max(1e9),
  ema: share,
  dropout: share,
  smear: z.number().min(0),
  zeroFraction: z.number().min(0).max(1),
  augment: z.boolean(),
  seed,
};

const sftSchema = z
  .strictObject(sftShape)
  .refine(({ batch, microBatches }) => batch % microBatches === 0, {
    path: ['batch'],
    message: 'expected a multiple of microBatches',
  }) satisfies z.ZodType<NativeTrainConfig>;

const tokenizerSchema = z.strictObject({
  steps: count.max(1e9),
  batch: count.max(2 ** 20),
  lr: positive,
  margin: positive,
  marginPerGap: positive,
  seed,
}) satisfies z.ZodType<NativeTokenizerTrainConfig>;

const cutSchema = z.strictObject({
  strideS: positive,
  standingStrideS: positive,
  minFutureS: positive,
  minHistoryS: z.number().min(0),
  weight: z.number().min(0),
  standingWeight: z.number().min(0),
}) satisfies z.ZodType<CutOptions>;

/**
 * Checks the parameters of a stage.
 *
 * @throws WamFlowError `ERR_ARGUMENT` that lists every wrong, missing and unknown one.
 */
export function checkSftParameters(value: unknown): SftParameters {
  return check(sftSchema, value, 'train');
}

/** {@link checkSftParameters} for stage `tokenizer`. */
export function checkTokenizerParameters(value: unknown): TokenizerParameters {
  return check(tokenizerSchema, value, 'train');
}

/** {@link checkSftParameters} for the cutting of windows. */
export function checkCutOptions(value: unknown): CutOptions {
  return check(cutSchema, value, 'cut');
}

/** `overrides` over `base`, objects member by member, lists and values as a whole. Neither is changed. */
export function mergeOverrides(base: object, overrides: unknown): Record<string, unknown> {
  if (!isPlain(overrides)) throw argumentError('config', 'an object', overrides);
  const merged = new Map<string, unknown>(Object.entries(base));
  for (const [key, value] of Object.entries(overrides)) {
    if (value === undefined) continue;
    const old = merged.get(key);
    // A part of another kind (`path: { kind: 'mixture' }`) starts from its own defaults.
    const sameKind = isPlain(value) && isPlain(old) && (value.kind ?? old.kind) === old.kind;
    merged.set(key, sameKind ? mergeOverrides(old, value) : value);
  }
  return Object.fromEntries(merged);
}

function check<T>(schema: z.ZodType<T>, value: unknown, source: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new WamFlowError('ERR_ARGUMENT', describeIssues(result.error, source));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
