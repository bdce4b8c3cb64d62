// Stage `tokenizer`: the table of a numeric tokenizer learns the order of numbers by triplet margin.

import { resolve } from 'node:path';
import { WamFlowError } from '../errors.js';
import { loadCheckpoint } from '../model/checkpoint.js';
import type { FloatTensor } from '../model/safetensors.js';
import { loadTableTraining, saveTable, type TableConfig } from '../model/table-checkpoint.js';
import { type NativeTokenizerTrainer, native } from '../native.js';
import { type RunSettings, type TokenizerOptions, tokenizerParameters } from './options.js';
import { mergeOverrides, miniRecipe, type TokenizerParameters } from './recipe.js';
import { engineTrainer, type StageRun } from './run-stage.js';
import { checkState, requireSame, restoreTrainer, type TrainerState } from './state.js';

const kRowLength = 3;
const kDefaultVocab = 401;
const kDefaultWidth = 64;

/** Makes the trainer of a table, or brings one back. */
export async function prepareTokenizer(
  options: TokenizerOptions,
  settings: RunSettings,
): Promise<StageRun> {
  const output = resolve(options.output);
  const saved = options.resume ? await loadSaved(output) : undefined;
  const train = tokenizerParameters(options, saved?.state.train);
  const config =
    saved && options.model === undefined ? saved.config : await tableConfig(options.model);
  if (saved) {
    requireSame(output, { train: saved.state.train, ...saved.config }, { train, ...config });
  }
  settings.signal?.throwIfAborted();
  const { vocab_size, table_size } = config;
  // The same coordinates for every kind of token: equally spaced over -1 .. 1.
  const coordinate = Float64Array.from(
    { length: vocab_size },
    (_, i) => -1 + (2 * i) / (vocab_size - 1),
  );
  // One thread does all the work of an update, which takes about a millisecond.
  const trainer = await native().createTokenizerTrainer(
    coordinate,
    table_size,
    train,
    settings.device,
  );
  if (saved) await restoreTrainer(trainer, saved.tensors, saved.state.step);
  return {
    start: {
      type: 'start',
      stage: 'tokenizer',
      step: saved?.state.step ?? 0,
      steps: train.steps,
      parameters: vocab_size * table_size,
      threads: 1,
      output,
      config: { vocab_size, table_size },
      train,
    },
    trainer: engineTrainer(trainer),
    rowLength: kRowLength,
    fresh: !saved,
    seconds: saved?.state.seconds ?? 0,
    summarize,
    save: (step, seconds) => save(output, config, trainer, { step, seconds, train }),
  };
}

async function loadSaved(
  output: string,
): Promise<{ config: TableConfig; state: TrainerState; tensors: readonly FloatTensor[] }> {
  const training = await loadTableTraining(output);
  if (!training) {
    throw new WamFlowError('ERR_CHECKPOINT_NOT_FOUND', `${output}: no run that could be resumed`);
  }
  const { config, tensors } = training;
  return { config, tensors, state: checkState(training.state, 'tokenizer', output) };
}

/** What of a model's configuration its table depends on. */
async function tableConfig(model: TokenizerOptions['model']): Promise<TableConfig> {
  const wanted =
    typeof model === 'string' && model !== 'mini'
      ? (await loadCheckpoint(model)).config
      : mergeOverrides(miniRecipe().model, model === undefined || model === 'mini' ? {} : model);
  const tokens = wanted.tokens as { vocab_size?: number } | undefined;
  const numeric = wanted.numeric as { table_size?: number } | undefined;
  return {
    model_type: 'wam-flow-tokenizer',
    vocab_size: tokens?.vocab_size ?? kDefaultVocab,
    table_size: numeric?.table_size ?? kDefaultWidth,
  };
}

function summarize(rows: Float64Array) {
  const count = rows.length / kRowLength;
  let [loss, orderViolations] = [0, 0];
  for (let at = 0; at < rows.length; at += kRowLength) {
    loss += rows[at + 1]! / count;
    orderViolations += rows[at + 2]! / count;
  }
  return { loss, orderViolations };
}

async function save(
  output: string,
  config: TableConfig,
  trainer: NativeTokenizerTrainer,
  run: { step: number; seconds: number; train: TokenizerParameters },
): Promise<void> {
  const tensors = native().trainerState(trainer);
  const table = tensors.find(({ name }) => name === 'table')!.data;
  const { step, seconds } = run;
  const state: TrainerState = {
    format: 1,
    stage: 'tokenizer',
    step,
    seconds,
    train: { ...run.train },
  };
  await saveTable(output, { config, table }, { tensors, state: { ...state } });
}
