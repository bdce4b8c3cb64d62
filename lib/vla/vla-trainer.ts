import { chooseDevice, type DeviceOptions, kDeviceKeys } from '../device.js';
import { argumentError, WamFlowError } from '../errors.js';
import {
  type NamedTensor,
  type NativeTrainMemory,
  type NativeVlaExample,
  type NativeVlaTrainer,
  native,
} from '../native.js';
import type { JanusConfig } from './janus-config.js';
import { type CheckpointInspection, inspectCheckpoint } from './inspect-checkpoint.js';
import { type Trainable, trainableNames } from './trainable.js';
import { nativeConfig } from './vla-model.js';
import { checkRange, flag, integer, type TokenRange } from './vla-options.js';
import {
  int32,
  nativeInput,
  nativeSchedule,
  type VlaInput,
  type VlaPathSchedule,
} from './vla-requests.js';

/**
 * The triplet loss of the numeric rows of the token table (paper eq. 5): of an anchor, a nearer number and one farther
 * away, the nearer one's normalised row is to be nearer by a margin. Offsets are drawn log-uniformly.
 */
export interface TripletOptions {
  /** Id of the least number, and how many there are, in order. */
  firstId: number;
  count: number;
  /** Triplets an update, default 1024. */
  batch?: number;
  /** Of the loss beside that of the tokens, default 1. */
  weight?: number;
  /** Largest margin, default 0.05. */
  margin?: number;
  /**
   * A margin is at most this times how much farther the farther number is, where the numbers span -1 to 1. Default 1: close
   * numbers cannot meet a fixed margin.
   */
  marginPerGap?: number;
  /** Default 1. */
  seed?: number;
}

/** Low-rank adapters: W + B A is computed with, A and B are trained (Hu et al., ICLR 2022). */
export interface LoraOptions {
  /** Columns of B and rows of A. */
  rank: number;
  /** B learns `alpha / rank` times as fast as A. Default twice the rank. */
  alpha?: number;
  /** Matrices that have adapters. Default all of the language model's layers. */
  targets?: Trainable | readonly Trainable[];
  /** Of A; B is 0 at first. Default 1. */
  seed?: number;
}

/** Options of {@link VlaTrainer.load}. */
export interface VlaTrainerOptions extends DeviceOptions {
  /** What is trained itself. May be left out where there are adapters. */
  trainable?: Trainable | readonly Trainable[];
  /** Default none. Weights that are read back are those with adapters added. */
  lora?: LoraOptions;
  /** Default 1. */
  threads?: number;
  /** Rows of one example at most, with all noised copies; default 1280. */
  maxTokens?: number;
  /** Images of one example at most, default 1. */
  maxImages?: number;
  /** Noised copies of one example at most, default 1. */
  maxCopies?: number;
  /** AdamW; default 0.9, 0.95, 1e-8, 0.05 (of all tensors), as released. */
  beta1?: number;
  beta2?: number;
  eps?: number;
  weightDecay?: number;
  /** Largest norm of the gradient. Default 1. */
  clip?: number;
  /** Keeps only the rows between layers and runs each layer once more on the way back. Default false. */
  recompute?: boolean;
  /** Of the noise; default the published one. */
  schedule?: VlaPathSchedule;
  /** What a noised row reads at time 0. Default none: a uniform token of the range. */
  maskId?: number;
  /**
   * Standard deviation of the target in tokens, for examples with a range: close numbers are close to right. Default 0.
   */
  smear?: number;
  /** Default none. The token table must be trained. */
  triplet?: TripletOptions;
}

/** One sequence: what the network reads, what it is to say, and where. */
export interface VlaExample extends VlaInput {
  /** [tokens]. Read where `counted` is set. */
  targets: ArrayLike<number>;
  /** [tokens], not 0 for rows that count in the loss. */
  counted: ArrayLike<number | boolean>;
  /** [tokens], of counted rows; default 1. The loss is divided by the number of rows, whatever their weights are. */
  weights?: Float32Array;
  /** Tokens that counted rows may be: the softmax is over these alone, and noise is of them. Default the vocabulary. */
  range?: TokenRange;
  /**
   * Counted rows read x_t ~ p_t(. | target) in place of `ids`. Under the mask `prefix` there is a copy of the rows behind the
   * prefix for each of the `times` of [0, 1), all on one prefix; under other masks one time.
   */
  noise?: { times: ArrayLike<number>; seed: number };
  /** Learns from chains of the sampler by the clipped policy objective, in place of `targets`, `weights` and `noise`. */
  chains?: VlaChains;
}

