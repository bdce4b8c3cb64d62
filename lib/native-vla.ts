import type { NamedTensor, NativeDevice } from './native-types.js';

declare const kKind: unique symbol;

/** A vision-language model with a thread of its own. */
export type NativeVla = { readonly [kKind]: 'vision-language model' };

/** Weights of such a model in training, with a thread of their own. */
export type NativeVlaTrainer = { readonly [kKind]: 'vision-language trainer' };

/** The C++ VlaConfig with its field names in camel case; every field must be there. */
export interface NativeVlaConfig {
  language: {
    vocab: number;
    hidden: number;
    layers: number;
    heads: number;
    kvHeads: number;
    headDim: number;
    mlpHidden: number;
    normEps: number;
    ropeTheta: number;
    attentionBias: boolean;
    mlpBias: boolean;
    tiedHead: boolean;
  };
  vision: {
    imageSize: number;
    patch: number;
    width: number;
    heads: number;
    mlpHidden: number;
    layers: number;
    normEps: number;
  };
  alignerDepth: number;
}

export type NativeVlaOptions = NativeDevice & {
  threads: number;
  spin: boolean;
  maxTokens: number;
  maxImages: number;
  prefixCache: boolean;
  /** The head is cut at these tokens; both 0: nowhere. */
  numericBegin: number;
  numericEnd: number;
  queueLimit: number;
};

/** What a model reads. Arrays are copied by the call. */
export interface NativeVlaInput {
  /** [tokens] */
  ids: Int32Array;
  /** [tokens], 1 where the row is one of an image. */
  imageMask: Uint8Array;
  /** [images, 3, size, size] */
  pixels: Float32Array;
  mask: 'causal' | 'full' | 'prefix';
  prefixRows: number;
}

export interface NativeVlaForward extends NativeVlaInput {
  /** Rows that logits are wanted of. */
  rows: Int32Array;
  hidden: boolean;
  vision: boolean;
}

export interface NativeVlaLogits {
  /** [rows, vocab] */
  logits: Float32Array;
  /** [tokens, hidden] */
  hidden?: Float32Array;
  /** [images, image tokens, vision width] */
  features?: Float32Array;
  /** [images, image tokens, hidden] */
  aligned?: Float32Array;
}

/** A schedule of the metric path with all parameters of its kind. */
export type NativeVlaSchedule =
  | { kind: 'published'; a: number; c: number }
  | { kind: 'kernel_width'; initialWidth: number; finalWidth: number; power: number };

export interface NativeVlaSample extends NativeVlaInput {
  positions: Int32Array;
  begin: number;
  end: number;
  steps: number;
  rule: 'released' | 'integrated' | 'renoise';
  decode: 'argmax' | 'median' | 'sample';
  lastDecode: 'argmax' | 'median' | 'sample';
  temperature: number;
  topK: number;
  schedule: NativeVlaSchedule;
  /** Read at the positions in the first step; -1: x0 is. */
  maskId: number;
  samples: number;
  keepPrefix: boolean;
  seed: number;
  /** Empty, or [samples, positions]. */
  x0: Int32Array;
  /** Empty, or [samples, steps, positions] each. */
  posterior: Float32Array;
  jump: Float32Array;
  draw: Float32Array;
}

/** All [samples, ...]. */
export interface NativeVlaTokens {
  states: Int32Array;
  x1: Int32Array;
  final: Int32Array;
  logProbability: Float32Array;
  visionMs: number;
  prefixMs: number;
  stepMs: Float64Array;
}

export type NativeVlaTrainOptions = NativeDevice & {
  threads: number;
  maxTokens: number;
  maxImages: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  clip: number;
  /** Names of tensors. */
  trainable: readonly string[];
  maxCopies: number;
  recompute: boolean;
  schedule: NativeVlaSchedule;
  /** -1: none. */
  maskId: number;
  smear: number;
  /** `count` 0: none. */
  triplet: {
    firstId: number;
    count: number;
    batch: number;
    weight: number;
    margin: number;
    marginPerGap: number;
    seed: number;
  };
  /** `rank` 0: none. */
  lora: { rank: number; alpha: number; targets: readonly string[]; seed: number };
};

/** Bytes that a trainer takes at its start, by part. */
export interface NativeTrainMemory {
  weights: number;
  gradients: number;
  moments: number;
  vision: number;
  language: number;
  head: number;
  total: number;
}

/** One sequence of a batch. */
export interface NativeVlaExample extends NativeVlaInput {
  /** [tokens] what each row is to say. */
  targets: Int32Array;
  /** [tokens], 1 for rows that count in the loss. */
  counted: Uint8Array;
  /** Empty, or [tokens]. */
  weights: Float32Array;
  /** Tokens that counted rows may be; both 0: all. */
  begin: number;
  end: number;
  /** Of noised copies; empty: no noise. */
  times: Float64Array;
  seed: number;
  /** Empty, or [copies, counted rows] of chains that the policy objective learns from. */
  states: Int32Array;
  chosen: Int32Array;
  advantage: Float32Array;
  logProbability: Float32Array;
  clip: number;
  temperature: number;
}

/** Functions of the addon that run vision-language models. */
export interface VlaAddon {
  /** Opens the directory and packs its weights on a thread of the model's own. */
  createVla(
    directory: string,
    config: NativeVlaConfig,
    options: NativeVlaOptions,
  ): Promise<NativeVla>;
  /** Resolves to undefined when aborted. */
  vlaForward(
    model: NativeVla,
    request: NativeVlaForward,
    job: number,
  ): Promise<NativeVlaLogits | undefined>;
  vlaSample(
    model: NativeVla,
    request: NativeVlaSample,
    job: number,
  ): Promise<NativeVlaTokens | undefined>;
  /** Drops a waiting call, stops a running one between layers. */
  abortVla(model: NativeVla, job: number): void;
  vlaWorkspaceBytes(model: NativeVla): number;
  closeVla(model: NativeVla): Promise<void>;

  vlaTrainingMemory(config: NativeVlaConfig, options: NativeVlaTrainOptions): NativeTrainMemory;
  createVlaTrainer(
    directory: string,
    config: NativeVlaConfig,
    options: NativeVlaTrainOptions,
  ): Promise<NativeVlaTrainer>;
  /** Gradients of a batch and, with a learning rate above 0, one update. */
  vlaTrainerStep(
    trainer: NativeVlaTrainer,
    batch: readonly NativeVlaExample[],
    learningRate: number,
  ): Promise<{ loss: number; gradNorm: number; tripletLoss: number }>;
  /** Of the targets or chosen tokens of all counted rows, example by example, copy by copy. */
  vlaTrainerLogProbabilities(
    trainer: NativeVlaTrainer,
    batch: readonly NativeVlaExample[],
  ): Promise<Float32Array>;
  /** Weights, or the gradients of the last step. */
  vlaTrainerTensors(
    trainer: NativeVlaTrainer,
    names: readonly string[],
    gradients: boolean,
  ): Promise<NamedTensor[]>;
  /** Moments of what is trained and adapters, and back. */
  vlaTrainerState(trainer: NativeVlaTrainer): Promise<NamedTensor[]>;
  restoreVlaTrainer(
    trainer: NativeVlaTrainer,
    state: readonly NamedTensor[],
    stepsDone: number,
  ): Promise<void>;
  closeVlaTrainer(trainer: NativeVlaTrainer): Promise<void>;
}
