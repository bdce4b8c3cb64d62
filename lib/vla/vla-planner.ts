import { argumentError, WamFlowError } from '../errors.js';
import type { DecodeRule, StepRule } from '../plan-options.js';
import { NumericTokenizer, type NumericTokenizerOptions } from '../tokens/numeric-tokenizer.js';
import { TextTokenizer } from '../tokens/text-tokenizer.js';
import { type CheckpointInspection, inspectCheckpoint } from './inspect-checkpoint.js';
import type { HeadingNetwork } from './heading-network.js';
import { posesOfPath, withHeadings } from './path-heading.js';
import { reducePlans, type VlaReduce } from './reduce-plans.js';
import { publishedAnswer, type SceneView, type SceneWording, scenePrompt } from './scene-prompt.js';
import { loadInspected, type VlaModel } from './vla-model.js';
import { integer, type VlaOptions, vlaOptions } from './vla-options.js';
import { int32, type VlaMask, type VlaPathSchedule } from './vla-requests.js';
import { kSettingsName, readVlaSettings, type VlaSettings } from './vla-settings.js';

/** Constant tokens around the numbers of an answer; those left out are not there. */
export interface AnswerForm {
  /** Waypoints of a plan, default 8. */
  waypoints?: number;
  /** Numbers of a waypoint: 2 for x and y (metres, the default), 3 with heading. */
  coordinates?: 2 | 3;
  /** Before the first number (Janus: the token of a space). */
  leadId?: number;
  /** Between two numbers (a comma). */
  separatorId?: number;
  /** After the last (end of sentence). */
  endId?: number;
}

/** Options of {@link VlaPlanner.load}. */
export interface VlaPlannerOptions extends Omit<VlaOptions, 'numeric'> {
  /**
   * The numeric tokens; `firstId` is the number of entries that the text tokenizer has without them. Default those of
   * `tokenizer`.
   */
  numbers?: NumericTokenizerOptions & { firstId: number };
  /** Text and numbers. Default, where no `numbers` are given, the tokenizer of the directory. */
  tokenizer?: TextTokenizer;
  /**
   * Default 8 waypoints of x and y: with a tokenizer in the published form ({@link publishedAnswer}), without one bare
   * numbers.
   */
  answer?: AnswerForm;
  /**
   * How weights were trained: `full` for FUDOKI and WAM-Flow, `prefix` for those of this package. Default as the directory
   * says, else `full`.
   */
  mask?: VlaMask;
  /** What a view is put into, for {@link VlaPlanner.planView}. Default the directory's. */
  wording?: SceneWording;
  /**
   * What plans are made with where a call says nothing else. Schedule and mask token are by default what the directory says,
   * as are `rule` and `decode` where it says anything.
   */
  plan?: VlaPlanDefaults;
  /** Of plans without headings. Default the direction of motion. */
  headings?: HeadingNetwork;
}

/** What a plan is made from, as {@link scenePrompt} gives it: the prompt up to where the answer begins. */
export interface VlaPrompt {
  /** Token ids; image positions may hold anything. */
  ids: ArrayLike<number>;
  /** Not 0 at image positions. */
  imageMask?: ArrayLike<number | boolean>;
  /** [images, 3, size, size], from -1 to 1 as `letterbox` gives them. */
  pixels?: Float32Array;
}

/** Options of {@link VlaPlanner.plan} that a directory or a planner may have defaults for. */
export interface VlaPlanDefaults {
  /** Refinement steps. Default 1 for weights of this package (five lower the PDM score of `vla-mini`, docs/results.md), else 5. */
  steps?: number;
  /** Default `renoise` for weights of this package, else `integrated`: the first step counts too. */
  rule?: StepRule;
  /** How a number is chosen from its posterior. Default `median` for weights of this package, else `argmax`. */
  decode?: DecodeRule;
  /** The same in the last step. Default `decode`. */
  lastDecode?: DecodeRule;
  /** Of `sample`; default 1. */
  temperature?: number;
  /** Of `sample`: the most likely that are kept; 0, the default: all. */
  topK?: number;
  /** Of the path. Default the published one. */
  schedule?: VlaPathSchedule;
  /** Token that the network reads at time 0, in the first step; default the random numbers that the chain begins with. */
  maskId?: number;
  /** Plans of the same prompt, 1 to 4096; with the mask `prefix` they share it. Default 1. */
  samples?: number;
  /** Of samples to the plan. Default `medoid`. */
  reduce?: VlaReduce;
}

