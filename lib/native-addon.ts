import type { AlignAddon } from './native-align.js';
import type { CheckpointAddon } from './native-checkpoint.js';
import type { CameraAddon } from './native-camera.js';
import type { GeometryAddon } from './native-geometry.js';
import type { SimAddon } from './native-sim.js';
import type {
  CpuInfo,
  CutOptions,
  DeviceInfo,
  EngineOptions,
  NamedTensor,
  NativeCounters,
  NativeDataset,
  NativeDevice,
  NativeEngine,
  NativeLane,
  NativeMap,
  NativeModel,
  NativeModelConfig,
  NativeRecording,
  NativeTokenizerTrainConfig,
  NativeTokenizerTrainer,
  NativeTrainConfig,
  NativeTrainer,
  NativeWindow,
  TensorLayout,
} from './native-types.js';
import type { VisionAddon } from './native-vision.js';
import type { VlaAddon } from './native-vla.js';

/** Updates made since the last report, rows as {@link Addon.trainerRun} returns them. */
export type ProgressListener = (stats: Float64Array) => void;

/**
 * Functions of the addon. Each may throw (or reject with) a `WamFlowError`. Those that return promises work on a thread of
 * their own, never in libuv's pool.
 */
export interface Addon
  extends SimAddon,
    GeometryAddon,
    AlignAddon,
    CheckpointAddon,
    VisionAddon,
    CameraAddon,
    VlaAddon {
  /** Sets what native errors are made with. */
  setErrorFactory(make: (code: string, message: string) => Error): void;
  cpuInfo(): CpuInfo;
  /** Asks the driver anew at every call. */
  deviceInfo(): DeviceInfo;
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
  /** What training is given of a window, packed as a planner's observation (native/scene/observation.h). For tests. */
  datasetObservation(
    dataset: NativeDataset,
    index: number,
  ): { meta: Int32Array; values: Float64Array; lanes: Int32Array };
  /** Slot scales [waypoints * 3] for a residual_companded tokenizer. */
  measureSlotScale(dataset: NativeDataset): Float64Array;

  /**
   * The data set takes nothing more until the trainer is closed. `table`: [vocab, tableDim], or empty. `device`: default
   * the best instruction set of the CPU.
   */
  createTrainer(
    model: NativeModelConfig,
    train: NativeTrainConfig,
    dataset: NativeDataset,
    threads: number,
    table: Float32Array,
    device?: NativeDevice,
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
    device?: NativeDevice,
  ): Promise<NativeTokenizerTrainer>;
}
