/**
 * The shape of the native addon and the codes of its packed forms. Handles are opaque: a wrong one is refused with `ERR_ARGUMENT`. Every
 * function may throw (or reject with) a `WamFlowError`. Unless a field says otherwise: metres, radians, seconds, m/s.
 */

declare const kKind: unique symbol;
interface Handle<Kind extends string> {
  readonly [kKind]: Kind;
}
/** A packed road map, immutable. Freed with its handle. */
export type NativeMap = Handle<'map'>;
/** Immutable weights and their configuration. */
export type NativeModel = Handle<'model'>;
/** A thread with a planner's memory, see {@link Addon.createEngine}. */
export type NativeEngine = Handle<'engine'>;
/** Recordings and the windows cut from them. */
export type NativeDataset = Handle<'dataset'>;
/** A thread with a training run's memory. */
export type NativeTrainer = Handle<'trainer'>;
/** The same for a numeric tokenizer. */
export type NativeTokenizerTrainer = Handle<'tokenizer trainer'>;

/** Command codes of the packed form. */
export const kCommandCode = { left: 0, straight: 1, right: 2, unknown: 3 } as const;
/** Light codes of the packed form. */
export const kLightCode = { none: 0, red: 1, yellow: 2, green: 3, unknown: 4 } as const;

/** Instruction sets of the CPU backend, best last. */
export type Isa = 'portable' | 'avx2' | 'avx512';

export interface CpuInfo {
  /** Those that this machine can run. */
  isas: Isa[];
  best: Isa;
  hardwareThreads: number;
}

/** Live native objects of the whole process, all threads together. For leak tests. */
export interface NativeCounters {
  environments: number;
  /** Threads of engines and trainers that have not ended. */
  threads: number;
  engines: number;
  trainers: number;
  models: number;
  maps: number;
  datasets: number;
  /** Plans and training runs that were submitted and are not settled. */
  jobs: number;
}

export interface NativeLane {
  /** [points, 2], driving direction, at least 2 points. */
  center: Float64Array;
  /** Lane indices. */
  successors: Int32Array;
  predecessors: Int32Array;
  /** Neighbour of the same driving direction, or -1. */
  left: number;
  right: number;
  width: number;
  /** m/s, negative when unknown. */
  speedLimit: number;
  stopLine: boolean;
}

/** The C++ ModelConfig with its field names in camel case; every field must be there. */
export interface NativeModelConfig {
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  mlpHidden: number;
  mlp: 'gelu' | 'swiglu';
  norm: 'layer_norm' | 'rms_norm';
  normEps: number;
  /** 0: no rotary positions. */
  ropeTheta: number;
  mask: 'causal' | 'full' | 'prefix';
  encoderHidden: number;
  maxAgents: number;
  maxLanes: number;
  waypoints: number;
  intervalS: number;
  tokens: 'residual_companded' | 'absolute';
  vocab: number;
  compand: number;
  /** [waypoints * 3]; empty for absolute tokens. */
  slotScale: readonly number[];
  gridMin: number;
  gridStep: number;
  numeric: 'fourier' | 'table' | 'free';
  tableDim: number;
  path: 'metric' | 'mixture';
  metric: 'coordinate' | 'table';
  metricPower: number;
  schedule: {
    kind: 'published' | 'kernel_width';
    a: number;
    c: number;
    initialWidth: number;
    finalWidth: number;
  };
  /** Scheduler of the mixture path; absent: `cond_ot`, kappa(t) = t. */
  mixture?: {
    kind: 'cond_ot' | 'polynomial' | 'cosine' | 'vp' | 'linear_vp';
    exponent: number;
    betaMin: number;
    betaMax: number;
  };
  maskAtZero: boolean;
}

/** A tensor of a checkpoint; data has as many elements as the product of shape. */
export interface NamedTensor {
  name: string;
  shape: number[];
  data: Float32Array;
}

