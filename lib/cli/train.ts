import { type Command, Option } from 'commander';
import { WamFlowError } from '../errors.js';
import type { TrainStage } from '../train/events.js';
import type { TrainOptions } from '../train/options.js';
import { train } from '../train/train.js';
import { isJanusDirectory } from '../vla/is-janus-directory.js';
import { trainVla } from '../vla-train/train-vla.js';
import type { VlaTrainOptions } from '../vla-train/vla-options.js';
import type { VlaStage } from '../vla-train/vla-recipe.js';
import { defineCommand } from './command.js';
import { deviceOf } from './device-flags.js';
import { pick, readRecipe } from './recipe-flags.js';
import { withInterrupt } from './run.js';
import { addTrainingFlags, reportTraining, type TrainingFlags } from './training-flags.js';
import {
  addConversationFlags,
  type ConversationFlags,
  kVlaBrief,
  vlaTrainOptions,
} from './vla-flags.js';

interface TrainCommandOptions extends TrainingFlags, ConversationFlags {
  stage: Exclude<TrainStage, 'align'> | Exclude<VlaStage, 'adapt'>;
  data?: string[];
  conversations?: string[];
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
        'sft: a planner; distill: few steps from many; tokenizer: a numeric table by triplet margin; ' +
          'causal, embed, pretrain and sft of a vision-language model, which --model names',
      )
        .choices(['sft', 'distill', 'tokenizer', 'causal', 'embed', 'pretrain'])
        .default('sft'),
    )
    .option('--data <path...>', 'folders or files of scenarios (sft)')
    .option(
      '--conversations <file...>',
      'files of conversations, path or path=weight (vision-language models)',
    )
    .option('--listed <path...>', 'more scenarios; of these the listed windows alone (sft)')
    .option('--split <name...>', 'splits to train on (default: train)')
    .option('--no-cut', 'train on the listed windows alone, cut none from the tracks')
    .option(
      '--model <name>',
      'mini (from random weights), or a model folder or Janus directory to start from',
    )
    .addOption(
      new Option(
        '--decoder <kind>',
        'how tokens become a plan; with a model folder: its weights as a start for another decoder of tokens',
      ).choices(['flow', 'autoregressive', 'diffusion', 'regression']),
    )
    .option('--tokenizer <dir>', 'table of stage tokenizer, for configurations that use one')
    .option('--config <file>', 'recipe: JSON with any of "model", "train", "cut"');
  return addTrainingFlags(addConversationFlags(command), {
    set: 'model.hidden_size=128, train.copies=4',
    batch: 'windows (or triplets, conversations) an update',
    maxBatch: 2 ** 20,
    checkpointEvery: 500,
  }).action((options: TrainCommandOptions) =>
    withInterrupt(async (signal) => {
      const stage = await vlaStageOf(options);
      const events = stage
        ? trainVla(vlaOptions(stage, options, signal))
        : train(trainOptions(options, signal));
      const brief = stage ? kVlaBrief : ['loss', 'orderViolations', 'windowsPerSecond'];
      await reportTraining(events, options, signal, { label: 'train', brief });
    }),
  );
}

/** The stage, when it is one of a vision-language model: by its name, or by the model that is trained. */
async function vlaStageOf({
  stage,
  model,
  output,
  resume,
  conversations,
}: TrainCommandOptions): Promise<VlaStage | undefined> {
  if (stage === 'causal' || stage === 'embed' || stage === 'pretrain') return stage;
  const folder = resume ? output : model;
  if (stage !== 'sft') return undefined;
  const isVla = folder !== undefined && (await isJanusDirectory(folder));
  if (isVla) return stage;
  if (conversations === undefined) return undefined;
  throw usage('--conversations: --model names no Janus directory');
}

function vlaOptions(
  stage: VlaStage,
  options: TrainCommandOptions,
  signal: AbortSignal,
): VlaTrainOptions {
  const needless = ['data', 'listed', 'tokenizer', 'decoder'].filter(
    (key) => options[key as keyof TrainCommandOptions] !== undefined,
  );
  if (!options.cut) needless.push('no-cut');
  if (needless.length > 0) {
    throw usage(`stage ${stage} of a vision-language model takes no --${needless.join(', --')}`);
  }
  return vlaTrainOptions(stage, options.conversations, options, signal, '--conversations');
}

/** The options of {@link train} that a command line means. */
function trainOptions(options: TrainCommandOptions, signal: AbortSignal): TrainOptions {
  const recipe = readRecipe(options.config, options.set ?? [], ['model', 'train', 'cut']);
  if (recipe.model && options.model !== undefined && options.model !== 'mini') {
    throw usage('--model: a model folder has its configuration; leave model.* out of the recipe');
  }
  const { stage, output, steps, batch, lr, seed } = options;
  for (const name of ['conversations', 'kinds', 'trainable'] as const) {
    if (options[name] !== undefined) throw usage(`--${name} is for vision-language models`);
  }
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
