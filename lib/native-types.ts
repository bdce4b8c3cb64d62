/**
 * What goes in and out of the native addon, and the codes of its packed forms. Unless a field says otherwise: metres,
 * radians, seconds, m/s. Handles are opaque: a wrong one is refused with `ERR_ARGUMENT`.
 */

declare const kKind: unique symbol;
interface Handle<Kind extends string> {
  readonly [kKind]: Kind;
}
/** A packed road map, immutable. Freed with its handle. */
export type NativeMap = Handle<'map'>;
/** Immutable weights and their configuration. */
export type NativeModel = Handle<'model'>;
/** A thread with a planner's memory. */
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

/** The device of a backend. */
export type NativeDevice =
  | { device: 'cpu'; isa: Isa; precision: 'fp32' | 'bf16' | 'int8' }
  | { device: 'cuda' | 'simt'; gpu: number; precision: 'fp32' | 'bf16' | 'f16' };

/** Devices beside the CPU. */
export interface DeviceInfo {
  cuda: {
    /** Whether this addon holds the CUDA kernels. */
    built: boolean;
    devices: { name: string; computeCapability: string; memoryBytes: number }[];
    /** Why there are none. */
    reason?: string;
  };
  /** Whether this is a test build, which can run the CUDA kernels on the CPU. */
  simt: boolean;
}

/** Live native objects of the whole process, all threads together. For leak tests. */
export interface NativeCounters {
  environments: number;
  /** Threads of engines, trainers and scorers that have not ended. */
  threads: number;
  engines: number;
  trainers: number;
  models: number;
  maps: number;
  datasets: number;
  simMaps: number;
  scorers: number;
  /** Plans, training runs and calls of scorers that were submitted and are not settled. */
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

/** Inverse temperature of the metric path over time; both forms' constants are always there. */
export interface NativePathSchedule {
  kind: 'published' | 'kernel_width';
  a: number;
  c: number;
  initialWidth: number;
  finalWidth: number;
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
  schedule: NativePathSchedule;
  /** Of the refinement steps of a plan. */
  samplingSchedule: NativePathSchedule;
  /** Scheduler of the mixture path; absent: `cond_ot`, kappa(t) = t. */
  mixture?: {
    kind: 'cond_ot' | 'polynomial' | 'cosine' | 'vp' | 'linear_vp';
    exponent: number;
    betaMin: number;
    betaMax: number;
  };
  maskAtZero: boolean;
  mixtureSource: 'uniform' | 'mask';
  decoder: 'flow' | 'autoregressive' | 'diffusion' | 'regression';
  diffusionScale: number;
  diffusionStart: number;
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

export type EngineOptions = NativeDevice & {
  /** Threads that work on one plan on the CPU, the engine's own included; no more than cores are used. */
  threads: number;
  /** Whether they wait for each other by spinning, for a bounded time. */
  spin: boolean;
  maxSamples: number;
  maxSteps: number;
  /** Plans that may wait; one more is refused with `ERR_RANGE`. */
  queueLimit: number;
};

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
  /** [tracks]: 1 where it is a vehicle that windows may be cut from. */
  drivers: Uint8Array;
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
  /** [8, 3]: box-centre poses in the ego's present frame to learn instead of the recorded future; or empty. */
  expert: Float64Array;
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
