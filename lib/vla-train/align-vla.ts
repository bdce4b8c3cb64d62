// Stage `align` of vision-language models: plans drawn in groups, judged by the PDM score, learnt from by GRPO.

import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { CameraOptions } from '../camera/options.js';
import { chooseDevice, type DeviceOptions } from '../device.js';
import { argumentError, WamFlowError } from '../errors.js';
import { cameraOf } from '../eval/vision-planner.js';
import { CameraPictures } from '../eval/window-pictures.js';
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
import { integer } from '../vla/vla-options.js';
import { VlaPlanner } from '../vla/vla-planner.js';
import { kSettingsName, settingsText } from '../vla/vla-settings.js';
import { VlaTrainer } from '../vla/vla-trainer.js';
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
import {
  companionsOf,
  floatTensor,
  refuseModel,
  storedTensors,
  writeJanusSet,
} from './janus-set.js';
import { VlaRunStart } from './run-start.js';
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
  const known = new Set([
    ...['model', 'output', 'data', 'splits', 'camera', 'threads', 'checkpointEvery', 'logEvery'],
    ...['tensorboard', 'resume', 'overwrite', 'signal', 'device', 'precision', 'isa'],
    ...Object.keys(alignVlaRecipe()),
  ]);
  const unknown = Object.keys(options).filter((key) => !known.has(key));
  if (unknown.length > 0) {
    throw new WamFlowError(
      'ERR_ARGUMENT',
      `options: unknown for stage align: ${unknown.join(', ')}`,
    );
  }
  const { output, model, resume = false, threads, checkpointEvery, logEvery } = options;
  if (typeof output !== 'string' || output === '') {
    throw argumentError('output', 'the path of a folder', output);
  }
  if (!resume && (typeof model !== 'string' || model === '')) {
    throw argumentError('model', 'the path of a Janus directory', model);
  }
  const device = chooseDevice(options, 'cpu');
  if (device.precision !== 'fp32') {
    throw argumentError('options.precision', "'fp32': training is in float", device.precision);
  }
  return {
    device,
    threads: threads === undefined ? undefined : integer('threads', threads, 1, 256),
    checkpointEvery: integer('checkpointEvery', checkpointEvery ?? 50, 1, 1e9),
    logEvery: integer('logEvery', logEvery ?? 10, 1, 1e6),
    evalEvery: 0,
    tensorboard: options.tensorboard ?? true,
    signal: options.signal,
  };
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
  const { scenes, refused } = setUpAlignScenes(await windowsOf(options), train);
  yield { type: 'setup', step: saved?.state.step ?? 0, scenes: scenes.length, total: train.scenes };
  const data = scenesFingerprint(scenes);
  if (saved) requireSame(output, { data: saved.state.data }, { data });

  const stateAt = (step: number, seconds: number): VlaTrainerState => ({
    ...{ format: 1, family: 'vla', stage: 'align', step, seconds },
    ...{ train: { ...train }, data },
  });
  if (!saved) {
    const { opened, settings: before } = model;
    const tensors = await storedTensors(opened.directory, opened.files);
    await writeJanusSet(output, {
      config: (await readJson(join(opened.directory, kConfig), kConfig)) as object,
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
  const policy = new Policy(output, options, threads);
  let trainer: VlaTrainer | undefined;
  let reference: VlaTrainer | undefined;
  try {
    const planner = await policy.planner();
    const { ids } = planner.sequence(await promptOf(scenes[0]!, planner, policy.pictures(planner)));
    // Prompts differ by a few tokens of their numbers and commands.
    const maxTokens = ids.length + 32 + (train.group - 1) * (ids.length - prefixOf(planner, ids));
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
    const save = async (step: number, seconds: number) => {
      const stored = await storedTensors(output, [{ name: 'model.safetensors' }]);
      const now = new Map((await ready.weights(names)).map((t) => [t.name, floatTensor(t)]));
      await writeJanusSet(output, {
        config: (await readJson(join(output, kConfig), kConfig)) as object,
        tensors: stored.map((tensor) => now.get(tensor.name) ?? tensor),
        training: { tensors: await ready.state(), state: { ...stateAt(step, seconds) } },
      });
    };
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
        if (step > 0) await save(step, seconds);
      },
    };
  } catch (error) {
    await trainer?.close();
    await reference?.close();
    await policy.close();
    await start.remove();
    throw error;
  }
}

