import { describeDevice, type Precision } from './device.js';
import { argumentError, WamFlowError } from './errors.js';
import { type Checkpoint, loadCheckpoint } from './model/checkpoint.js';
import type { ModelConfig } from './model/config.js';
import { type Isa, type NativeEngine, native } from './native.js';
import type { Observation } from './observation.js';
import { checkOut } from './out-buffer.js';
import { ObservationPacker } from './pack-observation.js';
import { kRequestSize, type PlanLimits, type PlanOptions, writeRequest } from './plan-options.js';
import { type Plan, type ResultShape, readResult, resultBytes } from './plan-result.js';
import { engineOptions, type PlannerOptions } from './planner-options.js';
import { kWarmSize } from './warm-start.js';

/** Observations of one batch at most. */
const kMaxBatch = 16_384;
/** Results of one batch at most; the process would end where an array cannot be had. */
const kMaxResultBytes = 2 ** 30;

/** One step of a plan on its way, see {@link Planner.refine}. */
export interface Refinement {
  /** Steps run so far, from 1. */
  step: number;
  /** Whole plan after this step, [waypoints, 3]: x, y (metres), heading (radians), ego frame. */
  trajectory: Float32Array;
}

/** Memory of a planner, bytes. */
export interface PlannerMemory {
  /** Float weights; the engine holds a copy of them in the layout of its kernels as well. */
  weights: number;
  /** Working memory, sized by `maxSamples`; 0 once closed. */
  workspace: number;
}

/**
 * A planner: a model with a native thread and memory of its own. Plans that are asked for while one runs wait in
 * order. A pending plan keeps the process alive, an idle planner does not.
 *
 * @example
 * const planner = await Planner.load('mini');
 * const plan = await planner.plan(observation);
 */
export class Planner {
  /** Configuration of the model, as in config.json. */
  readonly config: ModelConfig;
  /** Where the model was read from; undefined when it was not. */
  readonly directory: string | undefined;
  readonly device: 'cpu' | 'cuda' | 'simt';
  /** Instruction set on the CPU; undefined on another device. */
  readonly isa: Isa | undefined;
  /** Of the weights on the CPU, of matrix products and attention on a GPU. */
  readonly precision: Precision;
  /** The device in words: `avx512`, `avx512 int8`, `cuda fp32`. */
  readonly engine: string;
  readonly threads: number;
  /** Poses of a plan. */
  readonly waypoints: number;
  /** Seconds between poses. */
  readonly intervalS: number;

  readonly #engine: NativeEngine;
  readonly #limits: PlanLimits;
  readonly #slots: number;
  readonly #packer = new ObservationPacker();
  readonly #request: Float64Array;
  #scratch = new ArrayBuffer(0);
  #jobs = 0;
  #closed: Promise<void> | undefined;

  private constructor(
    checkpoint: Omit<Checkpoint, 'directory'> & { directory?: string },
    engine: NativeEngine,
    options: ReturnType<typeof engineOptions>,
  ) {
    const { tokens } = checkpoint.config;
    this.config = checkpoint.config;
    this.directory = checkpoint.directory;
    this.device = options.device;
    this.isa = options.device === 'cpu' ? options.isa : undefined;
    this.precision = options.precision;
    this.engine = describeDevice(options);
    this.threads = options.threads;
    this.waypoints = tokens.waypoints;
    this.intervalS = tokens.interval_s;
    this.#engine = engine;
    this.#slots = tokens.waypoints * 3;
    const horizonS = tokens.waypoints * tokens.interval_s;
    this.#limits = { ...options, vocab: tokens.vocab_size, horizonS };
    this.#request = new Float64Array(kRequestSize + kWarmSize + this.#slots);
  }

  /**
   * Reads a model and starts a planner.
   *
   * @param nameOrDirectory `mini` for the bundled model, or a checkpoint directory. Directories of the Janus family plan
   *   from pictures and text: `VlaPlanner.load` reads them, and this says so.
   * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND`, `ERR_CHECKPOINT_CORRUPT`, `ERR_CONFIG`, `ERR_DEVICE_UNAVAILABLE`,
   *   `ERR_NATIVE_MISSING`, `ERR_OUT_OF_MEMORY`, and `ERR_ARGUMENT` or `ERR_RANGE` for a bad option.
   */
  static async load(nameOrDirectory: string, options: PlannerOptions = {}): Promise<Planner> {
    engineOptions(options); // a bad option before any file is read
    return Planner.fromCheckpoint(await loadCheckpoint(nameOrDirectory), options);
  }

  /**
   * Starts a planner with weights in memory.
   *
   * @throws WamFlowError as {@link Planner.load}.
   */
  static async fromCheckpoint(
    checkpoint: Omit<Checkpoint, 'directory'> & { directory?: string },
    options: PlannerOptions = {},
  ): Promise<Planner> {
    const resolved = engineOptions(options);
    const model = native().createModel(checkpoint.native, checkpoint.tensors);
    const engine = await native().createEngine(model, resolved);
    return new Planner(checkpoint, engine, resolved);
  }

  /**
   * Plans on the planner's own thread.
   *
   * @throws (rejects) the signal's reason when aborted; WamFlowError `ERR_CLOSED`; `ERR_ARGUMENT`, `ERR_SHAPE`,
   *   `ERR_NOT_FINITE` or `ERR_RANGE` for a bad observation or option.
   */
  async plan(observation: Observation, options: PlanOptions = {}): Promise<Plan> {
    const [plan] = await this.#submit([observation], options, 'observation');
    return plan as Plan;
  }

