// What the stages of a vision-language model share: the model made ready in the output folder, its trainer, its batches,
// its checkpoints.

import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { type ConversationMix, openConversations } from '../conversation/conversation-mix.js';
import { WamFlowError } from '../errors.js';
import type { FileData } from '../files.js';
import { kConfig } from '../model/checkpoint-files.js';
import { readJson } from '../model/read-json.js';
import type { FloatTensor, StreamedTensor } from '../model/safetensors.js';
import { type CheckpointTensor, native } from '../native.js';
import { TextTokenizer } from '../tokens/text-tokenizer.js';
import { readTokenizerFiles } from '../tokens/tokenizer-files.js';
import type { RunSettings } from '../train/options.js';
import type { StageRun, StageTrainer } from '../train/run-stage.js';
import { requireSame } from '../train/state.js';
import { inspectCheckpoint, readCheckpointValues } from '../vla/inspect-checkpoint.js';
import { type OpenedVla, openVla } from '../vla/open-vla.js';
import { trainableNames } from '../vla/trainable.js';
import { kSettingsName, settingsText, type VlaSettings } from '../vla/vla-settings.js';
import {
  type VlaExample,
  VlaTrainer,
  type VlaTrainerOptions,
  type VlaTrainingMemory,
  vlaTrainingMemory,
} from '../vla/vla-trainer.js';
import { rangeOf } from './create-vla.js';
import { companionsOf, floatTensor, storedTensors, writeJanusSet } from './janus-set.js';
import { type ExampleForm, noisedExample } from './noised-examples.js';
import { withNumericRows } from './numeric-rows.js';
import { VlaRunStart } from './run-start.js';
import { type VlaTrainOptions, vlaParameters } from './vla-options.js';
import {
  checkVlaParameters,
  learningRateAt,
  type VlaStage,
  type VlaTrainParameters,
  vlaRecipe,
} from './vla-recipe.js';
import { loadVlaRun, type VlaTrainerState } from './vla-state.js';

/** Numbers of a row of statistics: update, loss, norm of the gradient, learning rate, conversations, triplet loss. */
export const kVlaRow = 6;

const kTable = 'language_model.model.embed_tokens.weight';
const kHead = 'language_model.lm_head.weight';

/** Loads everything that a run needs, writes its first checkpoint, and makes its trainer. */
export async function prepareVla(
  options: VlaTrainOptions,
  settings: RunSettings,
): Promise<StageRun> {
  const { stage, signal } = options;
  const output = resolve(options.output);
  const saved = options.resume ? await loadVlaRun(output, stage) : undefined;
  const model = await openVla(saved ? output : options.model!);
  const { vision } = model.opened.config;
  const maskToken = model.settings.maskToken?.text ?? '';
  const base = saved?.state.train ?? { ...vlaRecipe(stage, vision.image_tokens), maskToken };
  const train = checkVlaParameters(stage, vlaParameters(options, base));
  if (saved) requireSame(output, { train: saved.state.train }, { train });

  const tokenizer = await stageTokenizer(stage, model);
  const maskId = maskIdOf(train, tokenizer);
  const names = trainedNames(model.opened, train); // a wrong choice before anything is written
  const template = options.template ?? model.settings.template;
  const system = options.system ?? options.wording?.system ?? model.settings.wording?.system;
  const mix = await openConversations(options.data, {
    tokenizer,
    imageSize: vision.image_size,
    template,
    answerTokens: train.answerTokens,
    answerNumbers: train.waypoints * train.coordinates,
    maxTokens: train.maxTokens,
    maxImages: train.maxImages,
    ...(system === undefined ? {} : { system }),
    ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
    ...(signal === undefined ? {} : { signal }),
  });
  let trainer: VlaTrainer | undefined;
  let start: VlaRunStart | undefined;
  try {
    const data = mix.fingerprint;
    if (saved) requireSame(output, { data: saved.state.data }, { data });
    signal?.throwIfAborted();
    const stateAt = (step: number, seconds: number): VlaTrainerState => ({
      ...{ format: 1, family: 'vla', stage, step, seconds },
      ...{ train: { ...train }, data },
    });
    const threads = settings.threads ?? native().cpuInfo().hardwareThreads;
    const form = trainerOptions({ stage, train, tokenizer, maskId, threads }, options);
    if (!saved) {
      const after = settingsAfter(model.settings, stage, train, tokenizer, {
        ...options,
        template,
      });
      const files = { [kSettingsName]: settingsText(after) };
      const start = { files, state: stateAt(0, 0), adapted: names.adapted };
      await writeStart(output, model, tokenizer, train, start);
    }
    const memory = await vlaTrainingMemory(output, form);
    refuseLarge(memory, settings);
    const before = await VlaRunStart.of(output, names.adapted.length > 0 && saved !== undefined);
    start = before;
    trainer = await VlaTrainer.load(before.directory, form);
    // Before the first update there is no state.
    if (saved && saved.state.step > 0) {
      const state = saved.tensors.map((tensor) => ({ ...tensor, shape: [...tensor.shape] }));
      await trainer.restore(state, saved.state.step);
    }
    const ready = trainer;
    const step = saved?.state.step ?? 0;
    const examples = { train, numeric: numericRange(tokenizer) };
    const { config, tensors } = await inspectCheckpoint(output);
    return {
      start: {
        type: 'start',
        stage,
        step,
        steps: train.steps,
        parameters: parametersOf(tensors, names, train),
        threads,
        output,
        config,
        train,
        memory,
        conversations: { used: mix.size, sets: mix.summary, fingerprint: data },
      },
      trainer: stageTrainer(ready, mix, examples, step, () => before.remove()),
      rowLength: kVlaRow,
      fresh: !saved,
      seconds: saved?.state.seconds ?? 0,
      summarize: (rows, seconds) => summarizeVla(rows, seconds, train),
      async save(at, seconds) {
        if (at === 0) return; // it was written before the trainer was made
        await saveTrained(
          output,
          ready,
          [...names.trained, ...names.adapted],
          stateAt(at, seconds),
        );
      },
    };
  } catch (error) {
    await trainer?.close();
    await start?.remove();
    await mix.close();
    throw error;
  }
}