/** A parameter that a model with some configuration has. */
export interface TensorLayout {
  name: string;
  shape: number[];
  /** Weight decay applies. */
  decay: boolean;
  /** False for a fixed buffer. */
  trained: boolean;
}

export interface EngineOptions {
  /** Threads that work on one plan, the engine's own included. */
  threads: number;
  isa: Isa;
  maxSamples: number;
  maxSteps: number;
  /** Plans that may wait; one more is refused with `ERR_RANGE`. */
  queueLimit: number;
}

/** One track of a recording; all arrays of one length, one entry a step from `start` on. */
export interface NativeTrack {
  length: number;
  width: number;
  start: number;
  x: Float64Array;
  y: Float64Array;
  heading: Float64Array;
  vx: Float64Array;
  vy: Float64Array;
}

export interface NativeRecording {
  /** Seconds a step. */
  dt: number;
  tracks: readonly NativeTrack[];
  signals: readonly {
    /** Lane indices. */
    lanes: Int32Array;
    /** [n, 3]: from step, to step (exclusive), {@link kLightCode}. */
    states: Int32Array;
  }[];
}

export interface NativeWindow {
  recording: number;
  ego: number;
  /** Step. */
  present: number;
  /** Valid steps after the present. */
  future: number;
  /** {@link kCommandCode}. */
  command: number;
  /** Lane indices. */
  route: Int32Array;
  /** Relative probability of being drawn in training. */
  weight: number;
}

/** How windows are cut from every track, beside the listed ones. */
export interface CutOptions {
  strideS: number;
  standingStrideS: number;
  minFutureS: number;
  minHistoryS: number;
  weight: number;
  standingWeight: number;
}

/** The C++ TrainConfig; every field must be there. */
export interface NativeTrainConfig {
  /** Updates in the whole schedule. */
  steps: number;
  /** Windows an update. */
  batch: number;
  microBatches: number;
  copies: number;
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  clip: number;
  warmup: number;
  ema: number;
  dropout: number;
  smear: number;
  zeroFraction: number;
  augment: boolean;
  /** Below 2^53. */
  seed: number;
}

/** The C++ TokenizerTrainConfig; every field must be there. */
export interface NativeTokenizerTrainConfig {
  steps: number;
  /** Triplets an update. */
  batch: number;
  lr: number;
  marginPerGap: number;
  margin: number;
  seed: number;
}

/** Updates made since the last report, rows as {@link Addon.trainerRun} returns them. */
export type ProgressListener = (stats: Float64Array) => void;

/** Functions of the addon. `Promise` functions work on a thread of their own, never in libuv's pool. */
export interface Addon {
  /** Sets what native errors are made with. */
  setErrorFactory(make: (code: string, message: string) => Error): void;
  cpuInfo(): CpuInfo;
  counters(): NativeCounters;

  createMap(lanes: readonly NativeLane[]): NativeMap;
  /** Throws `ERR_CONFIG` that names the first bad field. */
  validateConfig(config: NativeModelConfig): void;
  /** What model.safetensors must hold, no more, no less. */
  parameterLayout(config: NativeModelConfig): TensorLayout[];
  /** Copies. Throws `ERR_CHECKPOINT_CORRUPT` naming missing, extra, mis-shaped and non-finite tensors. */
  createModel(config: NativeModelConfig, tensors: readonly NamedTensor[]): NativeModel;