/** What a planner's plans are made with at least. */
export type CompleteDefaults = VlaPlanDefaults &
  Required<Pick<VlaPlanDefaults, 'steps' | 'rule' | 'decode'>>;

/** Options of {@link VlaPlanner.plan}. */
export interface VlaPlanOptions extends VlaPlanDefaults {
  /** Default 0. */
  seed?: number;
  signal?: AbortSignal;
}

/** A plan. */
export interface VlaPlan {
  /** [waypoints, coordinates]: x, y (metres, ego frame: forward, left), then what the model's third number is. */
  trajectory: Float32Array;
  /** [waypoints, 3]: x, y and heading; with two coordinates that of `headings`, else of {@link headingsOfPath}. */
  poses: Float32Array;
  /** Each as `trajectory`. */
  samples: Float32Array[];
  /** The samples after each step reduced in the same way; the last one is `trajectory`. */
  refinements: Float32Array[];
  /** [samples, numbers]: token ids of the numbers. */
  tokens: Int32Array;
  /** [samples, numbers]: of each token among the numeric ones, under the last posterior. */
  logProbability: Float32Array;
  /** [samples, numbers]: token ids that the network read in the last step. */
  states: Int32Array;
  /** Milliseconds; a step is that of all samples. */
  timing: { visionMs: number; prefixMs: number; stepMs: Float64Array };
}

/**
 * Plans of a vision-language model in a fixed form: only the numbers of the answer are refined, and only numeric tokens
 * are considered for them, so that no answer is malformed.
 *
 * @example
 * const planner = await VlaPlanner.load('vla-mini');
 * const { poses } = await planner.planView({ images: [picture], fields: { command: 'turn left', vx: 8.3, vy: 0, ax: 0, ay: 0 } });
 */
export class VlaPlanner {
  readonly model: VlaModel;
  readonly numbers: NumericTokenizer;
  /** Undefined when the planner was loaded with `numbers` alone. */
  readonly tokenizer: TextTokenizer | undefined;
  readonly mask: VlaMask;
  /** What the directory says that its weights were trained with; undefined where it says nothing. */
  readonly settings: VlaSettings | undefined;
  readonly wording: SceneWording | null;
  /** What plans are made with where a call says nothing else. */
  readonly defaults: Readonly<CompleteDefaults>;
  /** Waypoints of a plan, and numbers of each. */
  readonly waypoints: number;
  readonly coordinates: 2 | 3;
  /** Tokens of an answer; -1 where a number stands. */
  readonly #answer: Int32Array;
  readonly #headings: HeadingNetwork | undefined;

  private constructor(parts: Parts) {
    this.model = parts.model;
    this.numbers = parts.numbers;
    this.mask = parts.mask;
    this.tokenizer = parts.tokenizer;
    this.settings = parts.settings;
    this.wording = parts.wording;
    this.defaults = parts.defaults;
    this.#answer = parts.answer;
    this.#headings = parts.headings;
    this.coordinates = parts.coordinates;
    this.waypoints = parts.answer.filter((id) => id < 0).length / parts.coordinates;
  }