/** Better than to be ended by the system after minutes of loading. */
function refuseLarge({ total, ...parts }: VlaTrainingMemory, { device }: RunSettings): void {
  if (device.device !== 'cpu' || total <= totalmem()) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const list = Object.entries(parts).map(([part, bytes]) => `${part} ${gigabytes(bytes)}`);
  throw new WamFlowError(
    'ERR_OUT_OF_MEMORY',
    `training takes ${gigabytes(total)} (${list.join(', ')}), this machine has ${gigabytes(totalmem())}; train less of the ` +
      'model, use adapters, recompute activations, or cut maxTokens',
  );
}

/** The tokenizer that a stage trains with: stage `embed` has numbers, whether the table had rows for them or not. */
async function stageTokenizer(stage: VlaStage, model: OpenedVla): Promise<TextTokenizer> {
  const { tokenizer, opened } = model;
  if (tokenizer.hasNumbers) return tokenizer;
  if (stage === 'embed') return new TextTokenizer(await readTokenizerFiles(opened.directory));
  if (stage !== 'sft') return tokenizer;
  throw new WamFlowError(
    'ERR_CONFIG',
    `stage sft: the token table of ${opened.directory} has no rows for numbers; stage embed appends them`,
  );
}

function numericRange({ hasNumbers, numbers }: TextTokenizer): ExampleForm['numeric'] {
  const { firstId, size } = numbers;
  return hasNumbers ? { begin: firstId, end: firstId + size } : undefined;
}

function maskIdOf({ maskToken }: VlaTrainParameters, tokenizer: TextTokenizer): number | undefined {
  if (maskToken === '') return undefined;
  const id = tokenizer.idOf(maskToken);
  if (id !== undefined) return id;
  throw new WamFlowError(
    'ERR_TOKENIZER',
    `maskToken: expected a token of the tokenizer, received ${JSON.stringify(maskToken)}`,
  );
}

