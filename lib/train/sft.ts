// Stage `sft`: a planner learns from recorded traffic.

import { resolve } from 'node:path';
import { argumentError, WamFlowError } from '../errors.js';
import { loadCheckpoint } from '../model/checkpoint.js';
import {
  type DecoderConfig,
  type ModelConfig,
  parseModelConfig,
  toNativeConfig,
} from '../model/config.js';
import type { FloatTensor } from '../model/safetensors.js';
import { loadTable } from '../model/table-checkpoint.js';
import { type NativeDataset, native } from '../native.js';
import { type LoadedData, loadData } from './data.js';
import {
  checkSplits,
  decoderParameters,
  type RunSettings,
  type SftOptions,
  sftParameters,
} from './options.js';
import {
  freshState,
  loadSavedRun,
  plannerRun,
  requireSameData,
  type SavedRun,
  tensorsOf,
  threadsOf,
  trials,
} from './planner-run.js';
import { checkCutOptions, mergeOverrides, miniRecipe } from './recipe.js';
import type { StageRun } from './run-stage.js';
import { requireSame, restoreTrainer, type TrainerState } from './state.js';

/** Numbers of a row of statistics. */
export const kSftRow = 5;
const kTable = 'numeric.table';

/** Loads everything that a run needs and makes its trainer. */
export async function prepareSft(options: SftOptions, settings: RunSettings): Promise<StageRun> {
  const { output } = options;
  const saved = await loadSavedRun(options, 'sft');
  const asked = sftParameters(options, saved?.state.train);
  if (saved) requireSame(resolve(output), { train: saved.state.train }, { train: asked });
  const data = await loadSftData(options, saved?.state, settings.signal);
  requireSameData(output, saved, data);
  const { config, tensors } = await chooseModel(options, saved, data.dataset);
  if (saved) requireSame(resolve(output), { model: saved.config }, { model: config });
  const train = decoderParameters(asked, options, saved, config);
  const evaluate = trials(options, settings, config, data);
  settings.signal?.throwIfAborted();

  const threads = threadsOf(settings, train);
  const table = saved ? tensorsOf(saved.tensors, 'weights.') : tensors;
  const rows = await tableRows(config, options.tokenizer, table);
  const trainer = await native().createTrainer(
    toNativeConfig(config),
    train,
    data.dataset,
    threads,
    rows,
    settings.device,
  );
  if (saved) await restoreTrainer(trainer, saved.tensors, saved.state.step);
  else if (tensors) await restoreTrainer(trainer, freshState(tensors), 0);

  const run = { stage: 'sft', output, saved, settings, config, train, data, threads } as const;
  return {
    ...plannerRun({ ...run, trainer, evaluate }),
    rowLength: kSftRow,
    summarize: summarizeSft,
  };
}

/** The data that `options` name, cut as they or the run that goes on say. */
export function loadSftData(
  options: Pick<SftOptions, 'data' | 'listed' | 'splits' | 'cut'>,
  saved: TrainerState | undefined,
  signal: AbortSignal | undefined,
): Promise<LoadedData> {
  const { data, cut: asked } = options;
  if (data === undefined) throw argumentError('data', 'paths or the result of readScenarios', data);
  const splits = options.splits ?? saved?.data?.splits;
  const before = saved?.data?.cut;
  const cut =
    asked === false || (asked === undefined && before === false)
      ? false
      : checkCutOptions(mergeOverrides(before || miniRecipe().cut, asked ?? {}));
  return loadData({ data, listed: options.listed ?? [] }, checkSplits(splits), cut, signal);
}