  /**
   * Loads a Janus, FUDOKI or WAM-Flow directory. What options leave out is taken from its `wam_flow.json`, where it has one.
   *
   * @throws WamFlowError as `loadModel` and, for the tokenizer, `TextTokenizer.load`; `ERR_CONFIG` when the numbers are not
   *   a grid or the tokenizer has another number of image tokens, `ERR_RANGE` when the token table has no rows for all
   *   tokens
   */
  static async load(directory: string, options: VlaPlannerOptions = {}): Promise<VlaPlanner> {
    if (typeof options !== 'object' || options === null) {
      throw argumentError('options', 'an object', options);
    }
    const { numbers: given, tokenizer: text, answer, mask, wording, plan = {}, ...more } = options;
    const { headings, ...rest } = more;
    vlaOptions(rest); // a bad option before any file is read
    const opened = await inspectCheckpoint(directory);
    const settings = await readVlaSettings(opened.directory);
    const { numbers, tokenizer } = await vocabularyOf(opened, settings, given, text);
    const form = answer ?? (tokenizer ? publishedAnswer(tokenizer, settings?.plan ?? {}) : {});
    const tokens = answerTokens(form);
    checkHeadings(headings, form);
    const numeric = { begin: numbers.firstId, end: numbers.firstId + numbers.size };
    const model = await loadInspected(opened, { ...rest, numeric });
    return new VlaPlanner({
      ...{ model, tokenizer, settings, numbers, answer: tokens },
      mask: mask ?? settings?.mask ?? 'full',
      wording: wording ?? wordingOf(settings),
      defaults: { ...defaultsOf(settings), ...plan },
      coordinates: form.coordinates ?? 2,
      headings,
    });
  }

  /** Token ids of the answer's form, in which `numbers` stand, as many as {@link VlaPlan.tokens}. */
  answer(numbers: ArrayLike<number>): Int32Array {
    let at = 0;
    return this.#answer.map((id) => (id < 0 ? (numbers[at++] ?? this.numbers.firstId) : id));
  }

  /**
   * Plans from pictures and the values of the wording's fields, with the directory's tokenizer.
   *
   * @throws (rejects) as {@link VlaPlanner.prompt} and {@link VlaPlanner.plan}; WamFlowError `ERR_CONFIG` where there is no
   *   wording
   */
  async planView(view: SceneView, options: VlaPlanOptions = {}): Promise<VlaPlan> {
    return this.plan(await this.promptOf(view), options);
  }

  /**
   * What {@link VlaPlanner.planView} plans behind.
   *
   * @throws (rejects) as it
   */
  async promptOf(view: SceneView): Promise<VlaPrompt> {
    if (this.wording === null) {
      throw new WamFlowError('ERR_CONFIG', 'a view needs words, and this planner has no wording');
    }
    return this.prompt(this.wording, view);
  }

  /**
   * A picture and the state of the ego as a prompt: {@link scenePrompt} with the planner's tokenizer and image size.
   *
   * @throws (rejects) as `scenePrompt`; WamFlowError `ERR_TOKENIZER` when the planner was loaded without one
   */
  async prompt(wording: SceneWording, view: SceneView): Promise<VlaPrompt> {
    if (this.tokenizer === undefined) {
      throw new WamFlowError('ERR_TOKENIZER', 'the planner was loaded with numbers alone, no text');
    }
    const imageSize = wording.imageSize ?? this.model.config.vision.image_size;
    return scenePrompt(this.tokenizer, { ...wording, imageSize }, view);
  }

