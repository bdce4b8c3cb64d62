import { type Command, Option } from 'commander';
import { WamFlowError } from '../errors.js';
import type { TrainStage } from '../train/events.js';
import type { TrainOptions } from '../train/options.js';
import { train } from '../train/train.js';
import { defineCommand } from './command.js';
import { deviceOf } from './device-flags.js';
import { pick, readRecipe } from './recipe-flags.js';
import { withInterrupt } from './run.js';
import { addTrainingFlags, reportTraining, type TrainingFlags } from './training-flags.js';

interface TrainCommandOptions extends TrainingFlags {
  stage: Exclude<TrainStage, 'align'>;
  data?: string[];
  cut: boolean;
  model?: string;
  tokenizer?: string;
  decoder?: 'flow' | 'autoregressive' | 'diffusion' | 'regression';
}

/** `wam-flow train`: makes a model from recorded traffic, or the table of a numeric tokenizer. */
export function trainCommand(): Command {
  const command = defineCommand(
    'train',
    'train a model; Ctrl-C writes a checkpoint and stops, --resume goes on to the same bits',
    'wam-flow train --data ../shared/driving-data --output runs/mini --steps 4000',
  )
    .addOption(
      new Option(
        '--stage <name>',
        'sft: a planner; distill: few steps from many; tokenizer: a numeric table by triplet margin',
      )
        .choices(['sft', 'distill', 'tokenizer'])
        .default('sft'),
    )
    .option('--data <path...>', 'folders or files of scenarios (sft)')
    .option('--listed <path...>', 'more scenarios; of these the listed windows alone (sft)')
    .option('--split <name...>', 'splits to train on (default: train)')
    .option('--no-cut', 'train on the listed windows alone, cut none from the tracks')
    .option('--model <name>', 'mini (from random weights) or a model folder to start from')
    .addOption(
      new Option(
        '--decoder <kind>',
        'how tokens become a plan; with a model folder: its weights as a start for another decoder of tokens',
      ).choices(['flow', 'autoregressive', 'diffusion', 'regression']),
    )
    .option('--tokenizer <dir>', 'table of stage tokenizer, for configurations that use one')
    .option('--config <file>', 'recipe: JSON with any of "model", "train", "cut"');
  return addTrainingFlags(command, {
    set: 'model.hidden_size=128, train.copies=4',
    batch: 'windows (or triplets) an update',
    maxBatch: 2 ** 20,
    checkpointEvery: 500,
  }).action((options: TrainCommandOptions) =>
    withInterrupt((signal) =>
      reportTraining(train(trainOptions(options, signal)), options, signal, {
        label: 'train',
        brief: ['loss', 'orderViolations', 'windowsPerSecond'],
      }),
    ),
  );
}

/** The options of {@link train} that a command line means. */
function trainOptions(options: TrainCommandOptions, signal: AbortSignal): TrainOptions {
  const recipe = readRecipe(options.config, options.set ?? [], ['model', 'train', 'cut']);
  if (recipe.model && options.model !== undefined && options.model !== 'mini') {
    throw usage('--model: a model folder has its configuration; leave model.* out of the recipe');
  }
  const { stage, output, steps, batch, lr, seed } = options;
  const given = Object.fromEntries(
    Object.entries({ steps, batch, lr, seed }).filter(([, value]) => value !== undefined),
  );
  const common = {
    ...recipe.train,
    ...given,
    ...(recipe.model ? { model: recipe.model } : pick(options, ['model'])),
    ...deviceOf(options),
    ...pick(options, ['threads', 'checkpointEvery', 'logEvery', 'resume', 'overwrite']),
    ...(options.tensorboard ? {} : { tensorboard: false }),
    output,
    signal,
  };
  if (stage === 'tokenizer') {
    const needless = ['data', 'listed', 'split', 'tokenizer', 'evalEvery', 'decoder'].filter(
      (key) => options[key as keyof TrainCommandOptions] !== undefined,
    );
    if (needless.length > 0) throw usage(`--stage tokenizer takes no ${needless.join(', ')}`);
    return { ...common, stage };
  }
  if (!options.data)
    throw usage(`--data: a folder or file of scenarios is needed for --stage ${stage}`);
  const windows = {
    data: options.data,
    ...(options.listed ? { listed: options.listed } : {}),
    ...(options.split ? { splits: options.split } : {}),
    ...(options.cut ? (recipe.cut ? { cut: recipe.cut } : {}) : { cut: false as const }),
    ...pick(options, ['evalEvery']),
  };
  if (stage === 'distill') {
    if (recipe.model || options.tokenizer) {
      throw usage('--stage distill takes its configuration from --model, a model folder');
    }
    return { ...common, ...windows, stage };
  }
  return { ...common, ...windows, stage: 'sft', ...pick(options, ['tokenizer', 'decoder']) };
}

function usage(message: string): WamFlowError {
  return new WamFlowError('ERR_USAGE', message);
}
