import type { Command } from 'commander';
import { trainVla } from '../vla-train/train-vla.js';
import { defineCommand } from './command.js';
import { withInterrupt } from './run.js';
import { addTrainingFlags, reportTraining, type TrainingFlags } from './training-flags.js';
import {
  addConversationFlags,
  type ConversationFlags,
  kVlaBrief,
  vlaTrainOptions,
} from './vla-flags.js';

interface AdaptFlags extends TrainingFlags, ConversationFlags {
  model?: string;
  data: string[];
}

/** `wam-flow adapt`: a causal vision-language model becomes one of flow. */
export function adaptCommand(): Command {
  const command = defineCommand(
    'adapt',
    'turn a causal vision-language model into one that refines whole answers; Ctrl-C writes a checkpoint and stops',
    'wam-flow adapt --model runs/vla-causal --data data/pictures/questions.jsonl --output runs/vla-flow',
  )
    .option('--model <dir>', 'Janus directory to start from (not needed with --resume)')
    .requiredOption('--data <file...>', 'files of conversations, path or path=weight')
    .option('--split <name...>', 'splits to train on (default: all)')
    .option('--config <file>', 'parameters: JSON with "train"');
  return addTrainingFlags(addConversationFlags(command), {
    set: 'train.mask=full, train.copies=1',
    batch: 'conversations an update',
    maxBatch: 4096,
    checkpointEvery: 500,
  }).action((options: AdaptFlags) =>
    withInterrupt((signal) =>
      reportTraining(
        trainVla(vlaTrainOptions('adapt', options.data, options, signal, '--data')),
        options,
        signal,
        { label: 'adapt', brief: kVlaBrief },
      ),
    ),
  );
}
