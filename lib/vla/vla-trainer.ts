import { chooseDevice, type DeviceOptions, kDeviceKeys } from '../device.js';
import { argumentError, WamFlowError } from '../errors.js';
import { type NamedTensor, type NativeVlaTrainer, native } from '../native.js';
import { type CheckpointInspection, inspectCheckpoint } from './inspect-checkpoint.js';
import { nativeConfig } from './vla-model.js';
import { integer } from './vla-options.js';
import { int32, nativeInput, type VlaInput } from './vla-requests.js';

/** Which tensors a stage trains, as the released code has it; both are of the language model alone. */
export type VlaStage = 'embed' | 'language';

/** Options of {@link VlaTrainer.load}. */
export interface VlaTrainerOptions extends DeviceOptions {
  /**
   * `embed`: the token table and the head. `language`: everything of the language model but the token table. Or the names
   * of tensors.
   */
  trainable: VlaStage | readonly string[];
  /** Default 1. */
  threads?: number;
  /** Tokens of one sequence at most, default 1280. */
  maxTokens?: number;
  /** Images of one sequence at most, default 1. */
  maxImages?: number;
  /** AdamW; default 0.9, 0.95, 1e-8, 0.05 (of all tensors), as released. */
  beta1?: number;
  beta2?: number;
  eps?: number;
  weightDecay?: number;
  /** Largest norm of the gradient. Default 1. */
  clip?: number;
}

/** One sequence: what the network reads, what it is to say, and where. */
export interface VlaExample extends VlaInput {
  /** [tokens]. Read where `counted` is set. */
  targets: ArrayLike<number>;
  /** [tokens], not 0 for rows that count in the loss. */
  counted: ArrayLike<number | boolean>;
}

const kDefaults = {
  threads: 1,
  maxTokens: 1280,
  maxImages: 1,
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0.05,
  clip: 1,
};
const kKnown: ReadonlySet<string> = new Set([
  ...Object.keys(kDefaults),
  ...kDeviceKeys,
  'trainable',
]);
const kTable = 'language_model.model.embed_tokens.weight';

/**
 * Trains the language part of a vision-language model in float32: loss of the shifted logits, gradients, AdamW. Weights,
 * gradients and moments are in memory whole, so this is for small models; images pass tower and aligner unchanged.
 */
export class VlaTrainer {
  /** What is trained. */
  readonly trainable: readonly string[];
  readonly #native: NativeVlaTrainer;
  #closed: Promise<void> | undefined;

  private constructor(handle: NativeVlaTrainer, trainable: readonly string[]) {
    this.#native = handle;
    this.trainable = trainable;
  }

  /**
   * Reads a Janus directory.
   *
   * @throws WamFlowError as `loadModel`; `ERR_CONFIG` for a tensor that cannot be trained
   */
  static async load(directory: string, options: VlaTrainerOptions): Promise<VlaTrainer> {
    for (const name in options) {
      if (!kKnown.has(name)) throw argumentError('options', `only ${[...kKnown].join(', ')}`, name);
    }
    const device = chooseDevice(options, 'cpu');
    if (device.precision !== 'fp32') {
      throw argumentError('options.precision', "'fp32': training is in float", device.precision);
    }
    const opened = await inspectCheckpoint(directory);
    const trainable = namesOf(opened, options.trainable);
    const merged = { ...kDefaults, ...options };
    const resolved = {
      ...merged,
      ...device,
      trainable,
      threads: integer('options.threads', merged.threads, 1, 256),
      maxTokens: integer('options.maxTokens', merged.maxTokens, 1, 65536),
      maxImages: integer('options.maxImages', merged.maxImages, 1, 64),
    };
    const config = nativeConfig(opened.config);
    const handle = await native().createVlaTrainer(opened.directory, config, resolved);
    return new VlaTrainer(handle, trainable);
  }

  /**
   * Mean cross-entropy of all counted rows of the batch, and the norm of the gradient of what is trained, before it is
   * clipped; then one update, unless `learningRate` is 0.
   *
   * @throws (rejects) WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_RANGE`, `ERR_NOT_FINITE`, `ERR_CLOSED`
   */
  async step(
    batch: readonly VlaExample[],
    learningRate: number,
  ): Promise<{ loss: number; gradNorm: number }> {
    this.#assertOpen();
    if (!Array.isArray(batch)) throw argumentError('batch', 'an array of examples', batch);
    const examples = (batch as readonly VlaExample[]).map((example) => ({
      ...nativeInput(example, 0),
      targets: int32('targets', example.targets),
      counted: Uint8Array.from(example.counted, (value) => (value ? 1 : 0)),
    }));
    return native().vlaTrainerStep(this.#native, examples, learningRate);
  }

  /** Weights by name. */
  weights(names: readonly string[] = this.trainable): Promise<NamedTensor[]> {
    return this.#tensors(names, false);
  }

  /** Gradients of the last step by name, before they were clipped. */
  gradients(names: readonly string[] = this.trainable): Promise<NamedTensor[]> {
    return this.#tensors(names, true);
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

function namesOf(
  { tensors, config }: CheckpointInspection,
  trainable: VlaTrainerOptions['trainable'],
): readonly string[] {
  if (Array.isArray(trainable)) return trainable as readonly string[];
  const language = tensors.filter(({ used, part }) => used && part === 'language');
  const names = language.map(({ name }) => name);
  if (trainable === 'language') return names.filter((name) => name !== kTable);
  if (trainable !== 'embed') {
    throw argumentError('options.trainable', "'embed', 'language' or names", trainable);
  }
  return config.language.tie_word_embeddings ? [kTable] : [kTable, 'language_model.lm_head.weight'];
}
