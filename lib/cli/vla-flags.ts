// What command lines say of a stage of a vision-language model.

import type { Command } from 'commander';
import type { ConversationSource } from '../conversation/options.js';
import { WamFlowError } from '../errors.js';
import type { VlaTrainOptions } from '../vla-train/vla-options.js';
import type { VlaStage } from '../vla-train/vla-recipe.js';
import { deviceOf } from './device-flags.js';
import { pick, readRecipe } from './recipe-flags.js';
import type { TrainingFlags } from './training-flags.js';

/** What the options of {@link addConversationFlags} parse to. */
export interface ConversationFlags {
  kinds?: string;
  trainable?: string[];
}

/** Figures that the table of such a run shows as plain lines. */
export const kVlaBrief = ['loss', 'tripletLoss', 'conversationsPerSecond'];

/** `--kinds` and `--trainable`. */
export function addConversationFlags(command: Command): Command {
  return command
    .option('--kinds <list>', 'kinds of conversations to use, comma separated (default: all)')
    .option(
      '--trainable <names...>',
      "embed, language, aligner, vision, all, or tensors' names with * (default: the stage's)",
    );
}

/** `path` or `path=weight`. */
export function conversationSources(
  texts: readonly string[],
  { kinds, split }: ConversationFlags & { split?: string[] },
): ConversationSource[] {
  return texts.map((text) => {
    const [, path = text, weight] = /^(.+)=([\d.eE+-]+)$/s.exec(text) ?? [];
    if (weight !== undefined && !(Number(weight) >= 0)) {
      throw new WamFlowError(
        'ERR_USAGE',
        `${text}: expected path=weight with a weight of 0 or more`,
      );
    }
    return {
      path,
      ...(weight === undefined ? {} : { weight: Number(weight) }),
      ...(kinds === undefined ? {} : { kinds: kinds.split(',').map((kind) => kind.trim()) }),
      ...(split === undefined ? {} : { splits: split }),
    };
  });
}

/** The options of `trainVla` that a command line means. */
export function vlaTrainOptions(
  stage: VlaStage,
  files: readonly string[] | undefined,
  options: TrainingFlags & ConversationFlags & { model?: string },
  signal: AbortSignal,
  name: string,
): VlaTrainOptions {
  if (options.evalEvery !== undefined) throw usage(`stage ${stage} takes no --eval-every`);
  if (!files) throw usage(`${name}: a file of conversations is needed for stage ${stage}`);
  if (options.model === undefined && !options.resume) {
    throw usage(`--model: a Janus directory is needed for stage ${stage}`);
  }
  const recipe = readRecipe(options.config, options.set ?? [], ['train']);
  return {
    ...recipe.train,
    stage,
    data: conversationSources(files, options),
    output: options.output,
    ...pick(options, ['model', 'trainable', 'steps', 'batch', 'lr', 'seed', 'threads']),
    ...pick(options, ['checkpointEvery', 'logEvery', 'resume', 'overwrite']),
    ...(options.tensorboard ? {} : { tensorboard: false }),
    ...deviceOf(options),
    signal,
  };
}

function usage(message: string): WamFlowError {
  return new WamFlowError('ERR_USAGE', message);
}
