// Stage `align` of vision-language models: plans drawn in groups, judged by the PDM score, learnt from by GRPO.

import { join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { CameraOptions } from '../camera/options.js';
import { type DeviceOptions, kDeviceKeys } from '../device.js';
import { argumentError, WamFlowError } from '../errors.js';
import { kConfig } from '../model/checkpoint-files.js';
import { readJson } from '../model/read-json.js';
import { native } from '../native.js';
import { readScenarios } from '../scenario/read.js';
import type { ScenarioData, ScenarioWindow } from '../scenario/types.js';
import type { SetupEvent, TrainEvent } from '../train/events.js';
import type { RunSettings } from '../train/options.js';
import { runStage, type StageRun, type StageTrainer } from '../train/run-stage.js';
import { requireSame } from '../train/state.js';
import { openVla } from '../vla/open-vla.js';
import { trainableNames } from '../vla/trainable.js';
import { kVlaDefaults } from '../vla/vla-options.js';
import type { VlaPlanner } from '../vla/vla-planner.js';
import { kSettingsName, settingsText } from '../vla/vla-settings.js';
import { VlaTrainer } from '../vla/vla-trainer.js';
import { AlignPolicy } from './align-policy.js';
import { diversityOf, type Group, groupExample, isEven } from './align-rollouts.js';
import {
  type AlignScene,
  promptOf,
  rewardsOf,
  scenesFingerprint,
  setUpAlignScenes,
} from './align-scene.js';
import { type AlignVlaParameters, alignVlaParameters, alignVlaRecipe } from './align-vla-recipe.js';
import { purposeOf, wordsFor } from './draws.js';
import { companionsOf, refuseModel, storedTensors, writeJanusSet } from './janus-set.js';
import { VlaRunStart } from './run-start.js';
import { vlaRunSettings } from './vla-options.js';
import { learningRateAt } from './vla-recipe.js';
import { saveTrained } from './vla-run.js';
import { loadVlaRun, type VlaTrainerState } from './vla-state.js';

/** Options of {@link alignVla}. What is left out of the parameters is as {@link alignVlaRecipe} has it. */
export interface AlignVlaOptions extends DeviceOptions, Partial<AlignVlaParameters> {
  /** Janus directory to start from and to stay near to. Not needed with `resume`. */
  model?: string;
  /** Folder of the model, its training state and the log. */
  output: string;
  /** Folder or file of scenarios, or what `readScenarios` gave; its listed windows are used. */
  data: string | ScenarioData;
  /** Splits of the windows that are used. Default `train`. */
  splits?: readonly string[];
  /** Of the pictures beside their size, which is the model's. */
  camera?: CameraOptions;
  threads?: number;
  /** Default 50. */
  checkpointEvery?: number;
  /** Default 10. */
  logEvery?: number;
  tensorboard?: boolean;
  resume?: boolean;
  overwrite?: boolean;
  signal?: AbortSignal;
}

/** Numbers of a row: update, objective, norm, rate, reward, best, spread, uneven, divergence, diversity. */
const kRow = 10;
const kRunKeys = [
  ...['model', 'output', 'data', 'splits', 'camera', 'threads', 'checkpointEvery', 'logEvery'],
  ...['tensorboard', 'resume', 'overwrite', 'signal', ...kDeviceKeys],
];
const kOrder = purposeOf('scenes of an update');
const kSeeds = purposeOf('plans of a scene');

/**
 * Makes a vision-language model better at what the PDM score rewards: plans of a scene are drawn in groups from what the
 * camera sees, scored, and learnt from by the clipped objective (paper, eq. 10); the divergence from the weights of the start
 * is taken from the advantage of each token. Events, checkpoints, stopping and resuming are those of {@link trainVla}.
 *
 * @throws as {@link trainVla}, and WamFlowError `ERR_SCENARIO`; `ERR_ARGUMENT` when no window can be scored
 */
export async function* alignVla(
  options: AlignVlaOptions,
): AsyncGenerator<TrainEvent, void, undefined> {
  const settings = runSettings(options);
  settings.signal?.throwIfAborted();
  if (!options.resume && !options.overwrite) await refuseModel(resolve(options.output));
  yield* runStage(yield* prepareAlignVla(options, settings), settings);
}

function runSettings(options: AlignVlaOptions): RunSettings {
  if (typeof options !== 'object' || options === null) {
    throw argumentError('options', 'an object', options);
  }
  const known: readonly string[] = [...kRunKeys, ...Object.keys(alignVlaRecipe())];
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new WamFlowError(
      'ERR_ARGUMENT',
      `options: unknown for stage align: ${unknown.join(', ')}; known are ${known.join(', ')}`,
    );
  }
  return vlaRunSettings(options, 50);
}

