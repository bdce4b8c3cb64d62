// Stage `sft`: a planner learns from recorded traffic.

import { resolve } from 'node:path';
import { argumentError, WamFlowError } from '../errors.js';
import { loadCheckpoint, loadTraining, saveCheckpoint } from '../model/checkpoint.js';
import {
  type DecoderConfig,
  type ModelConfig,
  parseModelConfig,
  toNativeConfig,
} from '../model/config.js';
import type { FloatTensor } from '../model/safetensors.js';
import { loadTable } from '../model/table-checkpoint.js';
import {
  type NamedTensor,
  type NativeDataset,
  type NativeModelConfig,
  type NativeTrainer,
  native,
} from '../native.js';
import { type LoadedData, loadData } from './data.js';
import {
  checkSplits,
  decoderParameters,
  type RunSettings,
  type SftOptions,
  sftParameters,
} from './options.js';
import { checkCutOptions, mergeOverrides, miniRecipe, type SftParameters } from './recipe.js';
import type { StageRun } from './run-stage.js';
import { checkState, requireSame, restoreTrainer, type TrainerState } from './state.js';
import { checkTrials, tryWeights } from './trial.js';

/** A run that goes on, as its output folder tells. */
interface Saved {
  config: ModelConfig;
  state: TrainerState;
  tensors: readonly FloatTensor[];
}

/** Numbers of a row of statistics. */
export const kSftRow = 5;
const kTable = 'numeric.table';

/** Loads everything that a run needs and makes its trainer. */
export async function prepareSft(options: SftOptions, settings: RunSettings): Promise<StageRun> {
  const output = resolve(options.output);
  const saved = options.resume ? await loadSaved(output) : undefined;
  const asked = sftParameters(options, saved?.state.train);
  if (saved) requireSame(output, { train: saved.state.train }, { train: asked });
  const data = await loadSftData(options, saved?.state, settings.signal);
  if (saved?.state.data) {
    const { fingerprint, splits, cut } = data.summary;
    requireSame(output, { data: saved.state.data }, { data: { fingerprint, splits, cut } });
  }
  const { config, tensors } = await chooseModel(options, saved, data.dataset);
  if (saved) requireSame(output, { model: saved.config }, { model: config });
  const train = decoderParameters(asked, options, saved, config);
  const evaluate = trials(options, settings, config, data);
  settings.signal?.throwIfAborted();

  const form = toNativeConfig(config);
  const useful = settings.device.device === 'cpu' ? train.microBatches : 1;
  const threads = settings.threads ?? Math.min(native().cpuInfo().hardwareThreads, useful);
  const table = saved ? tensorsOf(saved.tensors, 'weights.') : tensors;
  const rows = await tableRows(config, options.tokenizer, table);
  const trainer = await native().createTrainer(
    form,
    train,
    data.dataset,
    threads,
    rows,
    settings.device,
  );
  if (saved) await restoreTrainer(trainer, saved.tensors, saved.state.step);
  else if (tensors) await restoreTrainer(trainer, freshState(tensors), 0);

  return {
    start: {
      type: 'start',
      stage: 'sft',
      step: saved?.state.step ?? 0,
      steps: train.steps,
      parameters: parameterCount(form),
      threads,
      output,
      config,
      train,
      data: data.summary,
    },
    trainer,
    rowLength: kSftRow,
    fresh: !saved,
    seconds: saved?.state.seconds ?? 0,
    summarize: summarizeSft,
    ...(evaluate && {
      evaluate: (step: number) => evaluate(native().trainerTensors(trainer), step, threads),
    }),
    save: (step, seconds) => save(output, config, trainer, { step, seconds, train, data }),
  };
}

async function loadSaved(output: string): Promise<Saved> {
  const training = await loadTraining(output);
  if (!training) {
    throw new WamFlowError('ERR_CHECKPOINT_NOT_FOUND', `${output}: no run that could be resumed`);
  }
  const { config, tensors } = training;
  return { config, tensors, state: checkState(training.state, 'sft', output) };
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
  saved: Saved | undefined,
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

/** How the weights of a moment are tried, where the options ask for trials. */
export function trials(
  options: Pick<SftOptions, 'evalSplit'>,
  settings: RunSettings,
  config: ModelConfig,
  { scenarios, summary }: LoadedData,
) {
  if (settings.evalEvery === 0) return undefined;
  const split = options.evalSplit ?? 'val';
  checkTrials(scenarios, split, summary.splits, config.tokens);
  const form = toNativeConfig(config);
  return (tensors: NamedTensor[], step: number, threads: number) =>
    tryWeights({ config, native: form, tensors }, scenarios, split, {
      step,
      threads,
      signal: settings.signal,
    });
}

function slotScale(saved: Saved | undefined, dataset: NativeDataset): readonly number[] {
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

async function save(
  output: string,
  config: ModelConfig,
  trainer: NativeTrainer,
  run: { step: number; seconds: number; train: SftParameters; data: LoadedData },
): Promise<void> {
  const { fingerprint, splits, cut } = run.data.summary;
  const state: TrainerState = {
    format: 1,
    stage: 'sft',
    step: run.step,
    seconds: run.seconds,
    train: { ...run.train },
    data: { fingerprint, splits, cut },
  };
  const tensors = native().trainerTensors(trainer);
  await saveCheckpoint(
    output,
    { config, tensors },
    { tensors: native().trainerState(trainer), state: { ...state } },
  );
}

/** The state of a run that starts from given weights: they are the average too, the moments are 0. */
export function freshState(tensors: readonly FloatTensor[]): FloatTensor[] {
  return tensors.flatMap(({ name, shape, data }) => [
    { name: `weights.${name}`, shape, data },
    { name: `average.${name}`, shape, data },
    { name: `first_moment.${name}`, shape, data: new Float32Array(data.length) },
    { name: `second_moment.${name}`, shape, data: new Float32Array(data.length) },
  ]);
}

/** Tensors of one block of a state, without its name. */
export function tensorsOf(state: readonly FloatTensor[], prefix: string): NamedTensor[] {
  return state
    .filter(({ name }) => name.startsWith(prefix))
    .map(({ name, shape, data }) => ({ name: name.slice(prefix.length), shape: [...shape], data }));
}

/** Values that are trained. */
export function parameterCount(form: NativeModelConfig): number {
  return native()
    .parameterLayout(form)
    .filter(({ trained }) => trained)
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
