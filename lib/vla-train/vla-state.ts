// trainer_state.json of a vision-language run.

import { resolve } from 'node:path';
import { z } from 'zod';
import { WamFlowError } from '../errors.js';
import { kTrainingNames, readTrainingState } from '../model/checkpoint-files.js';
import { describeIssues } from '../model/config-schema.js';
import { finishCommit, readFiles } from '../model/file-set.js';
import { type FloatTensor, readSafetensorsHeader } from '../model/safetensors.js';
import { requireSame } from '../train/state.js';
import { kVlaStages, type VlaStage } from './vla-recipe.js';

/** Content of the file. */
export interface VlaTrainerState {
  format: 1;
  family: 'vla';
  stage: VlaStage | 'align';
  /** Updates made, and seconds that they took. */
  step: number;
  seconds: number;
  /** Parameters of the stage. */
  train: Record<string, unknown>;
  /** Fingerprint of the conversations or scenes. */
  data: string;
}

const schema = z.strictObject({
  format: z.literal(1),
  family: z.literal('vla'),
  stage: z.enum([...kVlaStages, 'align']),
  step: z.int().min(0),
  seconds: z.number().min(0),
  train: z.record(z.string(), z.unknown()),
  data: z.string(),
}) satisfies z.ZodType<VlaTrainerState>;

/**
 * The run in a folder.
 *
 * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND` when there is none, `ERR_CONFIG` when it is of another stage,
 *   `ERR_CHECKPOINT_CORRUPT` when files are damaged or not of one moment, `ERR_IO`.
 */
export async function loadVlaRun(
  folder: string,
  stage: VlaTrainerState['stage'],
): Promise<{ state: VlaTrainerState; tensors: readonly FloatTensor[] }> {
  const output = resolve(folder);
  await finishCommit(output);
  const training = await readFiles(output, kTrainingNames, (paths) =>
    readTrainingState(output, paths, async (path, bind) =>
      bind((await readSafetensorsHeader(path)).header),
    ),
  );
  if (!training) {
    throw new WamFlowError('ERR_CHECKPOINT_NOT_FOUND', `${output}: no run that could be resumed`);
  }
  const result = schema.safeParse(training.state);
  if (!result.success) {
    const text = describeIssues(result.error, `${output}: trainer_state.json`);
    throw new WamFlowError('ERR_CHECKPOINT_CORRUPT', text);
  }
  requireSame(output, { stage: result.data.stage }, { stage });
  return { state: result.data, tensors: training.tensors };
}