async function* prepareAlignVla(
  options: AlignVlaOptions,
  settings: RunSettings,
): AsyncGenerator<SetupEvent, StageRun, undefined> {
  const output = resolve(options.output);
  const saved = options.resume ? await loadVlaRun(output, 'align') : undefined;
  const train = alignVlaParameters(options, saved?.state.train ?? alignVlaRecipe());
  if (saved) requireSame(output, { train: saved.state.train }, { train });
  const model = await openVla(saved ? output : options.model!);
  const names = trainableNames(model.opened, train.trainable);
  const windows = await windowsOf(options);
  const { scenes, refused } = await setUpAlignScenes(windows, train, settings.signal);
  yield { type: 'setup', step: saved?.state.step ?? 0, scenes: scenes.length, total: train.scenes };
  const data = scenesFingerprint(scenes);
  if (saved) requireSame(output, { data: saved.state.data }, { data });

  const stateAt = (step: number, seconds: number): VlaTrainerState => ({
    ...{ format: 1, family: 'vla', stage: 'align', step, seconds },
    ...{ train: { ...train }, data },
  });
  if (!saved) {
    const { opened, settings: before } = model;
    const path = join(opened.directory, kConfig);
    const tensors = await storedTensors(opened.directory, opened.files);
    await writeJanusSet(output, {
      config: (await readJson(path, path)) as object,
      tensors,
      files: {
        ...(await companionsOf(opened.directory)),
        [kSettingsName]: settingsText({ ...before, stages: [...before.stages, 'align'] }),
      },
      base: tensors,
      training: { tensors: [], state: { ...stateAt(0, 0) } },
    });
  }
  const threads = settings.threads ?? native().cpuInfo().hardwareThreads;
  const start = await VlaRunStart.of(output, true);
  let policy: AlignPolicy | undefined;
  let trainer: VlaTrainer | undefined;
  let reference: VlaTrainer | undefined;
  try {
    policy = await AlignPolicy.load(output, { ...deviceOf(options), threads }, options.camera);
    // No prompt is longer than the planner takes.
    const answer = policy.planner.answer([]).length;
    const maxTokens = kVlaDefaults.maxTokens + (train.group - 1) * answer;
    const form = { maxTokens, maxCopies: train.group, threads, ...deviceOf(options) };
    const { beta1, beta2, eps, weightDecay, clip } = train;
    const optimiser = { beta1, beta2, eps, weightDecay, clip };
    trainer = await VlaTrainer.load(output, { ...form, ...optimiser, trainable: names });
    if (train.klBeta > 0) {
      const smallest = 'language_model.model.norm.weight'; // it only says what it thinks
      reference = await VlaTrainer.load(start.directory, { ...form, trainable: smallest });
    }
    if (saved && saved.state.step > 0) {
      const state = saved.tensors.map((tensor) => ({ ...tensor, shape: [...tensor.shape] }));
      await trainer.restore(state, saved.state.step);
    }
    const ready = trainer;
    const parts = { trainer, reference, policy, scenes, train, names };
    return {
      start: {
        ...{ type: 'start', stage: 'align', step: saved?.state.step ?? 0, steps: train.steps },
        parameters: (await trainer.weights(names)).reduce((sum, { data: d }) => sum + d.length, 0),
        ...{ threads, output, config: model.opened.config, train },
        scenes: { scenes: scenes.length, probes: 0, refused },
      },
      trainer: groupTrainer(parts, saved?.state.step ?? 0, () => start.remove()),
      rowLength: kRow,
      fresh: !saved,
      seconds: saved?.state.seconds ?? 0,
      summarize,
      save: async (step, seconds) => {
        if (step > 0) await saveTrained(output, ready, names, stateAt(step, seconds));
      },
    };
  } catch (error) {
    await trainer?.close();
    await reference?.close();
    await policy?.close();
    await start.remove();
    throw error;
  }
}

async function windowsOf({ data, splits = ['train'] }: AlignVlaOptions): Promise<ScenarioWindow[]> {
  if (data === undefined)
    throw argumentError('data', 'a path or the result of readScenarios', data);
  const { windows } = typeof data === 'string' ? await readScenarios(data) : data;
  return windows.filter(({ split }) => splits.includes(split));
}

function deviceOf({ device, precision }: DeviceOptions): DeviceOptions {
  return Object.fromEntries(
    Object.entries({ device, precision }).filter(([, value]) => value !== undefined),
  );
}