  createEngine(model: NativeModel, options: EngineOptions): Promise<NativeEngine>;
  /**
   * Plans for the packed observations (lib/pack-observation.ts) one after another. `request` is laid out in
   * lib/plan-options.ts, the result in lib/plan-result.ts. Resolves to undefined when aborted.
   */
  plan(
    engine: NativeEngine,
    maps: readonly NativeMap[],
    sizes: Int32Array,
    meta: Int32Array,
    values: Float64Array,
    lanes: Int32Array,
    request: Float64Array,
    onStep?: (refinement: Float32Array, stepsRun: number) => void,
  ): Promise<ArrayBuffer | undefined>;
  /** The same on the calling thread; the result is written to `result`. Waits for a plan that is running. */
  planSync(
    engine: NativeEngine,
    maps: readonly NativeMap[],
    sizes: Int32Array,
    meta: Int32Array,
    values: Float64Array,
    lanes: Int32Array,
    request: Float64Array,
    result: ArrayBuffer,
  ): void;
  /** Drops a queued plan, stops a running one between steps; an unknown or settled job is ignored. */
  abortPlan(engine: NativeEngine, job: number): void;
  /** Bytes that the engine holds: its weights (shared with other engines of the model) and its working memory. */
  engineMemory(engine: NativeEngine): { weights: number; workspace: number };
  /** Rejects pending plans with `ERR_CLOSED`; resolves when the thread has ended. */
  closeEngine(engine: NativeEngine): Promise<void>;

  createDataset(): NativeDataset;
  /** Returns the index of the recording. */
  addRecording(dataset: NativeDataset, map: NativeMap, recording: NativeRecording): number;
  addWindow(dataset: NativeDataset, window: NativeWindow): void;
  /** Returns how many windows were added. */
  cutWindows(dataset: NativeDataset, recording: number, options: CutOptions): number;
  datasetSize(dataset: NativeDataset): number;
  /** What the window holds, the tracked point's future included: poses [8,3] in the ego's present frame. */
  datasetWindow(
    dataset: NativeDataset,
    index: number,
  ): NativeWindow & { poses: Float64Array; valid: boolean[] };
  /** Slot scales [waypoints * 3] for a residual_companded tokenizer. */
  measureSlotScale(dataset: NativeDataset): Float64Array;

  /**
   * The data set takes nothing more until the trainer is closed. `table`: [vocab, tableDim], or empty. `isa`: default
   * the best one.
   */
  createTrainer(
    model: NativeModelConfig,
    train: NativeTrainConfig,
    dataset: NativeDataset,
    threads: number,
    table: Float32Array,
    isa?: Isa,
  ): Promise<NativeTrainer>;
  /**
   * Makes up to `updates` updates; fewer when {@link Addon.trainerStop} is called. Rows [done, 5]: step, loss,
   * gradient norm, learning rate, windows; for a tokenizer [done, 3]: step, loss, order violations.
   */
  trainerRun(
    trainer: NativeTrainer | NativeTokenizerTrainer,
    updates: number,
    onProgress?: ProgressListener,
  ): Promise<Float64Array>;
  /** Ends the run in flight after its present update; ignored when none is. */
  trainerStop(trainer: NativeTrainer | NativeTokenizerTrainer): void;
  /** The following throw `ERR_ARGUMENT` while a run is in flight. */
  trainerSteps(trainer: NativeTrainer | NativeTokenizerTrainer): number;
  /** Averaged weights, what a planner uses; of a tokenizer the tensor `table` [vocab, dim]. */
  trainerTensors(trainer: NativeTrainer | NativeTokenizerTrainer): NamedTensor[];
  /** Everything that a resumed run needs beside its configuration. */
  trainerState(trainer: NativeTrainer | NativeTokenizerTrainer): NamedTensor[];
  trainerRestore(
    trainer: NativeTrainer | NativeTokenizerTrainer,
    tensors: readonly NamedTensor[],
    steps: number,
  ): void;
  /** Stops a run in flight; resolves when the thread has ended. */
  closeTrainer(trainer: NativeTrainer | NativeTokenizerTrainer): Promise<void>;

  /** `coordinate`: ascending token values [vocab]. Works on one thread. */
  createTokenizerTrainer(
    coordinate: Float64Array,
    dim: number,
    config: NativeTokenizerTrainConfig,
    isa?: Isa,
  ): Promise<NativeTokenizerTrainer>;
}