/** Chains that begin with the same prefix, [chains, counted rows] each. */
export interface VlaChains {
  /** What the network read. */
  states: Int32Array;
  /** What was drawn then. */
  chosen: Int32Array;
  /** How much better than the others that was. */
  advantage: Float32Array;
  /** Of what was drawn, when it was drawn. */
  logProbability: Float32Array;
  /** Ratios of probabilities count between 1 - clip and 1 + clip. Default 0.2. */
  clip?: number;
  /** That tokens were drawn at; default 1. */
  temperature?: number;
}

/** Bytes of a trainer by part: weights, gradients and moments of what is trained, activations, logits. */
export type VlaTrainingMemory = NativeTrainMemory;

/** What {@link VlaTrainer.step} tells. */
export interface VlaTrainerStep {
  /** Mean cross-entropy of all counted rows and copies. */
  loss: number;
  /** Of the tensors that are trained, before it is clipped. */
  gradNorm: number;
  /** Mean over triplets, before its weight; 0 where there are none. */
  tripletLoss: number;
}

const kDefaults = {
  threads: 1,
  maxTokens: 1280,
  maxImages: 1,
  maxCopies: 1,
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0.05,
  clip: 1,
  recompute: false,
  smear: 0,
};
const kKnown: ReadonlySet<string> = new Set([
  ...Object.keys(kDefaults),
  ...kDeviceKeys,
  ...['trainable', 'schedule', 'maskId', 'triplet', 'lora'],
]);
const kMax = 2 ** 31 - 1;
const kTripletDefaults = { batch: 1024, weight: 1, margin: 0.05, marginPerGap: 1, seed: 1 };
const kNoLora = { rank: 0, alpha: 0, targets: [], seed: 0 };
const kLayerMatrices = ['self_attn', 'mlp'].map(
  (part) => `language_model.model.layers.*.${part}.*_proj.weight`,
);
const kNoTriplets = { firstId: 0, count: 0 };
const kNoFloats = new Float32Array(0);

/**
 * Trains any tensors of a vision-language model in float32: loss of the shifted logits under any mask, with or without
 * noise of the metric path, gradients, AdamW. Weights are in memory whole, gradients and moments of what is trained.
 */
export class VlaTrainer {
  /** What is trained. */
  readonly trainable: readonly string[];
  readonly #native: NativeVlaTrainer;
  readonly #config: JanusConfig;
  #closed: Promise<void> | undefined;

  private constructor(handle: NativeVlaTrainer, config: JanusConfig, trainable: readonly string[]) {
    this.#native = handle;
    this.#config = config;
    this.trainable = trainable;
  }

  /**
   * Reads a Janus directory.
   *
   * @throws WamFlowError as `loadModel`; `ERR_CONFIG` for a tensor that cannot be trained
   */
  static async load(directory: string, options: VlaTrainerOptions): Promise<VlaTrainer> {
    const { opened, config, resolved } = await prepare(directory, options);
    const { trainable } = resolved;
    const handle = await native().createVlaTrainer(opened.directory, config, resolved);
    return new VlaTrainer(handle, opened.config, trainable);
  }

