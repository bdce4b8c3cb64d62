// Stage `align`: a planner gets better at what the PDM score rewards, by GRPO.

import { loadFlow } from './load-flow.js';
import { resolve } from 'node:path';
import { argumentError, WamFlowError } from '../errors.js';
import { type Checkpoint, loadTraining, saveCheckpoint } from '../model/checkpoint.js';
import { toNativeConfig } from '../model/config.js';
import type { FloatTensor } from '../model/safetensors.js';
import { type NamedTensor, type NativeTrainer, native } from '../native.js';
import { alignFigures, kAlignRow, probesOf, readProbe, stopRuleOf } from './align-rows.js';
import { type AlignParameters, toNativeAlign } from './align-recipe.js';
import { setUpScenes } from './align-scenes.js';
import { type LoadedData, loadData } from './data.js';
import type { SetupEvent, StopRule } from './events.js';
import { type AlignOptions, alignParameters, checkSplits, type RunSettings } from './options.js';
import type { StageRun } from './run-stage.js';
import { parameterCount, tensorsOf, trials } from './sft.js';
import { checkState, requireSame, restoreTrainer, type TrainerState } from './state.js';

/** A run that goes on, as its output folder tells. */
interface Saved {
  config: Checkpoint['config'];
  state: TrainerState;
  tensors: readonly FloatTensor[];
}

/** Loads everything that a run needs, sets its scenes up and makes its trainer. */
export async function* prepareAlign(
  options: AlignOptions,
  settings: RunSettings,
): AsyncGenerator<SetupEvent, StageRun, undefined> {
  const output = resolve(options.output);
  const saved = options.resume ? await loadSaved(output) : undefined;
  const train = alignParameters(options, saved?.state.train);
  if (saved) requireSame(output, { train: saved.state.train }, { train });
  const { config, tensors } = saved ? resumed(saved) : await startModel(options);
  const data = await loadWindows(options, saved, settings.signal);
  const { fingerprint, splits, cut } = data.summary;
  if (saved)
    requireSame(output, { data: saved.state.data }, { data: { fingerprint, splits, cut } });
  const evaluate = trials(options, settings, config, data);

  const windows = data.scenarios.windows.filter(({ split }) => splits.includes(split));
  const { scenes, probes, refused } = yield* setUpScenes(windows, {
    ...train,
    step: saved?.state.step ?? 0,
    signal: settings.signal,
  });
  const form = toNativeConfig(config);
  const useful = settings.device.device === 'cpu' ? train.microBatches : 1;
  const threads = settings.threads ?? Math.min(native().cpuInfo().hardwareThreads, useful);
  const trainer = await native().createAligner(
    form,
    toNativeAlign(train),
    data.dataset,
    threads,
    tensors,
    { scenes, probes, weights: train.weights },
    settings.device,
  );
  if (saved) await restoreTrainer(trainer, saved.tensors, saved.state.step);

  let stopRule: StopRule | undefined = saved?.state.stopRule;
  return {
    start: {
      type: 'start',
      stage: 'align',
      step: saved?.state.step ?? 0,
      steps: train.steps,
      parameters: parameterCount(form),
      threads,
      output,
      config,
      train,
      data: data.summary,
      scenes: { scenes: scenes.length, probes: probes.length, refused },
    },
    trainer,
    rowLength: kAlignRow,
    fresh: !saved,
    seconds: saved?.state.seconds ?? 0,
    summarize(rows) {
      stopRule = stopRuleOf(rows) ?? stopRule;
      return alignFigures(rows);
    },
    first: probes.length > 0 ? [readProbe(native().alignerStart(trainer), 0)] : [],
    probes: probesOf,
    stopRule: () => stopRule,
    ...(evaluate && {
      evaluate: (step: number) => evaluate(native().trainerTensors(trainer), step, threads),
    }),
    save: (step, seconds) =>
      save(output, config, trainer, { step, seconds, train, data, stopRule }),
  };
}

async function loadSaved(output: string): Promise<Saved> {
  const training = await loadTraining(output);
  if (!training) {
    throw new WamFlowError('ERR_CHECKPOINT_NOT_FOUND', `${output}: no run that could be resumed`);
  }
  const { config, tensors } = training;
  return { config, tensors, state: checkState(training.state, 'align', output) };
}

/** The weights that the run started from are part of its state. */
function resumed({ config, tensors }: Saved): Pick<Checkpoint, 'config' | 'tensors'> {
  return { config, tensors: tensorsOf(tensors, 'reference.') };
}

async function startModel({
  model,
}: AlignOptions): Promise<Pick<Checkpoint, 'config' | 'tensors'>> {
  if (typeof model === 'string') return loadFlow(model);
  throw argumentError('model', 'mini or the folder of a model to start from', model);
}

function loadWindows(
  options: AlignOptions,
  saved: Saved | undefined,
  signal: AbortSignal | undefined,
): Promise<LoadedData> {
  const { data, listed } = options;
  if (data === undefined) throw argumentError('data', 'paths or the result of readScenarios', data);
  const splits = checkSplits(options.splits ?? saved?.state.data?.splits);
  return loadData({ data, listed: listed ?? [] }, splits, false, signal);
}

async function save(
  output: string,
  config: Checkpoint['config'],
  trainer: NativeTrainer,
  run: {
    step: number;
    seconds: number;
    train: AlignParameters;
    data: LoadedData;
    stopRule: StopRule | undefined;
  },
): Promise<void> {
  const { fingerprint, splits, cut } = run.data.summary;
  const state: TrainerState = {
    format: 1,
    stage: 'align',
    step: run.step,
    seconds: run.seconds,
    train: { ...run.train },
    data: { fingerprint, splits, cut },
    ...(run.stopRule && { stopRule: run.stopRule }),
  };
  const tensors: NamedTensor[] = native().trainerTensors(trainer);
  const training = { tensors: native().trainerState(trainer), state: { ...state } };
  await saveCheckpoint(output, { config, tensors }, training);
}
