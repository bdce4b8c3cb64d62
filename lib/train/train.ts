import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { WamFlowError } from '../errors.js';
import { isMissing } from '../files.js';
import { prepareAlign } from './align.js';
import { prepareDistill } from './distill.js';
import type { SetupEvent, TrainEvent } from './events.js';
import { checkRunOptions, type RunSettings, type TrainOptions } from './options.js';
import { runStage, type StageRun } from './run-stage.js';
import { prepareSft } from './sft.js';
import { prepareTokenizer } from './tokenizer.js';

/**
 * Trains, distils or aligns a model, in updates that run on threads of the engine while the event loop stays free, and yields what happens:
 * `start` (of stage `align` after `setup` events), then `step`, `checkpoint` and `eval` events, at last `done`. The same events go to `train_log.jsonl` in the
 * output folder. Updates are made only while the next event is awaited.
 *
 * The result is a function of options and data: neither threads nor stopping and resuming change a bit of it. An abort
 * (or Ctrl-C in the command line) finishes the present update, writes a checkpoint and ends with `done`; leaving the loop
 * ends the run at its last checkpoint. `resume: true` goes on.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_CONFIG` (a wrong field, or another run than the one to resume),
 *   `ERR_SCENARIO`, `ERR_CHECKPOINT_NOT_FOUND`, `ERR_CHECKPOINT_CORRUPT`, `ERR_NOT_FINITE` when the training diverges
 *   (the last checkpoint stays), `ERR_IO`. Rejects with the signal's reason when it is aborted before `start`.
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainEvent, void, undefined> {
  const settings = checkRunOptions(options);
  settings.signal?.throwIfAborted();
  if (!options.resume && !options.overwrite) await requireEmpty(resolve(options.output));
  const run: StageRun = yield* prepare(options, settings);
  yield* runStage(run, settings);
}

async function* prepare(
  options: TrainOptions,
  settings: RunSettings,
): AsyncGenerator<SetupEvent, StageRun, undefined> {
  switch (options.stage) {
    case 'tokenizer':
      return prepareTokenizer(options, settings);
    case 'sft':
      return prepareSft(options, settings);
    case 'distill':
      return prepareDistill(options, settings);
    case 'align':
      return yield* prepareAlign(options, settings);
  }
}

async function requireEmpty(output: string): Promise<void> {
  for (const name of ['config.json', 'model.safetensors']) {
    try {
      await access(join(output, name));
    } catch (error) {
      if (isMissing(error)) continue;
      throw error;
    }
    throw new WamFlowError(
      'ERR_ARGUMENT',
      `output: ${output} holds a model already; resume its run, allow to overwrite it, or choose another folder`,
    );
  }
}
