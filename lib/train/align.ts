// Stage `align`: a planner gets better at what the PDM score rewards, by GRPO.

import { resolve } from 'node:path';
import { argumentError } from '../errors.js';
import type { Checkpoint } from '../model/checkpoint.js';
import { toNativeConfig } from '../model/config.js';
import { native } from '../native.js';
import { toNativeAlign } from './align-recipe.js';
import { alignFigures, kAlignRow, probesOf, readProbe, stopRuleOf } from './align-rows.js';
import { setUpScenes } from './align-scenes.js';
import { type LoadedData, loadData } from './data.js';
import type { SetupEvent, StopRule } from './events.js';
import { loadFlow } from './load-flow.js';
import { type AlignOptions, alignParameters, checkSplits, type RunSettings } from './options.js';
import {
  loadSavedRun,
  plannerRun,
  requireSameData,
  type SavedRun,
  tensorsOf,
  threadsOf,
  trials,
} from './planner-run.js';
import type { StageRun } from './run-stage.js';
import { requireSame, restoreTrainer } from './state.js';

/** Loads everything that a run needs, sets its scenes up and makes its trainer. */
export async function* prepareAlign(
  options: AlignOptions,
  settings: RunSettings,
): AsyncGenerator<SetupEvent, StageRun, undefined> {
  const { output } = options;
  const saved = await loadSavedRun(options, 'align');
  const train = alignParameters(options, saved?.state.train);
  if (saved) requireSame(resolve(output), { train: saved.state.train }, { train });
  const { config, tensors } = saved ? resumed(saved) : await startModel(options);
  const data = await loadWindows(options, saved, settings.signal);
  requireSameData(output, saved, data);
  const evaluate = trials(options, settings, config, data);

  const { splits } = data.summary;
  const windows = data.scenarios.windows.filter(({ split }) => splits.includes(split));
  const { scenes, probes, refused } = yield* setUpScenes(windows, {
    ...train,
    step: saved?.state.step ?? 0,
    signal: settings.signal,
  });
  const threads = threadsOf(settings, train);
  const trainer = await native().createAligner(
    toNativeConfig(config),
    toNativeAlign(train),
    data.dataset,
    threads,
    tensors,
    { scenes, probes, weights: train.weights },
    settings.device,
  );
  if (saved) await restoreTrainer(trainer, saved.tensors, saved.state.step);

  let ruleThatEnded: StopRule | undefined = saved?.state.stopRule;
  const stopRule = () => ruleThatEnded;
  const run = { stage: 'align', output, saved, settings, config, train, data, threads } as const;
  const common = plannerRun({ ...run, trainer, evaluate, stopRule });
  const counts = { scenes: scenes.length, probes: probes.length, refused };
  return {
    ...common,
    start: { ...common.start, scenes: counts },
    rowLength: kAlignRow,
    summarize(rows) {
      ruleThatEnded = stopRuleOf(rows) ?? ruleThatEnded;
      return alignFigures(rows);
    },
    first: probes.length > 0 ? [readProbe(native().alignerStart(trainer), 0)] : [],
    probes: probesOf,
  };
}

/** The weights that the run started from are part of its state. */
function resumed({ config, tensors }: SavedRun): Pick<Checkpoint, 'config' | 'tensors'> {
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
  saved: SavedRun | undefined,
  signal: AbortSignal | undefined,
): Promise<LoadedData> {
  const { data, listed } = options;
  if (data === undefined) throw argumentError('data', 'paths or the result of readScenarios', data);
  const splits = checkSplits(options.splits ?? saved?.state.data?.splits);
  return loadData({ data, listed: listed ?? [] }, splits, false, signal);
}