function prefixOf(planner: VlaPlanner, ids: Int32Array): number {
  return ids.length - planner.answer([]).length;
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

/**
 * The planner whose plans are judged: the weights of the trainer as they are, by way of a folder, since planners pack their
 * weights from files.
 */
class Policy {
  readonly #output: string;
  readonly #folder: string;
  readonly #options: AlignVlaOptions;
  readonly #threads: number;
  #planner: VlaPlanner | undefined;
  #pictures: CameraPictures | undefined;

  constructor(output: string, options: AlignVlaOptions, threads: number) {
    this.#output = output;
    this.#folder = join(output, `.policy-${process.pid}`);
    this.#options = options;
    this.#threads = threads;
  }

  async planner(): Promise<VlaPlanner> {
    this.#planner ??= await this.#load(this.#output);
    return this.#planner;
  }

  pictures(planner: VlaPlanner): CameraPictures {
    this.#pictures ??= new CameraPictures(cameraOf(planner, this.#options.camera));
    return this.#pictures;
  }

  /** Takes the trainer's weights. */
  async update(trainer: VlaTrainer, names: readonly string[]): Promise<void> {
    const stored = await storedTensors(this.#output, [{ name: 'model.safetensors' }]);
    const now = new Map((await trainer.weights(names)).map((t) => [t.name, floatTensor(t)]));
    const { settings, opened } = await openVla(this.#output);
    await writeJanusSet(this.#folder, {
      config: (await readJson(join(this.#output, kConfig), kConfig)) as object,
      tensors: stored.map((tensor) => now.get(tensor.name) ?? tensor),
      files: {
        ...(await companionsOf(opened.directory)),
        [kSettingsName]: settingsText(settings),
      },
    });
    await this.#planner?.close();
    this.#planner = await this.#load(this.#folder);
  }

  async close(): Promise<void> {
    await this.#planner?.close();
    await this.#pictures?.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #load(folder: string): Promise<VlaPlanner> {
    return VlaPlanner.load(folder, { threads: this.#threads, ...deviceOf(this.#options) });
  }
}

interface Parts {
  trainer: VlaTrainer;
  reference: VlaTrainer | undefined;
  policy: Policy;
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
        const planner = await policy.planner();
        const groups = await drawGroups(parts, planner, update);
        const uneven = groups.filter((group) => !isEven(group));
        let figures = { loss: 0, gradNorm: 0, kl: 0 };
        const lr = rateAt(train, update);
        if (uneven.length > 0) {
          figures = await learn({ trainer, reference, planner, train }, uneven, lr);
        }
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
async function drawGroups(
  { scenes, train, policy }: Parts,
  planner: VlaPlanner,
  update: number,
): Promise<Group[]> {
  const pictures = policy.pictures(planner);
  const words = new Uint32Array(4);
  const groups: Group[] = [];
  for (let k = 0; k < train.batch; k += 1) {
    await setImmediate();
    const place = (update - 1) * train.batch + k;
    const round = Math.floor(place / scenes.length);
    // Each round through the scenes begins at another one.
    const shift = wordsFor(words, kOrder, train.seed, round)[0]! % scenes.length;
    const scene = scenes[(place + shift) % scenes.length]!;
    const prompt = await promptOf(scene, planner, pictures);
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

/** One update from groups whose plans are not all worth the same. */
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
  let examples = groups.map((group) => groupExample(planner, group, train));
  let kl = 0;
  if (reference) {
    const thought = await reference.logProbabilities(examples);
    let at = 0;
    let tokens = 0;
    examples = groups.map((group) => {
      const penalty = group.plan.logProbability.map((now, i) => {
        const further = now - thought[at + i]!;
        kl += further;
        tokens += 1;
        return train.klBeta * further;
      });
      at += penalty.length;
      return groupExample(planner, group, train, penalty);
    });
    kl /= tokens;
  }
  const { loss, gradNorm } = await trainer.step(examples, lr);
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return { loss, gradNorm, kl };
  throw new WamFlowError(
    'ERR_NOT_FINITE',
    `objective ${loss}, norm of the gradient ${gradNorm}; a smaller learning rate may help`,
  );
}

function rateAt({ lr, warmup, steps }: AlignVlaParameters, update: number): number {
  if (update <= warmup) return (lr * update) / warmup;
  const done = (update - warmup) / Math.max(1, steps - warmup + 1);
  return lr * 0.5 * (1 + Math.cos(Math.PI * Math.min(done, 1)));
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
