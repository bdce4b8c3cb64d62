// Stage `distill`: a model learns the plans that it draws itself in several steps, to need fewer.

import { loadFlow } from './load-flow.js';
import { resolve } from 'node:path';
import { argumentError, WamFlowError } from '../errors.js';
import { loadTraining, saveCheckpoint } from '../model/checkpoint.js';
import { toNativeConfig } from '../model/config.js';
import { native } from '../native.js';
import type { DistillParameters } from './align-recipe.js';
import { type DistillOptions, distillParameters, type RunSettings } from './options.js';
import type { StageRun } from './run-stage.js';
import {
  freshState,
  kSftRow,
  loadSftData,
  parameterCount,
  summarizeSft,
  tensorsOf,
  trials,
} from './sft.js';
import { checkState, requireSame, restoreTrainer, type TrainerState } from './state.js';

/** Loads everything that a run needs and makes its trainer. */
export async function prepareDistill(
  options: DistillOptions,
  settings: RunSettings,
): Promise<StageRun> {
  const output = resolve(options.output);
  const saved = options.resume ? await loadSaved(output) : undefined;
  const train = distillParameters(options, saved?.state.train);
  if (saved) requireSame(output, { train: saved.state.train }, { train });
  const { config, tensors } = saved
    ? { config: saved.config, tensors: tensorsOf(saved.tensors, 'teacher.') }
    : await teacherModel(options);
  const data = await loadSftData(options, saved?.state, settings.signal);
  const { fingerprint, splits, cut } = data.summary;
  if (saved)
    requireSame(output, { data: saved.state.data }, { data: { fingerprint, splits, cut } });
  const evaluate = trials(options, settings, config, data);
  settings.signal?.throwIfAborted();

  const form = toNativeConfig(config);
  const useful = settings.device.device === 'cpu' ? train.microBatches : 1;
  const threads = settings.threads ?? Math.min(native().cpuInfo().hardwareThreads, useful);
  const { sft, teacher } = split(train);
  const trainer = await native().createDistiller(
    form,
    sft,
    data.dataset,
    threads,
    tensors,
    teacher,
    settings.device,
  );
  if (saved) await restoreTrainer(trainer, saved.tensors, saved.state.step);
  else await restoreTrainer(trainer, freshState(tensors), 0);
  return {
    start: {
      type: 'start',
      stage: 'distill',
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
    save: async (step, seconds) => {
      const state: TrainerState = {
        format: 1,
        stage: 'distill',
        step,
        seconds,
        train: { ...train },
        data: { fingerprint, splits, cut },
      };
      const weights = native().trainerTensors(trainer);
      const training = { tensors: native().trainerState(trainer), state: { ...state } };
      await saveCheckpoint(output, { config, tensors: weights }, training);
    },
  };
}

async function loadSaved(output: string) {
  const training = await loadTraining(output);
  if (!training) {
    throw new WamFlowError('ERR_CHECKPOINT_NOT_FOUND', `${output}: no run that could be resumed`);
  }
  return { ...training, state: checkState(training.state, 'distill', output) };
}

async function teacherModel({ model }: DistillOptions) {
  if (typeof model === 'string') return loadFlow(model);
  throw argumentError('model', 'mini or the folder of the model that teaches', model);
}

function split(train: DistillParameters) {
  const { teacherSteps, teacherSamples, teacherTarget, teacherTemperature, teacherRule, ...sft } =
    train;
  return {
    sft,
    teacher: {
      steps: teacherSteps,
      samples: teacherSamples,
      target: teacherTarget,
      temperature: teacherTemperature,
      rule: teacherRule,
    },
  };
}