interface Parts {
  trainer: VlaTrainer;
  reference: VlaTrainer | undefined;
  policy: AlignPolicy;
  scenes: AlignScene[];
  train: AlignVlaParameters;
  names: readonly string[];
}

function groupTrainer(parts: Parts, begin: number, closed: () => Promise<void>): StageTrainer {
  const { trainer, reference, policy, train, names } = parts;
  let step = begin;
  let stopped = false;
  return {
    async run(updates) {
      const rows: number[] = [];
      for (let k = 0; k < updates && !stopped; k += 1) {
        const update = step + 1;
        if (step > 0) await policy.update(trainer, names);
        const { planner } = policy;
        const groups = await drawGroups(parts, update);
        const uneven = groups.filter((group) => !isEven(group));
        const lr = learningRateAt({ ...train, schedule: 'cosine' }, update);
        // Of groups that are all even only the divergence is learnt.
        const learnt = uneven.length > 0 ? uneven : groups;
        const figures = await learn({ trainer, reference, planner, train }, learnt, lr);
        const coordinates = planner.coordinates;
        const mean = (of: (group: Group) => number) =>
          groups.reduce((sum, group) => sum + of(group), 0) / groups.length;
        rows.push(
          ...[update, figures.loss, figures.gradNorm, lr],
          mean(({ rewards }) => rewards.reduce((sum, r) => sum + r, 0) / rewards.length),
          mean(({ rewards }) => Math.max(...rewards)),
          mean(({ rewards }) => deviation(rewards)),
          uneven.length / groups.length,
          figures.kl,
          mean((group) => diversityOf(group, coordinates)),
        );
        step = update;
      }
      return Float64Array.from(rows);
    },
    stop() {
      stopped = true;
    },
    async close() {
      await trainer.close();
      await reference?.close();
      await policy.close();
      await closed();
    },
  };
}

/** Plans of the scenes of an update, judged. */
async function drawGroups({ scenes, train, policy }: Parts, update: number): Promise<Group[]> {
  const { planner } = policy;
  const words = new Uint32Array(4);
  const groups: Group[] = [];
  for (let k = 0; k < train.batch; k += 1) {
    await setImmediate();
    const place = (update - 1) * train.batch + k;
    const round = Math.floor(place / scenes.length);
    // Each round through the scenes begins at another one.
    const shift = wordsFor(words, kOrder, train.seed, round)[0]! % scenes.length;
    const scene = scenes[(place + shift) % scenes.length]!;
    const prompt = await promptOf(scene, policy);
    const plan = await planner.plan(prompt, {
      steps: train.rolloutSteps[k % train.rolloutSteps.length]!,
      ...{ rule: train.rule, decode: 'sample', temperature: train.temperature },
      samples: train.group,
      seed: wordsFor(words, kSeeds, train.seed, place)[0]!,
    });
    groups.push({ prompt, plan, rewards: rewardsOf(scene, plan.samples, planner.coordinates) });
  }
  return groups;
}

/** One update from groups of plans. */
async function learn(
  {
    trainer,
    reference,
    planner,
    train,
  }: Omit<Parts, 'policy' | 'scenes' | 'names'> & {
    planner: VlaPlanner;
  },
  groups: readonly Group[],
  lr: number,
): Promise<{ loss: number; gradNorm: number; kl: number }> {
  const examples = groups.map((group) => groupExample(planner, group, train));
  let kl = 0;
  if (reference) {
    const before = await reference.logProbabilities(examples);
    let at = 0;
    for (const { chains } of examples) {
      // Further from the start than chance: less of an advantage.
      for (let i = 0; i < chains.chosen.length; i += 1) {
        const further = chains.logProbability[i]! - before[at++]!;
        chains.advantage[i]! -= train.klBeta * further;
        kl += further;
      }
    }
    kl /= at;
  }
  const { loss, gradNorm } = await trainer.step(examples, lr);
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return { loss, gradNorm, kl };
  throw new WamFlowError(
    'ERR_NOT_FINITE',
    `objective ${loss}, norm of the gradient ${gradNorm}; a smaller learning rate may help`,
  );
}

function deviation(values: Float64Array): number {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
}

/** Means over rows. */
function summarize(rows: Float64Array) {
  const count = rows.length / kRow;
  const mean = (column: number) => {
    let sum = 0;
    for (let at = column; at < rows.length; at += kRow) sum += rows[at]!;
    return sum / count;
  };
  return {
    loss: mean(1),
    gradNorm: mean(2),
    lr: rows[rows.length - kRow + 3]!,
    reward: mean(4),
    best: mean(5),
    spread: mean(6),
    uneven: mean(7),
    kl: mean(8),
    diversity: mean(9),
  };
}