/** What the weights of this run are trained with. */
function settingsAfter(
  before: VlaSettings,
  stage: VlaStage,
  train: VlaTrainParameters,
  tokenizer: TextTokenizer,
  { template, wording }: Pick<VlaTrainOptions, 'template' | 'wording'>,
): VlaSettings {
  const { maskToken, waypoints, coordinates, answerTokens, mask, path } = train;
  return {
    stages: [...before.stages, stage],
    mask,
    decoding: stage === 'causal' ? 'next' : 'flow',
    answerTokens,
    plan: stage === 'sft' ? { waypoints, coordinates } : before.plan,
    numbers: tokenizer.hasNumbers
      ? { firstId: tokenizer.numbers.firstId, ...rangeOf(tokenizer) }
      : null,
    maskToken: maskToken === '' ? null : { text: maskToken, id: maskIdOf(train, tokenizer)! },
    schedule: path,
    template: { ...before.template, ...template },
    wording: wording ?? before.wording,
    image: before.image,
  };
}

/** The model as the run starts with it, in the output folder: the given one, with rows for numbers in stage `embed`. */
async function writeStart(
  output: string,
  { opened, tokenizer: had }: OpenedVla,
  tokenizer: TextTokenizer,
  train: VlaTrainParameters,
  {
    files,
    state,
    adapted,
  }: { files: Record<string, FileData>; state: VlaTrainerState; adapted: readonly string[] },
): Promise<void> {
  const { directory } = opened;
  const path = join(directory, kConfig);
  const config = (await readJson(path, path)) as { language_config: object };
  let tensors = await storedTensors(directory, opened.files);
  if (tokenizer.hasNumbers && !had.hasNumbers) {
    const grown: StreamedTensor[] = [];
    const width = opened.config.language.hidden_size;
    for (const tensor of tensors) {
      if (tensor.name !== kTable && tensor.name !== kHead) continue;
      const data = await readCheckpointValues(directory, tensor.name);
      // The released code leaves new rows of the head to chance.
      const start = tensor.name === kTable ? train.rows : 'random';
      const table = { name: tensor.name, data, width };
      const rows = withNumericRows(table, tokenizer, start, train.seed);
      grown.push(
        floatTensor({ name: tensor.name, shape: [rows.length / width, width], data: rows }),
      );
    }
    tensors = replaced(tensors, grown);
    const vocab_size = grown[0]!.shape[0];
    config.language_config = { ...config.language_config, vocab_size };
  }
  await writeJanusSet(output, {
    config,
    tensors,
    files: { ...(await companionsOf(directory)), ...files },
    base: tensors.filter(({ name }) => adapted.includes(name)),
    training: { tensors: [], state: { ...state } },
  });
}

/** The output folder's model with the weights of the trainer, and what the run needs to go on. */
export async function saveTrained(
  output: string,
  trainer: VlaTrainer,
  names: readonly string[],
  state: VlaTrainerState,
): Promise<void> {
  const path = join(output, kConfig);
  const config = (await readJson(path, path)) as object;
  const tensorsOfRun: readonly FloatTensor[] = await trainer.state();
  await writeJanusSet(output, {
    config,
    tensors: await trainedTensors(output, trainer, names),
    training: { tensors: tensorsOfRun, state: { ...state } },
  });
}

/** The model of a run's folder with the weights of its trainer. What is not trained keeps its bytes. */
export async function trainedTensors(
  output: string,
  trainer: VlaTrainer,
  names: readonly string[],
): Promise<StreamedTensor[]> {
  const stored = await storedTensors(output, [{ name: 'model.safetensors' }]);
  return replaced(stored, (await trainer.weights(names)).map(floatTensor));
}

function replaced(
  tensors: readonly StreamedTensor[],
  by: readonly StreamedTensor[],
): StreamedTensor[] {
  const others = new Map(by.map((tensor) => [tensor.name, tensor]));
  return tensors.map((tensor) => others.get(tensor.name) ?? tensor);
}

interface TrainerForm {
  stage: VlaStage;
  train: VlaTrainParameters;
  tokenizer: TextTokenizer;
  maskId: number | undefined;
  threads: number;
}

