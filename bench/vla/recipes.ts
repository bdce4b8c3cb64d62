// How the models of docs/results.md that see pictures are made: data, sizes, and the stages of each.

import type { AlignVlaParameters } from '../../lib/vla-train/align-vla-recipe.js';
import type { CreateVlaOptions } from '../../lib/vla-train/create-vla.js';
import type { VlaTrainOptions } from '../../lib/vla-train/vla-options.js';

/** Scenes to learn from; those that are judged are of another seed. */
export const kScenes = { windows: 16_000, seed: 71 };
/** Pictures of them, pixels a side. */
export const kPictureSize = 192;
/** Sizes of `createVla`; the others are its defaults. */
export const kSizes = { imageSize: kPictureSize, patch: 24 } satisfies CreateVlaOptions['sizes'];
/** Patches of them a side. */
export const kPatches = kPictureSize / kSizes.patch;
export const kTokens = 1024;

/** A run from another run's model, or from random weights (`start`). */
export interface VlaRecipe {
  key: string;
  from: string;
  /** Conversations by file and weight. */
  data: Partial<Record<'plans' | 'questions' | 'layouts' | 'patches', number>>;
  options: Partial<VlaTrainOptions> & Pick<VlaTrainOptions, 'stage'>;
}

/** Of rows of numbers that start as waves: kernels from all numbers to about 10 cm. */
const kPath = { kind: 'kernel_width', initialWidth: 2, finalWidth: 0.15, power: 4 } as const;

/**
 * Of plans: from some metres to 10 cm. Between rows that started as waves all that is farther than ten metres is nearly
 * equally far, so that a state from a wider kernel says nothing of its plan.
 */
const kPlanPath = { ...kPath, initialWidth: 1, finalWidth: 0.35 };

const kCommon: Partial<VlaTrainOptions> = {
  batch: 16,
  warmup: 100,
  schedule: 'cosine',
  beta2: 0.98,
  trainable: ['all'],
  maxTokens: 320,
};
const kFlow: Partial<VlaTrainOptions> = { ...kCommon, path: kPath, maskToken: '<mask>' };

/**
 * The tower starts from random weights, where that of the paper is pre-trained: labels of patches, which teach it in minutes what
 * answers do not in hours, stand in for that. Layouts then make the language model read what the tower says.
 */
const kBackboneData = { patches: 3, questions: 1 };
const kQuestions = { questions: 1 };
const kPretrainData = { layouts: 3, questions: 1 };
const kPlans = { plans: 3, layouts: 1 };

type Options = VlaRecipe['options'];

const kCausal: Options = {
  ...kCommon,
  stage: 'causal',
  steps: 2400,
  lr: 1e-3,
  answerTokens: 16,
};
const kAdapt: Options = {
  ...kFlow,
  stage: 'adapt',
  steps: 300,
  lr: 5e-4,
  copies: 2,
  answerTokens: 16,
};
const kEmbed: Options = {
  ...kFlow,
  stage: 'embed',
  steps: 200,
  lr: 2e-3,
  copies: 3,
  smear: 5,
  trainable: ['embed'],
  rows: 'waves',
  triplet: { weight: 1, batch: 4096 },
};
const kPretrain: Options = {
  ...kFlow,
  stage: 'pretrain',
  steps: 1200,
  lr: 1e-3,
  copies: 2,
  zeroFraction: 0.5,
  smear: 5,
  answerTokens: 32,
  path: kPlanPath,
};
const kSft: Options = {
  ...kFlow,
  stage: 'sft',
  steps: 1200,
  lr: 1e-3,
  copies: 3,
  smear: 5,
  answerTokens: 32,
  path: kPlanPath,
};
/** Longer, and with questions, so that answering them is not forgotten. */
const kMini: Options = { ...kSft, steps: 2000 };
/** Longer still, with more questions: answers want more examples than plans do. */
const kMiniAnswers: Options = { ...kSft, steps: 3000 };
const kMiniLonger: Options = { ...kSft, steps: 4000 };

/** The stages behind the adaptation, for an arm of the study. */
function laterStages(arm: string, from: string, embed: VlaRecipe['options']): VlaRecipe[] {
  return [
    { key: `${arm}-embed`, from, data: { plans: 1 }, options: embed },
    { key: `${arm}-pretrain`, from: `${arm}-embed`, data: kPretrainData, options: kPretrain },
    { key: `${arm}-sft`, from: `${arm}-pretrain`, data: kPlans, options: kSft },
  ];
}

/**
 * In the order of the paper: a causal model, adapted to flow, rows for numbers, conversations, plans. The others leave one
 * thing out: the causal start (its updates are made as flow), the conversations, the triplets and rows that begin as waves.
 */
export const kVlaRecipes: readonly VlaRecipe[] = [
  { key: 'causal', from: 'start', data: kBackboneData, options: kCausal },
  { key: 'adapt', from: 'causal', data: kQuestions, options: kAdapt },
  ...laterStages('all', 'adapt', kEmbed),
  {
    key: 'scratch-flow',
    from: 'start',
    data: kBackboneData,
    options: { ...kAdapt, steps: kCausal.steps! + kAdapt.steps!, lr: kCausal.lr },
  },
  ...laterStages('scratch', 'scratch-flow', kEmbed),
  {
    key: 'mini-sft',
    from: 'all-sft',
    data: { plans: 4, layouts: 1, questions: 1 },
    options: kMini,
  },
  {
    key: 'mini-answers',
    from: 'mini-sft',
    data: { plans: 3, layouts: 1, questions: 3 },
    options: kMiniAnswers,
  },
  {
    key: 'mini-longer',
    from: 'mini-answers',
    data: { plans: 4, layouts: 1, questions: 2 },
    options: kMiniLonger,
  },
  { key: 'no-pretraining-sft', from: 'all-embed', data: kPlans, options: kSft },
  ...laterStages('no-triplet', 'adapt', {
    ...kEmbed,
    rows: 'random',
    triplet: false,
  }),
];

/** The last stage, on scenes that no other stage has seen. */
export const kAlignment = {
  key: 'mini-aligned',
  from: 'mini-longer',
  scenes: { windows: 1600, seed: 74 },
  options: {
    ...{ steps: 500, batch: 16, group: 8, scenes: 1200, lr: 5e-4, warmup: 10 },
    rolloutSteps: [1, 5],
  } satisfies Partial<AlignVlaParameters>,
};

/** `models/vla-mini`: the mean of the weights before and after alignment, which keeps most of what either is better at. */
export const kMean = { key: 'mini', of: [kAlignment.key, kAlignment.from] };
