import { type Command, Option } from 'commander';
import type { StartEvent } from '../train/events.js';
import type { AlignOptions } from '../train/options.js';
import { train } from '../train/train.js';
import {
  type CommonOptions,
  defineCommand,
  integerListOption,
  integerOption,
  numberOption,
  print,
} from './command.js';
import { addDeviceFlags, type DeviceFlags, deviceOf } from './device-flags.js';
import { integer } from './progress.js';
import { pick, readRecipe, setOption } from './recipe-flags.js';
import { withInterrupt } from './run.js';
import { RunReporter } from './run-reporter.js';

interface AlignCommandOptions extends CommonOptions, DeviceFlags {
  model: string;
  data: string[];
  listed?: string[];
  split?: string[];
  output: string;
  config?: string;
  set?: string[];
  steps?: number;
  batch?: number;
  group?: number;
  rolloutSteps?: number[];
  scenes?: number;
  version?: 'v1' | 'v2';
  lr?: number;
  seed?: number;
  threads?: number;
  checkpointEvery?: number;
  logEvery?: number;
  evalEvery?: number;
  resume?: boolean;
  overwrite?: boolean;
}

const kMaxSteps = 1e9;

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
    .requiredOption('--output <dir>', 'folder of the model, its training state and the log')
    .option(
      '--model <name>',
      'weights to start from and to stay near to: mini or a model folder',
      'mini',
    )
    .option('--listed <path...>', 'more scenarios')
    .option('--split <name...>', 'splits to use (default: train)')
    .option('--config <file>', 'parameters: JSON with "train"')
    .option(...setOption('train.klBeta=0.05, train.weights.comfort=4'))
    .option('--steps <N>', 'updates of the whole schedule', integerOption(1, kMaxSteps))
    .option('--batch <N>', 'scenes an update', integerOption(1, 4096))
    .option('--group <N>', 'plans a scene', integerOption(1, 64))
    .option(
      '--rollout-steps <list>',
      'refinement steps of the plans: 5, or 1,5 in turns',
      integerListOption(1, 64),
    )
    .option('--scenes <N>', 'scenes that are drawn from the windows', integerOption(1, 1e6))
    .addOption(
      new Option('--version <name>', 'rules of the reward: v1 (PDMS) or v2').choices(['v1', 'v2']),
    )
    .option('--lr <x>', 'highest learning rate', numberOption(0, 10))
    .option('--seed <N>', 'of all random numbers', integerOption(0, Number.MAX_SAFE_INTEGER))
    .option('--threads <N>', 'does not change the result', integerOption(1, 1024))
    .option('--checkpoint-every <N>', 'updates (default: 50)', integerOption(1, kMaxSteps))
    .option('--log-every <N>', 'updates (default: 10)', integerOption(1, 1e6))
    .option('--eval-every <N>', 'updates between trials on split val', integerOption(1, kMaxSteps))
    .option('--resume', 'go on with the run in --output')
    .option('--overwrite', 'replace a model in --output');
  return addDeviceFlags(command)
    .addHelpText(
      'after',
      '\n--json prints the events of train_log.jsonl, one a line.\n' +
        'Exit codes: 0 done, 1 failed, 2 wrong command line, 130 stopped by Ctrl-C or SIGTERM ' +
        '(a checkpoint is written; a second Ctrl-C ends at once).\n',
    )
    .action((options: AlignCommandOptions) => withInterrupt((signal) => run(options, signal)));
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

async function run(options: AlignCommandOptions, signal: AbortSignal): Promise<void> {
  const reporter = new RunReporter({
    label: 'align',
    describeStart: (event) => describeStart(event as unknown as StartEvent),
    columns: kColumns,
    brief: ['reward', 'best', 'kl'],
  });
  signal.addEventListener('abort', () => {
    if (options.json) return;
    reporter.note('finishing this update and writing a checkpoint; again to stop at once');
  });
  for await (const event of train(alignOptions(options, signal))) {
    if (options.json) print(JSON.stringify(event));
    else await reporter.report({ ...event });
  }
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
    ...(options.split ? { splits: options.split } : {}),
    model: options.model,
    ...deviceOf(options),
    signal,
  } as AlignOptions;
}

function describeStart(event: StartEvent): string {
  const { scenes, probes, refused } = event.scenes!;
  return [
    `align: ${integer(event.parameters)} parameters, ${event.threads} threads, ` +
      `${integer(event.step)} of ${integer(event.steps)} updates made`,
    `scenes: ${integer(scenes)} to draw plans for, ${integer(probes)} to probe, ${integer(refused)} windows refused`,
    `output: ${event.output}`,
  ].join('\n');
}