function trainerOptions(
  { stage, train, tokenizer, maskId, threads }: TrainerForm,
  options: VlaTrainOptions,
): VlaTrainerOptions {
  const { device, isa, gpu, precision, recompute = false } = options;
  const given = Object.entries({ device, isa, gpu, precision }).filter(
    ([, value]) => value !== undefined,
  );
  const { weight, ...triplet } = train.triplet;
  const { firstId, size } = tokenizer.numbers;
  // A text answer, or one in numbers: each with a separator, a token before the first.
  const answer = Math.max(train.answerTokens, 2 * train.waypoints * train.coordinates + 2);
  const { beta1, beta2, eps, weightDecay, clip, smear } = train;
  return {
    ...Object.fromEntries(given),
    ...{ beta1, beta2, eps, weightDecay, clip, smear, threads, recompute },
    ...(train.trainable.length === 0 ? {} : { trainable: train.trainable }),
    ...(train.lora === null ? {} : { lora: { ...train.lora, seed: train.seed } }),
    maxTokens: Math.min(65_536, train.maxTokens + (train.copies - 1) * answer),
    maxImages: Math.max(1, train.maxImages),
    maxCopies: train.copies,
    schedule: train.path,
    ...(maskId === undefined ? {} : { maskId }),
    ...(stage === 'embed' && weight > 0
      ? { triplet: { ...triplet, weight, firstId, count: size, seed: train.seed } }
      : {}),
  };
}

/** Tensors that a run changes: itself, or by adapters. */
interface TrainedNames {
  trained: readonly string[];
  adapted: readonly string[];
}

function trainedNames(
  opened: OpenedVla['opened'],
  { trainable, lora }: VlaTrainParameters,
): TrainedNames {
  return {
    trained: trainable.length === 0 ? [] : trainableNames(opened, trainable),
    adapted: lora === null ? [] : trainableNames(opened, lora.targets),
  };
}

/** Updates one after the other; the next batch is made ready while the engine works on this one. */
function stageTrainer(
  trainer: VlaTrainer,
  mix: ConversationMix,
  form: ExampleForm,
  begin: number,
  closed: () => Promise<void>,
): StageTrainer {
  const { train } = form;
  let step = begin;
  let stopped = false;
  let ahead: { update: number; batch: Promise<VlaExample[]> } | undefined;

  const make = async (update: number): Promise<VlaExample[]> => {
    const request = { step: update - 1, count: train.batch, seed: train.seed };
    const conversations = await mix.batch(request);
    return conversations.map((conversation, i) => noisedExample(conversation, form, update, i));
  };
  const prepare = (update: number) => {
    const batch = make(update);
    batch.catch(() => {}); // whoever needs it awaits it
    ahead = { update, batch };
  };
  return {
    async run(updates) {
      const rows: number[] = [];
      for (let k = 0; k < updates && !stopped; k += 1) {
        const update = step + 1;
        const batch = await (ahead?.update === update ? ahead.batch : make(update));
        const lr = learningRateAt(train, update);
        const working = trainer.step(batch, lr);
        if (update < train.steps) prepare(update + 1);
        const { loss, gradNorm, tripletLoss } = await working;
        if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
          throw new WamFlowError(
            'ERR_NOT_FINITE',
            `update ${update}: loss ${loss}, norm of the gradient ${gradNorm}; a smaller learning rate may help`,
          );
        }
        rows.push(update, loss, gradNorm, lr, batch.length, tripletLoss);
        step = update;
      }
      return Float64Array.from(rows);
    },
    stop() {
      stopped = true;
    },
    async close() {
      await ahead?.batch.catch(() => {});
      await trainer.close();
      await closed();
      await mix.close();
    },
  };
}

/** Means over rows of statistics. */
function summarizeVla(rows: Float64Array, seconds: number, train: VlaTrainParameters) {
  const count = rows.length / kVlaRow;
  const mean = (column: number) => {
    let sum = 0;
    for (let at = column; at < rows.length; at += kVlaRow) sum += rows[at]!;
    return sum / count;
  };
  return {
    loss: mean(1),
    ...(train.triplet.weight > 0 && rows.some((v, i) => i % kVlaRow === 5 && v !== 0)
      ? { tripletLoss: mean(5) }
      : {}),
    gradNorm: mean(2),
    lr: rows[rows.length - kVlaRow + 3]!,
    conversationsPerSecond: (mean(4) * count) / seconds,
  };
}

/** Values that are trained. */
function parametersOf(
  tensors: readonly CheckpointTensor[],
  { trained, adapted }: TrainedNames,
  { lora }: VlaTrainParameters,
): number {
  return tensors.reduce((sum, { name, shape }) => {
    const own = trained.includes(name) ? shape.reduce((a, b) => a * b, 1) : 0;
    const adapters = adapted.includes(name) ? lora!.rank * (shape[0]! + shape[1]!) : 0;
    return sum + own + adapters;
  }, 0);
}
