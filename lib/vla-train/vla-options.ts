import type { ConversationSource } from '../conversation/options.js';
import { chooseDevice, type DeviceOptions, kDeviceKeys } from '../device.js';
import { argumentError, WamFlowError } from '../errors.js';
import { mergeOverrides } from '../train/recipe.js';
import type { RunSettings } from '../train/options.js';
import type { ConversationTemplate } from '../tokens/conversation-template.js';
import { integer } from '../vla/vla-options.js';
import { nativeSchedule, type VlaPathSchedule } from '../vla/vla-requests.js';
import {
  kLoraTargets,
  kVlaStages,
  type VlaStage,
  type VlaTrainParameters,
  vlaRecipe,
} from './vla-recipe.js';

/** Options of {@link trainVla}. What is left out of the parameters is as {@link vlaRecipe} has it. */
export interface VlaTrainOptions
  extends DeviceOptions,
    Partial<Omit<VlaTrainParameters, 'triplet' | 'trainable' | 'lora' | 'path'>> {
  stage: VlaStage;
  /** Janus directory to start from. Not needed with `resume`. */
  model?: string;
  /** Folder of the model, its training state and the log. */
  output: string;
  /** Files of conversations, mixed by weight. */
  data: readonly ConversationSource[];
  trainable?: string | readonly string[];
  /** Adapters. Default none; `alpha` twice the rank, `targets` all matrices of the language model's layers. */
  lora?: { rank: number; alpha?: number; targets?: string | readonly string[] } | null;
  /** How x_t comes from its target: the published schedule or kernels that narrow. */
  path?: VlaPathSchedule;
  /** Fields that are left out have their defaults; false: no triplets. */
  triplet?: Partial<VlaTrainParameters['triplet']> | false;
  /** How conversations become text. Default as the model says, or the released layout. */
  template?: Readonly<ConversationTemplate>;
  /** System text of conversations that bring none. */
  system?: string;
  /** Wording of a plan's question, kept beside the weights for whoever plans with them. Default as the model says. */
  wording?: { user: string; system?: string };
  /** Threads of the CPU; their number does not change the result. Default those of the machine. */
  threads?: number;
  /** Keep only the rows between layers and compute the rest again on the way back. Default false. */
  recompute?: boolean;
  /** Letterboxed pictures that are kept in memory, bytes. Default 1.5 GiB. */
  cacheBytes?: number;
  /** Updates between checkpoints. Default 500; the first, before any update, and the last are always written. */
  checkpointEvery?: number;
  /** Updates between `step` events. Default 10. */
  logEvery?: number;
  /** Write the figures of the log for TensorBoard too. Default true. */
  tensorboard?: boolean;
  /** Go on with the run in `output`, to the same bits as if it had never been stopped. Default false. */
  resume?: boolean;
  /** Replace a model that is in `output`. Default false: refused. */
  overwrite?: boolean;
  /** Ends the run after its present update: a checkpoint is written and `done` says `stopped`. */
  signal?: AbortSignal;
}

const kRunKeys = [
  'stage',
  'model',
  'output',
  'data',
  'template',
  'system',
  'wording',
  'threads',
  'recompute',
  'cacheBytes',
  'checkpointEvery',
  'logEvery',
  'tensorboard',
  'resume',
  'overwrite',
  'signal',
  ...kDeviceKeys,
] as const satisfies readonly (keyof VlaTrainOptions)[];

/**
 * Checks what concerns how a run proceeds, and that no option is misspelled.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`
 */
export function checkVlaRunOptions(options: VlaTrainOptions): RunSettings {
  if (typeof options !== 'object' || options === null) {
    throw argumentError('options', 'an object', options);
  }
  const { stage } = options;
  if (!kVlaStages.includes(stage)) {
    throw argumentError('stage', `one of ${kVlaStages.join(', ')}`, stage);
  }
  const known: readonly string[] = [...kRunKeys, ...Object.keys(vlaRecipe(stage))];
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new WamFlowError(
      'ERR_ARGUMENT',
      `options: unknown for stage ${stage}: ${unknown.join(', ')}; known are ${known.join(', ')}`,
    );
  }
  return vlaRunSettings(options, 500);
}

/** How a run proceeds, checked. */
export function vlaRunSettings(
  options: DeviceOptions &
    Pick<
      VlaTrainOptions,
      | 'model'
      | 'output'
      | 'signal'
      | 'resume'
      | 'overwrite'
      | 'recompute'
      | 'tensorboard'
      | 'threads'
      | 'checkpointEvery'
      | 'logEvery'
    >,
  checkpointEvery: number,
): RunSettings {
  const { output, model, signal, resume = false, tensorboard = true } = options;
  if (typeof output !== 'string' || output === '') {
    throw argumentError('output', 'the path of a folder', output);
  }
  if (!resume && (typeof model !== 'string' || model === '')) {
    throw argumentError('model', 'the path of a Janus directory', model);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw argumentError('signal', 'an AbortSignal', signal);
  }
  for (const name of ['resume', 'overwrite', 'recompute', 'tensorboard'] as const) {
    const value = options[name];
    if (value !== undefined && typeof value !== 'boolean')
      throw argumentError(name, 'a boolean', value);
  }
  const device = chooseDevice(options, 'cpu');
  if (device.precision !== 'fp32') {
    throw argumentError('options.precision', "'fp32': training is in float", device.precision);
  }
  return {
    device,
    threads:
      options.threads === undefined ? undefined : integer('threads', options.threads, 1, 256),
    checkpointEvery: integer('checkpointEvery', options.checkpointEvery ?? checkpointEvery, 1, 1e9),
    logEvery: integer('logEvery', options.logEvery ?? 10, 1, 1e6),
    evalEvery: 0,
    tensorboard,
    signal,
  };
}

/** The parameters that `options` name, over those of the run that goes on, or over the stage's defaults. */
export function vlaParameters(options: VlaTrainOptions, base: object): Record<string, unknown> {
  const { trainable, triplet, lora, path } = options;
  const names = Object.keys(vlaRecipe(options.stage));
  const given = Object.fromEntries(
    Object.entries(options).filter(([name, value]) => names.includes(name) && value !== undefined),
  );
  return mergeOverrides(base, {
    ...given,
    ...(path === undefined ? {} : { path: nativeSchedule(path) }),
    ...(trainable === undefined ? {} : { trainable: listOf(trainable) }),
    ...(lora ? { lora: adapters(lora), trainable: listOf(trainable ?? []) } : {}),
    ...(triplet === false ? { triplet: { weight: 0 } } : {}),
  });
}

function adapters(lora: NonNullable<VlaTrainOptions['lora']>): unknown {
  const { rank, alpha = 2 * rank, targets = kLoraTargets, ...unknown } = lora;
  return { rank, alpha, targets: listOf(targets), ...unknown };
}

function listOf(names: string | readonly string[]): readonly string[] {
  return typeof names === 'string' ? [names] : names;
}
