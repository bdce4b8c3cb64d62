import { type Command, Option } from 'commander';
import { WamFlowError } from '../errors.js';
import type { StartEvent, TrainEvent, TrainStage } from '../train/events.js';
import type { TrainOptions } from '../train/options.js';
import { train } from '../train/train.js';
import {
  type CommonOptions,
  defineCommand,
  integerOption,
  numberOption,
  print,
} from './command.js';
import { addDeviceFlags, type DeviceFlags, deviceOf } from './device-flags.js';
import { integer } from './progress.js';
import { pick, readRecipe, setOption } from './recipe-flags.js';
import { withInterrupt } from './run.js';
import { RunReporter } from './run-reporter.js';

interface TrainCommandOptions extends CommonOptions, DeviceFlags {
  stage: Exclude<TrainStage, 'align'>;
  data?: string[];
  listed?: string[];
  split?: string[];
  cut: boolean;
  output: string;
  model?: string;
  tokenizer?: string;
  decoder?: 'flow' | 'autoregressive' | 'diffusion' | 'regression';
  config?: string;
  set?: string[];
  steps?: number;
  batch?: number;
  lr?: number;
  seed?: number;
  threads?: number;
  checkpointEvery?: number;
  logEvery?: number;
  evalEvery?: number;
  tensorboard: boolean;
  resume?: boolean;
  overwrite?: boolean;
}

const kMaxSteps = 1e9;

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
    .requiredOption('--output <dir>', 'folder of the model, its training state and the log')
    .option('--model <name>', 'mini (from random weights) or a model folder to start from')
    .addOption(
      new Option(
        '--decoder <kind>',
        'how tokens become a plan; with a model folder: its weights as a start for another decoder of tokens',
      ).choices(['flow', 'autoregressive', 'diffusion', 'regression']),
    )
    .option('--tokenizer <dir>', 'table of stage tokenizer, for configurations that use one')
    .option('--config <file>', 'recipe: JSON with any of "model", "train", "cut"')
    .option(...setOption('model.hidden_size=128, train.copies=4'))
    .option('--steps <N>', 'updates of the whole schedule', integerOption(1, kMaxSteps))
    .option('--batch <N>', 'windows (or triplets) an update', integerOption(1, 2 ** 20))
    .option('--lr <x>', 'highest learning rate', numberOption(0, 10))
    .option('--seed <N>', 'of all random numbers', integerOption(0, Number.MAX_SAFE_INTEGER))
    .option('--threads <N>', 'does not change the result', integerOption(1, 1024))
    .option('--checkpoint-every <N>', 'updates (default: 500)', integerOption(1, kMaxSteps))
    .option('--log-every <N>', 'updates (default: 10)', integerOption(1, 1e6))
    .option('--eval-every <N>', 'updates between trials on split val', integerOption(1, kMaxSteps))
    .option('--no-tensorboard', 'write no event file for TensorBoard beside the log')
    .option('--resume', 'go on with the run in --output')
    .option('--overwrite', 'replace a model in --output');
  return addDeviceFlags(command)
    .addHelpText(
      'after',
      '\n--json prints the events of train_log.jsonl, one a line.\n' +
        'Exit codes: 0 done, 1 failed, 2 wrong command line, 130 stopped by Ctrl-C or SIGTERM ' +
        '(a checkpoint is written; a second Ctrl-C ends at once).\n',
    )
    .action((options: TrainCommandOptions) => withInterrupt((signal) => run(options, signal)));
}

async function run(options: TrainCommandOptions, signal: AbortSignal): Promise<void> {
  const reporter = new RunReporter({
    label: 'train',
    describeStart: (event) => describeStart(event as unknown as StartEvent),
    brief: ['loss', 'orderViolations', 'windowsPerSecond'],
  });
  signal.addEventListener('abort', () => {
    if (options.json) return;
    reporter.note('finishing this update and writing a checkpoint; again to stop at once');
  });
  for await (const event of train(trainOptions(options, signal))) {
    if (options.json) printEvent(event);
    else await reporter.report({ ...event });
  }
}

function printEvent(event: TrainEvent): void {
  print(JSON.stringify(event));
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

function describeStart(event: StartEvent): string {
  const lines = [
    `${event.stage}: ${integer(event.parameters)} parameters, ${event.threads} threads, ` +
      `${integer(event.step)} of ${integer(event.steps)} updates made`,
  ];
  if (event.data) {
    const { recordings, listedWindows, cutWindows, splits } = event.data;
    lines.push(
      `data: ${integer(listedWindows)} listed windows and ${integer(cutWindows)} cut from the tracks of ` +
        `${recordings} recordings, split ${splits.join(', ')}`,
    );
  }
  return [...lines, `output: ${event.output}`].join('\n');
}

function usage(message: string): WamFlowError {
  return new WamFlowError('ERR_USAGE', message);
}
