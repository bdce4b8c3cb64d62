import { chooseDevice, type DeviceOptions, kDeviceKeys } from '../device.js';
import { argumentError, WamFlowError } from '../errors.js';
import type { DecoderConfig, ModelConfig } from '../model/config.js';
import type { CutOptions, NativeDevice } from '../native-types.js';
import type { TrainData } from './data.js';
import {
  type AlignParameters,
  alignRecipe,
  checkAlignParameters,
  checkDistillParameters,
  type DistillParameters,
  distillRecipe,
} from './align-recipe.js';
import { kTrainStages, type TrainStage } from './events.js';
import {
  checkSftParameters,
  checkTokenizerParameters,
  mergeOverrides,
  type ModelOverrides,
  miniRecipe,
  type SftParameters,
  type TokenizerParameters,
} from './recipe.js';

/** Options of all stages. The device is the CPU unless another one is named. */
export interface CommonTrainOptions extends DeviceOptions {
  /**
   * What is trained. `mini` (the default): the architecture of the bundled model, from random weights. An object: the
   * same with these fields of config.json replaced. A path: the model in that folder, its weights as a start.
   */
  model?: 'mini' | (string & {}) | ModelOverrides;
  /** Folder for config.json, model.safetensors, optimizer.safetensors, trainer_state.json and the log. */
  output: string;
  /** Threads of the CPU; their number does not change the result. Default: those of the machine, as far as useful. */
  threads?: number;
  /** Updates between checkpoints. Default 500; stage `align` 50. The first (before any update) and the last are always written. */
  checkpointEvery?: number;
  /** Updates between `step` events. Default 10. */
  logEvery?: number;
  /**
   * Write the figures of the log to a file that TensorBoard reads, too: `events.out.tfevents.*` in `output`. Default
   * true.
   */
  tensorboard?: boolean;
  /**
   * Go on with the run in `output`, to the same bits as if it had never been stopped. Parameters that are given must be
   * those of the run; the others are taken from it. Default false.
   */
  resume?: boolean;
  /** Replace a model that is in `output`. Default false: refused. */
  overwrite?: boolean;
  /** Ends the run after its present update: a checkpoint is written and `done` says `stopped`. */
  signal?: AbortSignal;
}

/** Options of stage `sft`. */
export interface SftOptions extends CommonTrainOptions, Partial<SftParameters> {
  stage: 'sft';
  data: TrainData;
  /**
   * Decoder to train. Weights of a model folder fit another decoder where both give posteriors over tokens: this turns
   * an `autoregressive` model into a `flow` model, which trains on from there. Default: the model's own, `flow` for `mini`.
   */
  decoder?: DecoderConfig['kind'];
  /** More scenarios, of which the listed windows alone are used whatever `cut` says: generated ones, mostly. */
  listed?: TrainData;
  /** Splits of the data that are trained on. Default `['train']`. */
  splits?: readonly string[];
  /**
   * How windows are cut from every track beside the listed ones; false for the listed ones alone. Fields that are left
   * out are those of {@link miniRecipe}.
   */
  cut?: Partial<CutOptions> | false;
  /** Folder of a table from stage `tokenizer`, for configurations that use one. */
  tokenizer?: string;
  /** Updates between trials of the weights on `evalSplit`; 0, the default, for none. */
  evalEvery?: number;
  /** Split that trials use, never trained on. Default `val`. */
  evalSplit?: string;
}

/** Options of stage `tokenizer`. It needs no data: its triplets are drawn from the vocabulary. */
export interface TokenizerOptions extends CommonTrainOptions, Partial<TokenizerParameters> {
  stage: 'tokenizer';
}

/**
 * Options of stage `distill`. `model`: the teacher, whose weights are the student's start; `mini` is the bundled model.
 * Windows as in stage `sft`.
 */
export interface DistillOptions
  extends CommonTrainOptions,
    Partial<DistillParameters>,
    Omit<SftOptions, 'stage' | 'tokenizer' | keyof DistillParameters> {
  stage: 'distill';
}

/**
 * Options of stage `align`. `model`: the weights to start from, to which the policy stays near; `mini` is the bundled
 * model. Listed windows alone are used.
 */
export interface AlignOptions
  extends CommonTrainOptions,
    Partial<Omit<AlignParameters, 'weights'>>,
    Pick<SftOptions, 'data' | 'listed' | 'splits' | 'evalEvery' | 'evalSplit'> {
  stage: 'align';
  /** Those that are left out are the default. */
  weights?: Partial<AlignParameters['weights']>;
}

/** Options of {@link train}. */
export type TrainOptions = SftOptions | TokenizerOptions | DistillOptions | AlignOptions;

const kCommonKeys = [
  'stage',
  'model',
  'output',
  'threads',
  'checkpointEvery',
  'logEvery',
  'tensorboard',
  'resume',
  'overwrite',
  'signal',
  ...kDeviceKeys,
] as const satisfies readonly (keyof CommonTrainOptions | 'stage')[];

const kSftKeys = [
  'data',
  'decoder',
  'listed',
  'splits',
  'cut',
  'tokenizer',
  'evalEvery',
  'evalSplit',
] as const satisfies readonly (keyof SftOptions)[];

const kStageKeys: Readonly<Record<TrainStage, readonly string[]>> = {
  tokenizer: [],
  sft: kSftKeys,
  distill: kSftKeys.filter((key) => key !== 'tokenizer'),
  align: kSftKeys.filter((key) => key !== 'tokenizer' && key !== 'cut'),
};

