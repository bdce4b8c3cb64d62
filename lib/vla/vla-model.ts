import { describeDevice, type Precision } from '../device.js';
import { argumentError, WamFlowError } from '../errors.js';
import { type NativeVla, type NativeVlaConfig, type NativeVlaOptions, native } from '../native.js';
import { type CheckpointInspection, inspectCheckpoint } from './inspect-checkpoint.js';
import type { JanusConfig } from './janus-config.js';
import { type VlaOptions, vlaOptions } from './vla-options.js';
import {
  int32,
  nativeInput,
  nativeSample,
  type VlaForward,
  type VlaLogits,
  type VlaSample,
  type VlaTokens,
} from './vla-requests.js';

/**
 * A vision-language model of the Janus family: images and token ids in, logits or refined tokens out. It has a native
 * thread and memory of its own; calls that come while one runs wait in order. A pending call keeps the process alive, an
 * idle model does not.
 *
 * @example
 * const model = await loadModel('./wam-flow-1.5b', { threads: 2, precision: 'bf16' });
 * const { logits } = await model.forward({ ids, imageMask, pixels, rows: [ids.length - 1] });
 */
export class VlaModel {
  /** With all defaults; `language.vocab_size` is the number of rows that the token table has. */
  readonly config: JanusConfig;
  /** Absolute path. */
  readonly directory: string;
  /** What is odd about the checkpoint, a sentence each. */
  readonly warnings: readonly string[];
  readonly device: 'cpu' | 'cuda' | 'simt';
  readonly precision: Precision;
  /** The device in words: `avx512 bf16`, `cuda fp32`. */
  readonly engine: string;
  readonly threads: number;
  /** Tokens of one call at most. */
  readonly maxTokens: number;

  readonly #native: NativeVla;
  #jobs = 0;
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(
    opened: { config: JanusConfig; directory: string; warnings: readonly string[] },
    handle: NativeVla,
    options: NativeVlaOptions,
  ) {
    this.config = opened.config;
    this.directory = opened.directory;
    this.warnings = opened.warnings;
    this.device = options.device;
    this.precision = options.precision;
    this.engine = describeDevice(options);
    this.threads = options.threads;
    this.maxTokens = options.maxTokens;
    this.#native = handle;
  }

  /** Rows of the token table. */
  get vocab(): number {
    return this.config.language.vocab_size;
  }

  /**
   * Runs a sequence once.
   *
   * @throws (rejects) the signal's reason when aborted; WamFlowError `ERR_CLOSED`; `ERR_ARGUMENT`, `ERR_SHAPE`,
   *   `ERR_RANGE` (an id that is none, too many tokens or images) or `ERR_NOT_FINITE` for a bad request.
   */
  async forward(request: VlaForward): Promise<VlaLogits> {
    const { rows = 'all', hidden = false, vision = false, signal } = object(request);
    const input = nativeInput(request, 0, this.config.vision);
    const wanted = rows === 'all' ? input.ids.map((_, i) => i) : int32('rows', rows);
    const call = { ...input, rows: wanted, hidden, vision };
    return this.#run(signal, (job) => native().vlaForward(this.#native, call, job));
  }

  /**
   * Refines tokens at some positions along the metric path of the token table (docs/vla.md).
   *
   * @throws (rejects) as {@link VlaModel.forward}
   */
  async sample(request: VlaSample): Promise<VlaTokens> {
    const { signal } = object(request);
    const call = nativeSample(request, this.config);
    const { visionMs, prefixMs, stepMs, ...tokens } = await this.#run(signal, (job) =>
      native().vlaSample(this.#native, call, job),
    );
    return { ...tokens, timing: { visionMs, prefixMs, stepMs } };
  }

  /** Bytes of working memory, sized by `maxTokens`; 0 once closed. */
  workspaceBytes(): number {
    return native().vlaWorkspaceBytes(this.#native);
  }

  /** Ends the model: pending calls reject with `ERR_CLOSED`, its thread ends. May be called again. */
  close(): Promise<void> {
    this.#closed ??= native().closeVla(this.#native);
    return this.#closed;
  }

  [Symbol.dispose](): void {
    void this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run<Result>(
    signal: AbortSignal | undefined,
    start: (job: number) => Promise<Result | undefined>,
  ): Promise<Result> {
    if (this.#closed) throw new WamFlowError('ERR_CLOSED', 'the model was closed');
    signal?.throwIfAborted();
    this.#jobs += 1;
    const job = this.#jobs;
    const pending = start(job);
    const abort = () => native().abortVla(this.#native, job);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const result = await pending;
      if (result === undefined) throw signal?.reason;
      return result;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}

/**
 * Loads a Janus-1.3B/1.5B, FUDOKI or WAM-Flow directory. Weights are packed on a thread of the model's own, one matrix at
 * a time; the token table stays in its file, which must not be written to while the model is open.
 *
 * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND`, `ERR_CHECKPOINT_CORRUPT` (missing, mis-shaped or not finite weights),
 *   `ERR_CONFIG`, `ERR_IO`, `ERR_DEVICE_UNAVAILABLE`, `ERR_NATIVE_MISSING`, `ERR_OUT_OF_MEMORY`, and `ERR_ARGUMENT` or
 *   `ERR_RANGE` for a bad option
 */
export async function loadModel(directory: string, options: VlaOptions = {}): Promise<VlaModel> {
  vlaOptions(options); // a bad option before any file is read
  return loadInspected(await inspectCheckpoint(directory), options);
}

/** {@link loadModel} of a directory that was looked at. */
export async function loadInspected(
  opened: CheckpointInspection,
  options: VlaOptions,
): Promise<VlaModel> {
  const resolved = vlaOptions(options, opened.config.language.vocab_size);
  const handle = await native().createVla(opened.directory, nativeConfig(opened.config), resolved);
  return new VlaModel(opened, handle, resolved);
}

/** What the engine needs of a configuration. */
export function nativeConfig({ language, vision, aligner }: JanusConfig): NativeVlaConfig {
  return {
    language: {
      vocab: language.vocab_size,
      hidden: language.hidden_size,
      layers: language.num_hidden_layers,
      heads: language.num_attention_heads,
      kvHeads: language.num_key_value_heads,
      headDim: language.head_dim,
      mlpHidden: language.intermediate_size,
      normEps: language.rms_norm_eps,
      ropeTheta: language.rope_theta,
      attentionBias: language.attention_bias,
      mlpBias: language.mlp_bias,
      tiedHead: language.tie_word_embeddings,
    },
    vision: {
      imageSize: vision.image_size,
      patch: vision.patch_size,
      width: vision.width,
      heads: vision.heads,
      mlpHidden: vision.mlp_size,
      layers: vision.layers,
      normEps: vision.layer_norm_eps,
    },
    alignerDepth: aligner.depth,
  };
}

function object<T>(request: T): T {
  if (typeof request === 'object' && request !== null) return request;
  throw argumentError('request', 'an object', request);
}
