import { type Command, Option } from 'commander';
import type { StartEvent, StepEvent, TrainEvent } from '../train/events.js';
import type { AlignOptions } from '../train/options.js';
import { train } from '../train/train.js';
import {
  type CommonOptions,
  defineCommand,
  integerListOption,
  integerOption,
  note,
  numberOption,
  print,
} from './command.js';
import { addDeviceFlags, type DeviceFlags, deviceOf } from './device-flags.js';
import { duration, integer, Progress } from './progress.js';
import { pick, readRecipe, setOption } from './recipe-flags.js';
import { withInterrupt } from './run.js';

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

async function run(options: AlignCommandOptions, signal: AbortSignal): Promise<void> {
  const report = options.json ? (event: TrainEvent) => print(JSON.stringify(event)) : reporter();
  signal.addEventListener('abort', () =>
    note('finishing this update and writing a checkpoint; again to stop at once', options.json),
  );
  for await (const event of train(alignOptions(options, signal))) report(event);
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

/** Prints events for people: a progress line on stderr, what should stay as lines of their own. */
function reporter(): (event: TrainEvent) => void {
  let progress: Progress | undefined;
  let last = '';
  return (event) => {
    switch (event.type) {
      case 'setup':
        progress ??= new Progress({ label: 'scenes', total: event.total });
        progress.update(event.scenes);
        break;
      case 'start':
        progress?.finish('');
        note(describeStart(event));
        progress = new Progress({ label: 'align', total: event.steps, start: event.step });
        break;
      case 'step':
        last = describeStep(event);
        progress?.update(event.step, last);
        break;
      case 'probe':
        progress?.log(
          `update ${integer(event.step)}: probe reward ${event.reward.toFixed(4)}, one step ` +
            `${event.medianReward.toFixed(4)}, ADE ${event.ade.toFixed(3)} m, diversity ` +
            `${event.diversity.toFixed(2)} m, KL ${event.kl.toFixed(4)}` +
            (event.heldBack === undefined ? '' : `, held back ${event.heldBack.toFixed(4)}`),
        );
        break;
      case 'eval':
        progress?.log(
          `update ${integer(event.step)}: ${event.split} ADE ${event.ade.toFixed(3)} m, FDE ` +
            `${event.fde.toFixed(3)} m (median, 1 step), minADE ${event.minAde.toFixed(3)} m (6 samples, 5 steps)`,
        );
        break;
      case 'checkpoint':
        progress?.log(`update ${integer(event.step)}: checkpoint`);
        break;
      case 'done':
        progress?.finish(last);
        if (event.stopRule) {
          note(`ended at update ${integer(event.step)} by the stop rule ${event.stopRule}`);
        } else if (event.stopped) {
          note(
            `stopped at update ${integer(event.step)} of ${integer(event.steps)}; --resume goes on`,
          );
        } else {
          note(`${integer(event.steps)} updates in ${duration(event.seconds)}`);
        }
    }
  };
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

function describeStep(event: StepEvent): string {
  const { reward = 0, best = 0, kl = 0 } = event;
  return `reward ${reward.toFixed(4)}  best ${best.toFixed(4)}  KL ${kl.toFixed(4)}`;
}