function stageRecipe(stage: TrainStage): object {
  if (stage === 'align') return alignRecipe();
  return stage === 'distill' ? distillRecipe() : miniRecipe()[stage];
}

/** How a run proceeds; nothing here changes its result (another device its last bits). */
export interface RunSettings {
  device: NativeDevice;
  threads: number | undefined;
  checkpointEvery: number;
  logEvery: number;
  evalEvery: number;
  tensorboard: boolean;
  signal: AbortSignal | undefined;
}

/**
 * Checks what concerns how a run proceeds, and that no option is misspelled.
 *
 * @throws WamFlowError `ERR_ARGUMENT`
 */
export function checkRunOptions(options: TrainOptions): RunSettings {
  if (typeof options !== 'object' || options === null) {
    throw argumentError('options', 'an object', options);
  }
  const { stage, output, signal } = options;
  if (!kTrainStages.includes(stage)) {
    throw argumentError('stage', `one of ${kTrainStages.join(', ')}`, stage);
  }
  const known: readonly string[] = [
    ...kCommonKeys,
    ...kStageKeys[stage],
    ...Object.keys(stageRecipe(stage)),
  ];
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new WamFlowError(
      'ERR_ARGUMENT',
      `options: unknown for stage ${stage}: ${unknown.join(', ')}; known are ${known.join(', ')}`,
    );
  }
  if (typeof output !== 'string' || output === '') {
    throw argumentError('output', 'the path of a folder', output);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw argumentError('signal', 'an AbortSignal', signal);
  }
  const { tensorboard = true } = options;
  if (typeof tensorboard !== 'boolean') {
    throw argumentError('tensorboard', 'a boolean', tensorboard);
  }
  const evalEvery = stage === 'tokenizer' ? undefined : options.evalEvery;
  const everyDefault = stage === 'align' ? 50 : 500;
  return {
    device: trainingDevice(options),
    threads: options.threads === undefined ? undefined : count('threads', options.threads, 1, 1024),
    checkpointEvery: count('checkpointEvery', options.checkpointEvery ?? everyDefault, 1, 1e9),
    logEvery: count('logEvery', options.logEvery ?? 10, 1, 1e6),
    evalEvery: count('evalEvery', evalEvery ?? 0, 0, 1e9),
    tensorboard,
    signal,
  };
}

/** Narrow weights of the CPU are for planning. */
function trainingDevice(options: DeviceOptions): ReturnType<typeof chooseDevice> {
  const device = chooseDevice(options, 'cpu');
  if (device.device === 'cpu' && device.precision !== 'fp32') {
    throw argumentError('options.precision', 'fp32 for training on the cpu', device.precision);
  }
  return device;
}

/** The parameters that `options` names, over `saved` (those of the run that goes on) or the recipe's. */
export function sftParameters(options: SftOptions, saved: unknown): SftParameters {
  const recipe = miniRecipe().sft;
  return checkSftParameters({ ...recipe, ...(saved as object), ...given(options, recipe) });
}

/**
 * The same for a decoder: the copies of an observation's action rows differ by their noise, and where there is none one
 * copy is all that counts.
 */
export function decoderParameters(
  train: SftParameters,
  options: SftOptions,
  saved: unknown,
  { decoder }: ModelConfig,
): SftParameters {
  const noisy = decoder.kind === 'flow' || decoder.kind === 'diffusion';
  if (noisy || saved !== undefined) return train;
  if (options.copies !== undefined && options.copies !== 1) {
    throw argumentError(
      'copies',
      `1 for the decoder ${decoder.kind}`,
      options.copies,
      'ERR_CONFIG',
    );
  }
  return { ...train, copies: 1 };
}

/** {@link sftParameters} for stage `tokenizer`. */
export function tokenizerParameters(
  options: TokenizerOptions,
  saved: unknown,
): TokenizerParameters {
  const recipe = miniRecipe().tokenizer;
  return checkTokenizerParameters({ ...recipe, ...(saved as object), ...given(options, recipe) });
}

/** {@link sftParameters} for stage `distill`. */
export function distillParameters(options: DistillOptions, saved: unknown): DistillParameters {
  const recipe = distillRecipe();
  return checkDistillParameters({ ...recipe, ...(saved as object), ...given(options, recipe) });
}

/** {@link sftParameters} for stage `align`. */
export function alignParameters(options: AlignOptions, saved: unknown): AlignParameters {
  const recipe = alignRecipe();
  const before = { ...recipe, ...(saved as object) };
  return checkAlignParameters(mergeOverrides(before, given(options, recipe)));
}

/** Splits by name, `['train']` by default. */
export function checkSplits(splits: readonly string[] | undefined): readonly string[] {
  if (splits === undefined) return ['train'];
  if (Array.isArray(splits) && splits.length > 0 && splits.every((s) => typeof s === 'string')) {
    return splits;
  }
  throw argumentError('splits', 'a list of names', splits);
}

function given(options: object, recipe: object): object {
  return Object.fromEntries(
    Object.entries(options).filter(
      ([key, value]) => value !== undefined && Object.hasOwn(recipe, key),
    ),
  );
}

function count(name: string, value: unknown, low: number, high: number): number {
  if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) {
    return value as number;
  }
  throw argumentError(name, `an integer from ${low} to ${high}`, value);
}
