// What the commands that train have in common: flags, and how a run is told.

import type { Command } from 'commander';
import type { StartEvent, TrainEvent } from '../train/events.js';
import { type CommonOptions, integerOption, numberOption, print } from './command.js';
import { addDeviceFlags, type DeviceFlags } from './device-flags.js';
import { integer } from './progress.js';
import { setOption } from './recipe-flags.js';
import { RunReporter } from './run-reporter.js';

/** What the options of {@link addTrainingFlags} parse to; left out: the recipe's. */
export interface TrainingFlags extends CommonOptions, DeviceFlags {
  listed?: string[];
  split?: string[];
  output: string;
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

/** Updates that a run may have. */
const kMaxSteps = 1e9;

/** @param words what differs between the commands: of `--set`, `--batch`, and the default of `--checkpoint-every`. */
export function addTrainingFlags(
  command: Command,
  words: { set: string; batch: string; maxBatch: number; checkpointEvery: number },
): Command {
  command
    .requiredOption('--output <dir>', 'folder of the model, its training state and the log')
    .option(...setOption(words.set))
    .option('--steps <N>', 'updates of the whole schedule', integerOption(1, kMaxSteps))
    .option('--batch <N>', words.batch, integerOption(1, words.maxBatch))
    .option('--lr <x>', 'highest learning rate', numberOption(0, 10))
    .option('--seed <N>', 'of all random numbers', integerOption(0, Number.MAX_SAFE_INTEGER))
    .option('--threads <N>', 'does not change the result', integerOption(1, 1024))
    .option(
      '--checkpoint-every <N>',
      `updates (default: ${words.checkpointEvery})`,
      integerOption(1, kMaxSteps),
    )
    .option('--log-every <N>', 'updates (default: 10)', integerOption(1, 1e6))
    .option('--eval-every <N>', 'updates between trials on split val', integerOption(1, kMaxSteps))
    .option('--no-tensorboard', 'write no event file for TensorBoard beside the log')
    .option('--resume', 'go on with the run in --output')
    .option('--overwrite', 'replace a model in --output');
  return addDeviceFlags(command).addHelpText(
    'after',
    '\n--json prints the events of train_log.jsonl, one a line.\n' +
      'Exit codes: 0 done, 1 failed, 2 wrong command line, 130 stopped by Ctrl-C or SIGTERM ' +
      '(a checkpoint is written; a second Ctrl-C ends at once).\n',
  );
}

/** Prints the events of a run: as JSON, or as a table that lives. */
export async function reportTraining(
  events: AsyncIterable<TrainEvent>,
  options: TrainingFlags,
  signal: AbortSignal,
  table: { label: string; columns?: readonly string[]; brief: readonly string[] },
): Promise<void> {
  const reporter = new RunReporter({
    ...table,
    describeStart: (event) => describeStart(event as unknown as StartEvent),
  });
  signal.addEventListener('abort', () => {
    if (options.json) return;
    reporter.note('finishing this update and writing a checkpoint; again to stop at once');
  });
  for await (const event of events) {
    if (options.json) print(JSON.stringify(event));
    else await reporter.report({ ...event });
  }
}

function describeStart({
  stage,
  data,
  scenes,
  conversations,
  memory,
  output,
  ...event
}: StartEvent): string {
  const lines = [
    `${stage}: ${integer(event.parameters)} parameters, ${event.threads} threads, ` +
      `${integer(event.step)} of ${integer(event.steps)} updates made`,
  ];
  if (scenes) {
    lines.push(
      `scenes: ${integer(scenes.scenes)} to draw plans for, ${integer(scenes.probes)} to probe, ` +
        `${integer(scenes.refused)} windows refused`,
    );
  } else if (data) {
    lines.push(
      `data: ${integer(data.listedWindows)} listed windows and ${integer(data.cutWindows)} cut from the tracks of ` +
        `${data.recordings} recordings, split ${data.splits.join(', ')}`,
    );
  }
  if (memory) {
    const { total, ...parts } = memory;
    const list = Object.entries(parts).map(([part, bytes]) => `${part} ${megabytes(bytes)}`);
    lines.push(`memory: ${megabytes(total)} (${list.join(', ')})`);
  }
  for (const { name, used, rows, weight, skipped } of conversations?.sets ?? []) {
    const reasons = Object.entries(skipped).map(([why, n]) => `${integer(n)} ${why}`);
    lines.push(
      `conversations: ${integer(used)} of ${integer(rows)} in ${name}, weight ${weight}` +
        (reasons.length > 0 ? ` (left out: ${reasons.join(', ')})` : ''),
    );
  }
  return [...lines, `output: ${output}`].join('\n');
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