  /**
   * Plans behind a prompt.
   *
   * @throws (rejects) as `VlaModel.sample`
   */
  async plan(prompt: VlaPrompt, options: VlaPlanOptions = {}): Promise<VlaPlan> {
    const { reduce, ...request } = planRequest(this.defaults, options);
    const { steps, samples, maskId } = request;
    const out = await this.model.sample({ ...this.sequence(prompt), ...request });
    const count = out.final.length / samples;
    const plansAfter = (step: number) =>
      Array.from({ length: samples }, (_, s) => {
        const at = (s * steps + step) * count;
        return Float32Array.from(out.x1.subarray(at, at + count), (id) => this.numbers.decode(id));
      });
    const refinements = Array.from({ length: steps }, (_, k) =>
      reducePlans(reduce, plansAfter(k), this.coordinates),
    );
    const trajectory = refinements.at(-1)!;
    const lastStep = (i: number) =>
      (Math.floor(i / count) * steps + steps - 1) * count + (i % count);
    return {
      trajectory,
      poses: this.posesOf(trajectory),
      samples: plansAfter(steps - 1),
      refinements,
      tokens: out.final,
      logProbability: Float32Array.from(out.final, (_, i) => out.logProbability[lastStep(i)]!),
      states:
        steps === 1 && maskId !== undefined
          ? new Int32Array(out.final.length).fill(maskId)
          : out.final.map((_, i) => out.states[lastStep(i)]!),
      timing: out.timing,
    };
  }

