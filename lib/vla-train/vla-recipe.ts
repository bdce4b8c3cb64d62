// The parameters of the stages of vision-language models, and what they are when nobody says.

import { z } from 'zod';
import { argumentError, WamFlowError } from '../errors.js';
import type { completeSchedule } from '../flow/path-schedule.js';
import { describeIssues } from '../model/config-schema.js';
import type { VlaMask } from '../vla/vla-requests.js';
import type { NumericStart } from './numeric-rows.js';

/** Stages of a vision-language model, in the order that it goes through them. */
export const kVlaStages = ['causal', 'adapt', 'embed', 'pretrain', 'sft'] as const;

/**
 * `causal`: a backbone learns to speak, token by token. `adapt`: the same conversations by flow. `embed`: rows for numbers
 * are appended to the token table and learn their order. `pretrain`: conversations of many kinds. `sft`: plans.
 */
export type VlaStage = (typeof kVlaStages)[number];

/** Parameters of a stage: all that decides its result beside model and data. */
export interface VlaTrainParameters {
  /** Updates of the whole schedule. */
  steps: number;
  /** Conversations an update. */
  batch: number;
  /** Highest learning rate. */
  lr: number;
  /** Updates over which it rises. */
  warmup: number;
  /** What follows: the same rate, or a cosine to 0. */
  schedule: 'constant' | 'cosine';
  /** AdamW: decay of the moments, what is added to the root, decoupled decay of all tensors, largest norm of the gradient. */
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  clip: number;
  /**
   * What is trained: groups (`embed`, `language`, `aligner`, `vision`, `all`) or tensors' names, in which `*` may stand.
   * With adapters it may be empty, which is the default then.
   */
  trainable: string[];
  /** Low-rank adapters of matrices, named as in `trainable`; null: none. */
  lora: { rank: number; alpha: number; targets: string[] } | null;
  /** Which row sees which; `causal` in stage `causal` alone. */
  mask: VlaMask;
  /** Noised copies of an answer on one prompt; 1 unless the mask is `prefix`. */
  copies: number;
  /** Share of the copies that train at t = 0. */
  zeroFraction: number;
  /** Token that is read at t = 0; empty: a uniform one. */
  maskToken: string;
  /** How x_t comes from its target. */
  path: ReturnType<typeof completeSchedule>;
  /** Standard deviation of a number's target, in tokens. */
  smear: number;
  /** Tokens that a text answer is padded to. */
  answerTokens: number;
  /** Numbers of a plan: waypoints times coordinates. */
  waypoints: number;
  coordinates: 2 | 3;
  /** Tokens of a conversation at most, pictures and answer included; longer ones are left out. */
  maxTokens: number;
  /** Pictures of a conversation at most. */
  maxImages: number;
  /** Stage `embed`: what new rows start from. */
  rows: NumericStart;
  /** Stage `embed`: the triplet loss beside that of the tokens; weight 0 leaves it out. */
  triplet: { weight: number; batch: number; margin: number; marginPerGap: number };
  /** Of all random numbers; an integer from 0 to 2^53-1. */
  seed: number;
}

type StageDefaults = Pick<
  VlaTrainParameters,
  'steps' | 'batch' | 'lr' | 'warmup' | 'schedule' | 'trainable' | 'mask' | 'copies'
>;

/**
 * Published values (wamflow-spec section 6: paper, and released code for the number of updates and the decay) where there
 * are any: of `causal` and `adapt` there are none for a model of this kind.
 */
const kStageDefaults: Readonly<Record<VlaStage, StageDefaults>> = {
  causal: {
    ...{ steps: 20_000, batch: 64, lr: 3e-4, warmup: 500, schedule: 'cosine' },
    ...{ trainable: ['all'], mask: 'causal', copies: 1 },
  },
  adapt: {
    ...{ steps: 10_000, batch: 64, lr: 1e-5, warmup: 0, schedule: 'constant' },
    ...{ trainable: ['language'], mask: 'prefix', copies: 3 },
  },
  embed: {
    // 4 epochs of 668,000
    ...{ steps: 33_400, batch: 80, lr: 1e-5, warmup: 0, schedule: 'constant' },
    ...{ trainable: ['embed'], mask: 'prefix', copies: 3 },
  },
  pretrain: {
    ...{ steps: 80_000, batch: 256, lr: 1e-5, warmup: 0, schedule: 'constant' },
    ...{ trainable: ['language'], mask: 'prefix', copies: 3 },
  },
  sft: {
    ...{ steps: 40_000, batch: 64, lr: 5e-6, warmup: 500, schedule: 'cosine' },
    ...{ trainable: ['language'], mask: 'prefix', copies: 3 },
  },
};