  /**
   * Plans on the calling thread, which is blocked meanwhile; waits for a plan that is running. The fastest way in a
   * worker thread. A signal is looked at before the plan begins.
   *
   * @param out [waypoints * 3] takes the trajectory and becomes `plan.trajectory`; may be shared memory.
   * @throws as {@link Planner.plan}; also `ERR_BUFFER` and `ERR_SHAPE` for `out`.
   */
  planSync(observation: Observation, options: PlanOptions = {}, out?: Float32Array): Plan {
    const calledAt = performance.now();
    this.#assertOpen();
    options?.signal?.throwIfAborted();
    if (out !== undefined) checkOut('out', out, this.#slots);
    const shape = this.#pack([observation], options, 'observation', 0, calledAt);
    const bytes = resultBytes(shape);
    if (this.#scratch.byteLength < bytes) this.#scratch = new ArrayBuffer(bytes);
    const { maps, sizes, meta, values, lanes } = this.#packer;
    native().planSync(this.#engine, maps, sizes, meta, values, lanes, this.#request, this.#scratch);
    const totalUs = (performance.now() - calledAt) * 1000;
    return readResult(this.#scratch.slice(0, bytes), 0, shape, totalUs, out);
  }

  /**
   * Plans for up to 16,384 observations in one call with the same options. Each result equals that of a single plan. A
   * deadline counts for the whole batch.
   *
   * @throws as {@link Planner.plan}.
   */
  async planBatch(
    observations: readonly Observation[],
    options: PlanOptions = {},
  ): Promise<Plan[]> {
    if (!Array.isArray(observations)) {
      throw argumentError('observations', 'an array of observations', observations);
    }
    if (observations.length > kMaxBatch) {
      const expected = `at most ${kMaxBatch} observations`;
      throw argumentError('observations', expected, observations, 'ERR_RANGE');
    }
    return this.#submit(observations, options, 'observations');
  }

  /**
   * Plans and gives every refinement as it comes, coarse to fine; the generator returns the plan. The plan begins with
   * the first `next()`, and leaving the loop early ends it.
   *
   * @throws as {@link Planner.plan}.
   */
  async *refine(
    observation: Observation,
    options: PlanOptions = {},
  ): AsyncGenerator<Refinement, Plan, void> {
    const left = new AbortController();
    const arrived: Refinement[] = [];
    let done = false;
    let wake = () => {};
    const finished = this.#submit(
      [observation],
      options,
      'observation',
      (trajectory, step) => {
        arrived.push({ step, trajectory });
        wake();
      },
      left.signal,
    ).finally(() => {
      done = true;
      wake();
    });
    finished.catch(() => {}); // it is awaited below, unless the caller leaves
    try {
      for (;;) {
        for (let next = arrived.shift(); next; next = arrived.shift()) yield next;
        if (done) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const [plan] = await finished;
      return plan as Plan;
    } finally {
      left.abort();
    }
  }

  /** Memory that the planner holds. */
  memory(): PlannerMemory {
    return native().engineMemory(this.#engine);
  }

  /** Ends the planner: pending plans reject with `ERR_CLOSED`, its thread ends. May be called again. */
  close(): Promise<void> {
    this.#closed ??= native().closeEngine(this.#engine);
    return this.#closed;
  }

  [Symbol.dispose](): void {
    void this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new WamFlowError('ERR_CLOSED', 'the planner was closed');
  }

  /** Packs into the planner's own arrays, which the native call reads before it returns. */
  #pack(
    observations: readonly Observation[],
    options: PlanOptions,
    path: string,
    job: number,
    calledAt: number,
  ): ResultShape {
    this.#packer.clear();
    if (path === 'observation') {
      this.#packer.add(observations[0] as Observation, path);
    } else {
      for (let i = 0; i < observations.length; i++) {
        this.#packer.add(observations[i] as Observation, `${path}[${i}]`);
      }
    }
    const shape = writeRequest(this.#request, options, this.#limits, job, calledAt);
    const bytes = resultBytes({ ...shape, slots: this.#slots }) * observations.length;
    if (bytes > kMaxResultBytes) {
      throw new WamFlowError(
        'ERR_RANGE',
        `${path}: expected results of at most ${kMaxResultBytes} bytes in one call, these would take ${bytes}`,
      );
    }
    return { ...shape, slots: this.#slots };
  }

  async #submit(
    observations: readonly Observation[],
    options: PlanOptions,
    path: string,
    onStep?: (trajectory: Float32Array, step: number) => void,
    left?: AbortSignal,
  ): Promise<Plan[]> {
    const calledAt = performance.now();
    this.#assertOpen();
    const signal = options?.signal;
    signal?.throwIfAborted?.();
    if (observations.length === 0) return [];
    const job = ++this.#jobs;
    const shape = this.#pack(observations, options, path, job, calledAt);
    const { maps, sizes, meta, values, lanes } = this.#packer;
    const pending = native().plan(
      this.#engine,
      maps,
      sizes,
      meta,
      values,
      lanes,
      this.#request,
      onStep,
    );
    const abort = () => native().abortPlan(this.#engine, job);
    signal?.addEventListener('abort', abort, { once: true });
    left?.addEventListener('abort', abort, { once: true });
    try {
      const buffer = await pending;
      if (buffer === undefined) throw signal?.reason;
      const totalUs = (performance.now() - calledAt) * 1000;
      const bytes = resultBytes(shape);
      if (observations.length === 1) return [readResult(buffer, 0, shape, totalUs)];
      // Each with a buffer of its own, so that a plan that is kept does not keep the batch.
      return observations.map((_, i) =>
        readResult(buffer.slice(i * bytes, (i + 1) * bytes), 0, shape, totalUs),
      );
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}
