// The parameters of the alignment of vision-language models, and what they are when nobody says.

import { z } from 'zod';
import { WamFlowError } from '../errors.js';
import { describeIssues } from '../model/config-schema.js';
import type { StepRule } from '../plan-options.js';
import { mergeOverrides } from '../train/recipe.js';

/** Parameters of stage `align`: all that decides its result beside model and scenes. */
export interface AlignVlaParameters {
  /** Updates of the whole schedule: linear warm-up, then a cosine to 0. Default 400. */
  steps: number;
  /** Scenes an update. Default 16. */
  batch: number;
  /** Plans of a scene that are compared with each other, 2 to 64. Default 8 (the paper has 3). */
  group: number;
  /** Refinement steps of the plans; the scenes of a batch take turns. Default `[1, 5]`. */
  rolloutSteps: number[];
  /** How x_t moves between steps. Default `renoise`. */
  rule: StepRule;
  /** Of the posterior that tokens are drawn from. Default 1. */
  temperature: number;
  /** Probability ratios beyond 1 -+ this earn nothing more; plans are as new as the weights, so it seldom binds. Default 0.2. */
  clipRatio: number;
  /** Weight of the divergence from the weights that the run starts from, by token in the advantage. Default 0.02. */
  klBeta: number;
  /** Scenes that plans are drawn for, chosen by `seed` among the windows. Default 1000. */
  scenes: number;
  /** What is trained. Default `language`. */
  trainable: string[];
  /** Highest learning rate. Default 1e-6, as published. */
  lr: number;
  /** Updates over which it rises. Default 500, as published. */
  warmup: number;
  beta1: number;
  beta2: number;
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Largest norm of the gradient. Default 1. */
  clip: number;
  /** Of all random numbers; an integer from 0 to 2^53-1. Default 1. */
  seed: number;
}

/** Defaults of the stage. A fresh object at each call. */
export function alignVlaRecipe(): AlignVlaParameters {
  return {
    ...{ steps: 400, batch: 16, group: 8, rolloutSteps: [1, 5], rule: 'renoise', temperature: 1 },
    ...{ clipRatio: 0.2, klBeta: 0.02, scenes: 1000, trainable: ['language'] },
    ...{ lr: 1e-6, warmup: 500, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clip: 1 },
    seed: 1,
  };
}

const count = (max: number) => z.int().min(1).max(max);
const positive = z.number().positive();
const below1 = z.number().min(0).lt(1);

const schema = z.strictObject({
  steps: count(1e9),
  batch: count(4096),
  group: z.int().min(2).max(64),
  rolloutSteps: z.array(count(64)).min(1).max(64),
  rule: z.enum(['released', 'integrated', 'renoise']),
  temperature: positive,
  clipRatio: positive,
  klBeta: z.number().min(0),
  scenes: count(1e6),
  trainable: z.array(z.string().min(1).max(1024)).min(1).max(10_000),
  lr: positive.max(10),
  warmup: z.int().min(0).max(1e9),
  beta1: below1,
  beta2: below1,
  eps: positive,
  weightDecay: z.number().min(0),
  clip: positive,
  seed: z.int().min(0),
}) satisfies z.ZodType<AlignVlaParameters>;

/**
 * The parameters that `options` name, over `base`.
 *
 * @throws WamFlowError `ERR_ARGUMENT` that lists every wrong and missing one.
 */
export function alignVlaParameters(options: object, base: object): AlignVlaParameters {
  const names = Object.keys(alignVlaRecipe());
  const given = Object.entries(options).filter(
    ([name, value]) => names.includes(name) && value !== undefined,
  );
  const result = schema.safeParse(mergeOverrides(base, Object.fromEntries(given)));
  if (result.success) return result.data;
  throw new WamFlowError('ERR_ARGUMENT', describeIssues(result.error, 'train'));
}