/** Matrices of the language model's layers. */
export const kLoraTargets: readonly string[] = ['self_attn', 'mlp'].map(
  (part) => `language_model.model.layers.*.${part}.*_proj.weight`,
);

/** Tokens of text in a released sequence, beside those of pictures. */
const kTextTokens = 500;

/** Defaults of a stage, for a tower of so many image tokens. A fresh object at each call. */
export function vlaRecipe(stage: VlaStage, imageTokens = 576): VlaTrainParameters {
  const defaults = kStageDefaults[stage];
  return {
    ...defaults,
    trainable: [...defaults.trainable],
    ...{ beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, clip: 1 },
    ...{ zeroFraction: 0.25, maskToken: '', smear: 0 },
    path: { kind: 'published', a: 0.9, c: 3 },
    ...{ answerTokens: 24, waypoints: 8, coordinates: 2 },
    ...{ maxTokens: imageTokens + kTextTokens, maxImages: 1 },
    lora: null,
    rows: 'digits',
    triplet: { weight: 1, batch: 1024, margin: 0.05, marginPerGap: 1 },
    seed: 1,
  };
}

const count = (max: number) => z.int().min(1).max(max);
const positive = z.number().positive();
const notNegative = z.number().min(0);
const below1 = z.number().min(0).lt(1);

const names = z.array(z.string().min(1).max(1024)).max(10_000);

const schema = z.strictObject({
  steps: count(1e9),
  batch: count(4096),
  lr: positive.max(10),
  warmup: z.int().min(0).max(1e9),
  schedule: z.enum(['constant', 'cosine']),
  beta1: below1,
  beta2: below1,
  eps: positive,
  weightDecay: notNegative,
  clip: positive,
  trainable: names,
  lora: z.strictObject({ rank: count(65_536), alpha: positive, targets: names.min(1) }).nullable(),
  mask: z.enum(['causal', 'full', 'prefix']),
  copies: count(64),
  zeroFraction: z.number().min(0).max(1),
  maskToken: z.string().max(200),
  path: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('published'), a: positive, c: positive }),
    z.strictObject({
      kind: z.literal('kernel_width'),
      initialWidth: positive,
      finalWidth: positive,
      power: positive,
    }),
  ]),
  smear: notNegative,
  answerTokens: count(4096),
  waypoints: count(256),
  coordinates: z.union([z.literal(2), z.literal(3)]),
  maxTokens: count(65_536),
  maxImages: z.int().min(0).max(64),
  rows: z.enum(['digits', 'random', 'waves']),
  triplet: z.strictObject({
    weight: notNegative,
    batch: count(2 ** 20),
    margin: notNegative,
    marginPerGap: notNegative,
  }),
  seed: z.int().min(0),
}) satisfies z.ZodType<VlaTrainParameters>;

/**
 * Checks the parameters of a stage.
 *
 * @throws WamFlowError `ERR_ARGUMENT` that lists every wrong, missing and unknown one; `ERR_CONFIG` for a mask, or a number
 *   of copies, that the stage cannot have.
 */
export function checkVlaParameters(stage: VlaStage, value: unknown): VlaTrainParameters {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new WamFlowError('ERR_ARGUMENT', describeIssues(result.error, 'train'));
  }
  const { mask, copies, trainable, lora } = result.data;
  if (trainable.length === 0 && lora === null) {
    throw argumentError('trainable', 'at least one name, or adapters', trainable);
  }
  if ((mask === 'causal') !== (stage === 'causal')) {
    const expected = stage === 'causal' ? 'causal' : 'prefix or full';
    throw new WamFlowError(
      'ERR_CONFIG',
      `mask: expected ${expected} for stage ${stage}, received ${mask}`,
    );
  }
  if (mask !== 'prefix' && copies !== 1) {
    throw new WamFlowError(
      'ERR_CONFIG',
      `copies: expected 1 for the mask ${mask}, received ${copies}`,
    );
  }
  return result.data;
}

/** Learning rate of update `update`, from 1 on; never 0. */
export function learningRateAt(
  { lr, warmup, steps, schedule }: Pick<VlaTrainParameters, 'lr' | 'warmup' | 'steps' | 'schedule'>,
  update: number,
): number {
  if (update <= warmup) return (lr * update) / warmup;
  if (schedule === 'constant') return lr;
  const done = (update - warmup) / Math.max(1, steps - warmup + 1);
  return lr * 0.5 * (1 + Math.cos(Math.PI * Math.min(done, 1)));
}
