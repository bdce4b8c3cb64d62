import { resolve } from 'node:path';
import type { TrainEvent } from '../train/events.js';
import { runStage } from '../train/run-stage.js';
import { refuseModel } from './janus-set.js';
import { checkVlaRunOptions, type VlaTrainOptions } from './vla-options.js';
import { prepareVla } from './vla-run.js';

/**
 * Takes a vision-language model through one stage of its training, in updates on a thread of the engine while the event
 * loop stays free, and yields what happens: `start`, then `step` and `checkpoint` events, at last `done`. The same events
 * go to `train_log.jsonl` in the output folder. Updates are made only while the next event is awaited.
 *
 * The output folder is a complete Janus directory from before the first update on. The result is a function of options,
 * model and data: neither threads nor stopping and resuming change a bit of it. An abort finishes the present update,
 * writes a checkpoint and ends with `done`; leaving the loop ends the run at its last checkpoint.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_CONFIG` (a model that the stage cannot start from, or another run than the one
 *   to resume), `ERR_CHECKPOINT_NOT_FOUND`, `ERR_CHECKPOINT_CORRUPT`, `ERR_TOKENIZER`, `ERR_CONVERSATION`, `ERR_IMAGE`,
 *   `ERR_NOT_FINITE` when the training diverges (the last checkpoint stays), `ERR_IO`. Rejects with the signal's reason
 *   when it is aborted before `start`.
 */
export async function* trainVla(
  options: VlaTrainOptions,
): AsyncGenerator<TrainEvent, void, undefined> {
  const settings = checkVlaRunOptions(options);
  settings.signal?.throwIfAborted();
  if (!options.resume && !options.overwrite) await refuseModel(resolve(options.output));
  yield* runStage(await prepareVla(options, settings), settings);
}
