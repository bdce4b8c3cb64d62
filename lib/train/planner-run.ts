// What the stages that train a planner share: going on with a run, its threads, its start event and its checkpoints.

import { resolve } from 'node:path';
import { WamFlowError } from '../errors.js';
import { loadTraining, saveCheckpoint } from '../model/checkpoint.js';
import { type ModelConfig, toNativeConfig } from '../model/config.js';
import type { FloatTensor } from '../model/safetensors.js';
import { type NamedTensor, type NativeModelConfig, type NativeTrainer, native } from '../native.js';
import type { LoadedData } from './data.js';
import type { StartEvent, StopRule } from './events.js';
import type { RunSettings, SftOptions } from './options.js';
import { engineTrainer, type StageRun } from './run-stage.js';
import { checkState, requireSame, type TrainerState } from './state.js';
import { checkTrials, tryWeights } from './trial.js';

/** A run that goes on, as its output folder tells. */
export interface SavedRun {
  config: ModelConfig;
  state: TrainerState;
  tensors: readonly FloatTensor[];
}

/**
 * The run in `output` when it shall go on.
 *
 * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND` when there is none, `ERR_CONFIG` when it is of another stage.
 */
export async function loadSavedRun(
  options: { output: string; resume?: boolean },
  stage: TrainerState['stage'],
): Promise<SavedRun | undefined> {
  if (!options.resume) return undefined;
  const output = resolve(options.output);
  const training = await loadTraining(output);
  if (!training) {
    throw new WamFlowError('ERR_CHECKPOINT_NOT_FOUND', `${output}: no run that could be resumed`);
  }
  const { config, tensors } = training;
  return { config, tensors, state: checkState(training.state, stage, output) };
}

/** A run that goes on must have the data that it began with. */
export function requireSameData(
  output: string,
  saved: SavedRun | undefined,
  data: LoadedData,
): void {
  if (!saved?.state.data) return;
  requireSame(resolve(output), { data: saved.state.data }, { data: dataState(data) });
}

/** Threads of a run; on a CPU more than there are parts of a batch would idle. */
export function threadsOf(settings: RunSettings, train: { microBatches: number }): number {
  const useful = settings.device.device === 'cpu' ? train.microBatches : 1;
  return settings.threads ?? Math.min(native().cpuInfo().hardwareThreads, useful);
}

/** A run as its stage made it ready. */
export interface PlannerRun {
  stage: StartEvent['stage'] & TrainerState['stage'];
  output: string;
  saved: SavedRun | undefined;
  settings: RunSettings;
  config: ModelConfig;
  train: { steps: number } & StartEvent['train'];
  data: LoadedData;
  threads: number;
  trainer: NativeTrainer;
  evaluate: ReturnType<typeof trials>;
  stopRule?: () => StopRule | undefined;
}

/** The parts of a {@link StageRun} that do not depend on the stage. */
export function plannerRun(run: PlannerRun): Omit<StageRun, 'rowLength' | 'summarize'> {
  const { stage, saved, config, train, data, threads, trainer, evaluate, stopRule } = run;
  const output = resolve(run.output);
  return {
    start: {
      type: 'start',
      stage,
      step: saved?.state.step ?? 0,
      steps: train.steps,
      parameters: parameterCount(toNativeConfig(config)),
      threads,
      output,
      config,
      train,
      data: data.summary,
    },
    trainer: engineTrainer(trainer),
    fresh: !saved,
    seconds: saved?.state.seconds ?? 0,
    ...(stopRule && { stopRule }),
    ...(evaluate && {
      evaluate: (step: number) => evaluate(native().trainerTensors(trainer), step, threads),
    }),
    async save(step, seconds) {
      const rule = stopRule?.();
      const state: TrainerState = {
        format: 1,
        stage,
        step,
        seconds,
        train: { ...train },
        data: dataState(data),
        ...(rule && { stopRule: rule }),
      };
      const tensors = native().trainerTensors(trainer);
      const training = { tensors: native().trainerState(trainer), state: { ...state } };
      await saveCheckpoint(output, { config, tensors }, training);
    },
  };
}

function dataState({ summary }: LoadedData): NonNullable<TrainerState['data']> {
  const { fingerprint, splits, cut } = summary;
  return { fingerprint, splits, cut };
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
function parameterCount(form: NativeModelConfig): number {
  return native()
    .parameterLayout(form)
    .filter(({ trained }) => trained)
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