  /**
   * A prompt with the answer's form behind it, and which of its tokens are numbers: what the model refines.
   *
   * @throws WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`
   */
  sequence(prompt: VlaPrompt) {
    const before = int32('prompt.ids', prompt?.ids);
    const { length } = before;
    const { firstId, size } = this.numbers;
    const ids = new Int32Array(length + this.#answer.length);
    ids.set(before);
    ids.set(this.answer([]), length);
    const imageMask = new Uint8Array(ids.length);
    imageMask.set(Array.from(prompt.imageMask ?? [], (value) => (value ? 1 : 0)).slice(0, length));
    if (prompt.imageMask !== undefined && prompt.imageMask.length !== length) {
      throw argumentError('prompt.imageMask', `${length} elements`, prompt.imageMask, 'ERR_SHAPE');
    }
    return {
      ids,
      imageMask,
      ...(prompt.pixels === undefined ? {} : { pixels: prompt.pixels }),
      mask: this.mask,
      prefixRows: length,
      positions: [...this.#answer.keys()]
        .filter((i) => this.#answer[i]! < 0)
        .map((i) => length + i),
      range: { begin: firstId, end: firstId + size },
    };
  }

  /** [waypoints, 3] of a trajectory or a sample: as it is, or with headings. */
  posesOf(trajectory: Float32Array): Float32Array {
    if (this.coordinates === 3) return trajectory;
    if (this.#headings === undefined) return posesOfPath(trajectory);
    return withHeadings(trajectory, this.#headings.headings(trajectory));
  }

  /** Ends the planner and its model. */
  close(): Promise<void> {
    return this.model.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface Parts {
  model: VlaModel;
  numbers: NumericTokenizer;
  mask: VlaMask;
  tokenizer: TextTokenizer | undefined;
  settings: VlaSettings | undefined;
  wording: SceneWording | null;
  defaults: CompleteDefaults;
  answer: Int32Array;
  coordinates: 2 | 3;
  headings: HeadingNetwork | undefined;
}

function checkHeadings(
  headings: HeadingNetwork | undefined,
  { waypoints = 8, coordinates = 2 }: AnswerForm,
): void {
  if (headings === undefined) return;
  if (coordinates === 3) {
    throw argumentError('headings', 'none, as the model says headings', headings);
  }
  if (headings.waypoints !== waypoints) {
    throw argumentError('headings', `a network for ${waypoints} waypoints`, headings.waypoints);
  }
}

/** The directory's tokenizer, whose numbers are those that the weights were trained with. */
async function loadTokenizer(
  directory: string,
  settings: VlaSettings | undefined,
): Promise<TextTokenizer> {
  if (!settings?.numbers) return TextTokenizer.load(directory);
  const { firstId, ...numbers } = settings.numbers;
  const tokenizer = await TextTokenizer.load(directory, { numbers });
  if (tokenizer.numbers.firstId === firstId) return tokenizer;
  throw new WamFlowError(
    'ERR_CONFIG',
    `${kSettingsName}: numbers.firstId is ${firstId}, the tokenizer's first number is ${tokenizer.numbers.firstId}`,
  );
}

function wordingOf(settings: VlaSettings | undefined): SceneWording | null {
  if (!settings?.wording) return null;
  const { image, template, wording } = settings;
  if ([...image.mean, ...image.std].some((value) => value !== 0.5)) {
    throw new WamFlowError(
      'ERR_CONFIG',
      `${kSettingsName}: expected image.mean and image.std 0.5, as pictures are normalised here`,
    );
  }
  return { ...wording, template, imageSize: image.size, background: image.background };
}

function defaultsOf(settings: VlaSettings | undefined): CompleteDefaults {
  if (settings === undefined) return { steps: 5, rule: 'integrated', decode: 'argmax' };
  const { schedule, maskToken } = settings;
  return {
    ...{ steps: 1, rule: 'renoise', decode: 'median', schedule },
    ...(maskToken === null ? {} : { maskId: maskToken.id }),
  };
}

const kReduces: readonly unknown[] = ['first', 'medoid', 'mean'];

/** What is asked of the model: the call's options, then the planner's, then the defaults. */
function planRequest(defaults: CompleteDefaults, options: VlaPlanOptions) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const merged: VlaPlanOptions & CompleteDefaults = { ...defaults, ...Object.fromEntries(given) };
  const { seed = 0, samples = 1, reduce = 'medoid' } = merged;
  if (!kReduces.includes(reduce)) {
    throw argumentError('reduce', "'first', 'medoid' or 'mean'", reduce);
  }
  return { ...merged, seed, samples, reduce };
}

/** What stands for numbers, and for words where they are known. */
interface Vocabulary {
  numbers: NumericTokenizer;
  tokenizer: TextTokenizer | undefined;
}

async function vocabularyOf(
  { directory, config }: CheckpointInspection,
  settings: VlaSettings | undefined,
  numbers: VlaPlannerOptions['numbers'],
  given: TextTokenizer | undefined,
): Promise<Vocabulary> {
  if (numbers !== undefined) {
    return { numbers: new NumericTokenizer(numbers), tokenizer: given };
  }
  const tokenizer = given ?? (await loadTokenizer(directory, settings));
  const { imageTokens, idLimit } = tokenizer;
  if (idLimit > config.language.vocab_size) {
    throw new WamFlowError(
      'ERR_RANGE',
      `${directory}: the tokenizer has ids up to ${idLimit - 1}, numbers included, and the token table only ` +
        `${config.language.vocab_size} rows: it is another model's, or numbers were never added to this one`,
    );
  }
  if (imageTokens !== config.vision.image_tokens) {
    throw new WamFlowError(
      'ERR_CONFIG',
      `${directory}: the tokenizer (processor_config.json) puts ${imageTokens} image tokens for a picture, the tower gives ` +
        `${config.vision.image_tokens}`,
    );
  }
  return { numbers: tokenizer.numbers, tokenizer };
}

/** Token ids of an answer of this form, with `number` wherever a number stands. */
export function answerIds(form: AnswerForm, number: number): Int32Array {
  return answerTokens(form).map((id) => (id < 0 ? number : id));
}

/** Tokens of an answer; -1 where a number stands. */
function answerTokens(form: AnswerForm): Int32Array {
  const { waypoints = 8, coordinates = 2, leadId, separatorId, endId } = form;
  const count = integer('answer.waypoints', waypoints, 1, 256);
  const width = integer('answer.coordinates', coordinates, 2, 3);
  const tokens: number[] = leadId === undefined ? [] : [leadId];
  for (let i = 0; i < count * width; i += 1) {
    if (i > 0 && separatorId !== undefined) tokens.push(separatorId);
    tokens.push(-1);
  }
  if (endId !== undefined) tokens.push(endId);
  for (const id of tokens) if (id !== -1) integer('answer', id, 0, 2 ** 31 - 1);
  return Int32Array.from(tokens);
}