  /**
   * Gradients of the mean cross-entropy over a batch; then one update, unless `learningRate` is 0. The arrays of a batch
   * are read before the call returns.
   *
   * @throws (rejects) WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_RANGE`, `ERR_NOT_FINITE`, `ERR_CLOSED`
   */
  async step(batch: readonly VlaExample[], learningRate: number): Promise<VlaTrainerStep> {
    this.#assertOpen();
    return native().vlaTrainerStep(
      this.#native,
      nativeBatch(batch, this.#config.vision),
      learningRate,
    );
  }

  /**
   * Log-probabilities of the targets, or of what the chains chose, of all counted rows: example by example, copy by copy.
   * A forward pass alone.
   *
   * @throws (rejects) as {@link step}
   */
  async logProbabilities(batch: readonly VlaExample[]): Promise<Float32Array> {
    this.#assertOpen();
    return native().vlaTrainerLogProbabilities(
      this.#native,
      nativeBatch(batch, this.#config.vision),
    );
  }

  /** Weights by name. */
  weights(names: readonly string[] = this.trainable): Promise<NamedTensor[]> {
    return this.#tensors(names, false);
  }

  /** Gradients of the last step by name, before they were clipped. */
  gradients(names: readonly string[] = this.trainable): Promise<NamedTensor[]> {
    return this.#tensors(names, true);
  }

  /**
   * Moments of what is trained (`first_moment.NAME`, `second_moment.NAME`) and adapters (`adapter.NAME`): with the weights,
   * where there are adapters those that were loaded, all that a run needs to go on.
   */
  async state(): Promise<NamedTensor[]> {
    this.#assertOpen();
    return native().vlaTrainerState(this.#native);
  }

  /**
   * Goes on from the weights that were loaded as after `stepsDone` updates.
   *
   * @throws (rejects) WamFlowError `ERR_CHECKPOINT_CORRUPT` when tensors are missing, not finite or of another shape
   */
  async restore(state: readonly NamedTensor[], stepsDone: number): Promise<void> {
    this.#assertOpen();
    await native().restoreVlaTrainer(this.#native, state, stepsDone);
  }

  /** Ends the trainer; may be called again. */
  close(): Promise<void> {
    this.#closed ??= native().closeVlaTrainer(this.#native);
    return this.#closed;
  }

  async #tensors(names: readonly string[], gradients: boolean): Promise<NamedTensor[]> {
    this.#assertOpen();
    return native().vlaTrainerTensors(this.#native, names, gradients);
  }

  #assertOpen(): void {
    if (this.#closed) throw new WamFlowError('ERR_CLOSED', 'the trainer was closed');
  }
}

/**
 * Bytes that {@link VlaTrainer.load} would take with the same options; reads no weights. Noise over a range takes its rows
 * of the token table as floats once more, at the first step that needs them.
 *
 * @throws (rejects) WamFlowError as {@link VlaTrainer.load}
 */
export async function vlaTrainingMemory(
  directory: string,
  options: VlaTrainerOptions,
): Promise<VlaTrainingMemory> {
  const { config, resolved } = await prepare(directory, options);
  return native().vlaTrainingMemory(config, resolved);
}

async function prepare(directory: string, options: VlaTrainerOptions) {
  for (const name in options) {
    if (!kKnown.has(name)) throw argumentError('options', `only ${[...kKnown].join(', ')}`, name);
  }
  const device = chooseDevice(options, 'cpu');
  if (device.precision !== 'fp32') {
    throw argumentError('options.precision', "'fp32': training is in float", device.precision);
  }
  const opened = await inspectCheckpoint(directory);
  const merged = { ...kDefaults, ...options };
  const { trainable, lora } = merged;
  if (trainable === undefined && lora === undefined) {
    throw argumentError('options.trainable', 'what is trained, or adapters', trainable);
  }
  const resolved = {
    ...merged,
    ...device,
    trainable: trainable === undefined ? [] : trainableNames(opened, trainable),
    threads: integer('options.threads', merged.threads, 1, 256),
    maxTokens: integer('options.maxTokens', merged.maxTokens, 1, 65536),
    maxImages: integer('options.maxImages', merged.maxImages, 1, 64),
    maxCopies: integer('options.maxCopies', merged.maxCopies, 1, 1024),
    recompute: flag('options.recompute', merged.recompute),
    schedule: nativeSchedule(merged.schedule),
    maskId: merged.maskId === undefined ? -1 : integer('options.maskId', merged.maskId, 0, kMax),
    triplet: { ...kTripletDefaults, ...(merged.triplet ?? kNoTriplets) },
    lora: lora === undefined ? kNoLora : loraOptions(opened, lora),
  };
  return { opened, config: nativeConfig(opened.config), resolved };
}

function loraOptions(opened: CheckpointInspection, lora: LoraOptions) {
  const { rank, alpha = 2 * rank, targets = kLayerMatrices, seed = 1 } = lora;
  integer('options.lora.rank', rank, 1, 65536);
  return { rank, alpha, seed, targets: trainableNames(opened, targets) };
}

function nativeBatch(
  batch: readonly VlaExample[],
  vision: JanusConfig['vision'],
): NativeVlaExample[] {
  if (!Array.isArray(batch)) throw argumentError('batch', 'an array of examples', batch);
  return (batch as readonly VlaExample[]).map((example) => {
    const { range, noise, chains, weights = kNoFloats } = example;
    if (range !== undefined) checkRange('range', range, kMax);
    return {
      ...nativeInput(example, 0, vision),
      targets: int32('targets', example.targets),
      counted: Uint8Array.from(example.counted, (value) => (value ? 1 : 0)),
      weights: float32('weights', weights),
      begin: range?.begin ?? 0,
      end: range?.end ?? 0,
      times: Float64Array.from(noise?.times ?? []),
      seed: noise === undefined ? 0 : integer('noise.seed', noise.seed, 0, 2 ** 53 - 1),
      states: int32('chains.states', chains?.states ?? []),
      chosen: int32('chains.chosen', chains?.chosen ?? []),
      advantage: float32('chains.advantage', chains?.advantage ?? kNoFloats),
      logProbability: float32('chains.logProbability', chains?.logProbability ?? kNoFloats),
      clip: chains?.clip ?? 0.2,
      temperature: chains?.temperature ?? 1,
    };
  });
}

function float32(name: string, values: unknown): Float32Array {
  if (values instanceof Float32Array) return values;
  throw argumentError(name, 'a Float32Array', values);
}