/** The configuration to train, and weights to start from where there are some. */
async function chooseModel(
  options: SftOptions,
  saved: SavedRun | undefined,
  dataset: NativeDataset,
): Promise<{ config: ModelConfig; tensors?: readonly FloatTensor[] }> {
  const { model, decoder } = options;
  const kind = decoder === undefined ? {} : { decoder: { kind: decoder } };
  if (model === undefined && saved) {
    return { config: parseModelConfig(mergeOverrides(saved.config, kind), 'decoder') };
  }
  if (typeof model === 'string' && model !== 'mini') {
    const { config, tensors } = await loadCheckpoint(model);
    return { config: decoder === undefined ? config : withDecoder(config, decoder), tensors };
  }
  const overrides = model === undefined || model === 'mini' ? {} : model;
  const wanted = mergeOverrides(mergeOverrides(miniRecipe().model, kind), overrides);
  const tokens = wanted.tokens as Record<string, unknown> | undefined;
  if (tokens?.kind === 'residual_companded' && tokens.slot_scale === undefined) {
    wanted.tokens = { ...tokens, slot_scale: slotScale(saved, dataset) };
  }
  return { config: parseModelConfig(wanted, 'model') };
}

/** The configuration of trained weights with another decoder, where the same weights make sense with it. */
function withDecoder(config: ModelConfig, kind: DecoderConfig['kind']): ModelConfig {
  const gives = (decoder: string) =>
    decoder === 'flow' || decoder === 'autoregressive' ? 'posteriors over tokens' : 'coordinates';
  const own = config.decoder.kind;
  if (kind === own) return config;
  if (gives(kind) !== gives(own) || kind === 'diffusion' || own === 'diffusion') {
    throw new WamFlowError(
      'ERR_CONFIG',
      `decoder: weights of the decoder ${own} (${gives(own)}) cannot start the decoder ${kind} (${gives(kind)})`,
    );
  }
  return parseModelConfig({ ...config, decoder: { kind } }, 'decoder');
}

function slotScale(saved: SavedRun | undefined, dataset: NativeDataset): readonly number[] {
  if (saved?.config.tokens.kind === 'residual_companded') return saved.config.tokens.slot_scale;
  // Six digits are far finer than a token and keep config.json readable.
  return [...native().measureSlotScale(dataset)].map((scale) => Number(scale.toPrecision(6)));
}

/** Rows of the trained table, flat; empty when the configuration uses none. */
async function tableRows(
  config: ModelConfig,
  directory: string | undefined,
  tensors: readonly FloatTensor[] | undefined,
): Promise<Float32Array> {
  const { vocab_size } = config.tokens;
  const { features, table_size } = config.numeric;
  const used =
    features === 'table' || (config.path.kind === 'metric' && config.path.metric === 'table');
  const own = tensors?.find(({ name }) => name === kTable)?.data;
  if (!used) {
    if (directory === undefined) return new Float32Array(0);
    throw new WamFlowError(
      'ERR_CONFIG',
      "tokenizer: the configuration uses no table; set numeric.features or path.metric to 'table'",
    );
  }
  if (own) return own;
  if (directory === undefined) {
    throw new WamFlowError(
      'ERR_CONFIG',
      "tokenizer: the configuration uses a trained table; give the output folder of stage 'tokenizer'",
    );
  }
  const { config: found, table } = await loadTable(directory);
  if (found.vocab_size !== vocab_size || found.table_size !== table_size) {
    throw new WamFlowError(
      'ERR_CONFIG',
      `tokenizer: expected a table of ${vocab_size} x ${table_size} as the configuration says, ${directory} holds ` +
        `${found.vocab_size} x ${found.table_size}`,
    );
  }
  return table;
}

/** Means over rows of statistics. */
export function summarizeSft(rows: Float64Array, seconds: number) {
  const count = rows.length / kSftRow;
  let [loss, gradNorm, windows] = [0, 0, 0];
  for (let at = 0; at < rows.length; at += kSftRow) {
    loss += rows[at + 1]! / count;
    gradNorm += rows[at + 2]! / count;
    windows += rows[at + 4]!;
  }
  return { loss, gradNorm, lr: rows[rows.length - 2]!, windowsPerSecond: windows / seconds };
}
