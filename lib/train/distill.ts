// Stage `distill`: a model learns the plans that it draws itself in several steps, to need fewer.

import { resolve } from 'node:path';
import { argumentError } from '../errors.js';
import { toNativeConfig } from '../model/config.js';
import { native } from '../native.js';
import type { DistillParameters } from './align-recipe.js';
import { loadFlow } from './load-flow.js';
import { type DistillOptions, distillParameters, type RunSettings } from './options.js';
import {
  freshState,
  loadSavedRun,
  plannerRun,
  requireSameData,
  tensorsOf,
  threadsOf,
  trials,
} from './planner-run.js';
import type { StageRun } from './run-stage.js';
import { kSftRow, loadSftData, summarizeSft } from './sft.js';
import { requireSame, restoreTrainer } from './state.js';

/** Loads everything that a run needs and makes its trainer. */
export async function prepareDistill(
  options: DistillOptions,
  settings: RunSettings,
): Promise<StageRun> {
  const { output } = options;
  const saved = await loadSavedRun(options, 'distill');
  const train = distillParameters(options, saved?.state.train);
  if (saved) requireSame(resolve(output), { train: saved.state.train }, { train });
  const { config, tensors } = saved
    ? { config: saved.config, tensors: tensorsOf(saved.tensors, 'teacher.') }
    : await teacherModel(options);
  const data = await loadSftData(options, saved?.state, settings.signal);
  requireSameData(output, saved, data);
  const evaluate = trials(options, settings, config, data);
  settings.signal?.throwIfAborted();

  const threads = threadsOf(settings, train);
  const { sft, teacher } = split(train);
  const trainer = await native().createDistiller(
    toNativeConfig(config),
    sft,
    data.dataset,
    threads,
    tensors,
    teacher,
    settings.device,
  );
  if (saved) await restoreTrainer(trainer, saved.tensors, saved.state.step);
  else await restoreTrainer(trainer, freshState(tensors), 0);
  const run = { stage: 'distill', output, saved, settings, config, train, data, threads } as const;
  return {
    ...plannerRun({ ...run, trainer, evaluate }),
    rowLength: kSftRow,
    summarize: summarizeSft,
  };
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
