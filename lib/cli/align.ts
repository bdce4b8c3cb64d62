import { type Command, Option } from 'commander';
import { WamFlowError } from '../errors.js';
import type { AlignOptions } from '../train/options.js';
import { train } from '../train/train.js';
import { defineCommand, integerListOption, integerOption } from './command.js';
import { deviceOf } from './device-flags.js';
import { pick, readRecipe } from './recipe-flags.js';
import { alignVla, type AlignVlaOptions } from '../vla-train/align-vla.js';
import { withInterrupt } from './run.js';
import { isJanusDirectory } from '../vla/is-janus-directory.js';
import { addTrainingFlags, reportTraining, type TrainingFlags } from './training-flags.js';

interface AlignCommandOptions extends TrainingFlags {
  model: string;
  data: string[];
  group?: number;
  rolloutSteps?: number[];
  scenes?: number;
  version?: 'v1' | 'v2';
}

// What a plan of the group gets, what it is held to, and where the time goes.
const kColumns = [
  ...[
    'reward',
    'best',
    'spread',
    'nc',
    'dac',
    'ttc',
    'ep',
    'c',
    'ade',
    'diversity',
    'kl',
    'clipped',
  ],
  ...['gradNorm', 'lr', 'seconds/rollout', 'seconds/judge', 'seconds/update'],
];

const kVisionColumns = ['reward', 'best', 'spread', 'uneven', 'diversity', 'kl', 'gradNorm', 'lr'];

/** `wam-flow align`: makes a trained model better at what the PDM score rewards. */
export function alignCommand(): Command {
  const command = defineCommand(
    'align',
    'align a model with the PDM score by GRPO; Ctrl-C writes a checkpoint and stops, --resume goes on to the same bits',
    'wam-flow align --model mini --data ../shared/driving-data --output runs/aligned',
  )
    .requiredOption(
      '--data <path...>',
      'folders or files of scenarios; their listed windows are used',
    )
    .option(
      '--model <name>',
      'weights to start from and to stay near to: mini, a folder, a Janus directory',
      'mini',
    )
    .option('--listed <path...>', 'more scenarios')
    .option('--split <name...>', 'splits to use (default: train)')
    .option('--config <file>', 'parameters: JSON with "train"')
    .option('--group <N>', 'plans a scene', integerOption(1, 64))
    .option(
      '--rollout-steps <list>',
      'refinement steps of the plans: 5, or 1,5 in turns',
      integerListOption(1, 64),
    )
    .option('--scenes <N>', 'scenes that are drawn from the windows', integerOption(1, 1e6))
    .addOption(
      new Option('--version <name>', 'rules of the reward: v1 (PDMS) or v2').choices(['v1', 'v2']),
    );
  return addTrainingFlags(command, {
    set: 'train.klBeta=0.05, train.weights.comfort=4',
    batch: 'scenes an update',
    maxBatch: 4096,
    checkpointEvery: 50,
  }).action((options: AlignCommandOptions) =>
    withInterrupt(async (signal) => {
      const folder = options.resume ? options.output : options.model;
      const isVla = await isJanusDirectory(folder);
      const events = isVla
        ? alignVla(visionOptions(options, signal))
        : train(alignOptions(options, signal));
      const columns = isVla ? kVisionColumns : kColumns;
      const brief = ['reward', 'best', 'kl'];
      await reportTraining(events, options, signal, { label: 'align', columns, brief });
    }),
  );
}

/** The options of {@link train} that a command line means. */
function alignOptions(options: AlignCommandOptions, signal: AbortSignal): AlignOptions {
  const recipe = readRecipe(options.config, options.set ?? [], ['train']);
  return {
    ...recipe.train,
    stage: 'align',
    ...pick(options, ['data', 'output', 'listed', 'evalEvery', 'threads', 'resume', 'overwrite']),
    ...pick(options, ['checkpointEvery', 'logEvery']),
    ...pick(options, [
      'steps',
      'batch',
      'group',
      'rolloutSteps',
      'scenes',
      'version',
      'lr',
      'seed',
    ]),
    ...(options.tensorboard ? {} : { tensorboard: false }),
    ...(options.split ? { splits: options.split } : {}),
    model: options.model,
    ...deviceOf(options),
    signal,
  } as AlignOptions;
}

/** The options of {@link alignVla} that a command line means. */
function visionOptions(options: AlignCommandOptions, signal: AbortSignal): AlignVlaOptions {
  const recipe = readRecipe(options.config, options.set ?? [], ['train']);
  const { data, split, listed, evalEvery, version } = options;
  if (data.length > 1 || listed || evalEvery !== undefined || version !== undefined) {
    throw new WamFlowError(
      'ERR_USAGE',
      'a vision-language model is aligned on one folder of --data, without --listed, --eval-every and --version',
    );
  }
  return {
    ...recipe.train,
    ...pick(options, ['threads', 'resume', 'overwrite', 'checkpointEvery', 'logEvery']),
    ...pick(options, ['steps', 'batch', 'group', 'rolloutSteps', 'scenes', 'lr', 'seed']),
    ...(options.tensorboard ? {} : { tensorboard: false }),
    ...(split ? { splits: split } : {}),
    ...(options.resume ? {} : { model: options.model }),
    ...deviceOf(options),
    output: options.output,
    data: data[0]!,
    signal,
  };
}
