import { argumentError, WamFlowError } from '../errors.js';
import type { StepRule } from '../plan-options.js';
import { NumericTokenizer, type NumericTokenizerOptions } from '../tokens/numeric-tokenizer.js';
import { TextTokenizer } from '../tokens/text-tokenizer.js';
import { type CheckpointInspection, inspectCheckpoint } from './inspect-checkpoint.js';
import { publishedAnswer, type SceneView, type SceneWording, scenePrompt } from './scene-prompt.js';
import { loadInspected, type VlaModel } from './vla-model.js';
import { integer, type VlaOptions, vlaOptions } from './vla-options.js';
import { int32, type VlaMask } from './vla-requests.js';

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
  /** How weights were trained: `full` (the default) for FUDOKI and WAM-Flow, `prefix` for those of this package. */
  mask?: VlaMask;
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

/** Options of {@link VlaPlanner.plan}. */
export interface VlaPlanOptions {
  /** Refinement steps, default 5. */
  steps?: number;
  /** Default `integrated`: the first step counts too. */
  rule?: StepRule;
  /** Default 0. */
  seed?: number;
  signal?: AbortSignal;
}

/** A plan. */
export interface VlaPlan {
  /** [waypoints, coordinates]: x, y (metres, ego frame: forward, left), then what the model's third number is. */
  trajectory: Float32Array;
  /** The trajectory after each step; the last one is `trajectory`. */
  refinements: Float32Array[];
  /** Token ids of the numbers. */
  tokens: Int32Array;
  /** Of each token among the numeric ones, under the last posterior. */
  logProbability: Float32Array;
  /** Milliseconds. */
  timing: { visionMs: number; prefixMs: number; stepMs: Float64Array };
}

/**
 * Plans of a vision-language model in a fixed form: only the numbers of the answer are refined, and only numeric tokens
 * are considered for them, so that no answer is malformed.
 *
 * @example
 * const planner = await VlaPlanner.load('./wam-flow-1.5b', { precision: 'bf16' });
 * const prompt = await planner.prompt(wording, { images: [await readImage('front.jpg')], fields });
 * const { trajectory } = await planner.plan(prompt, { steps: 5 });
 */
export class VlaPlanner {
  readonly model: VlaModel;
  readonly numbers: NumericTokenizer;
  /** Undefined when the planner was loaded with `numbers` alone. */
  readonly tokenizer: TextTokenizer | undefined;
  readonly mask: VlaMask;
  /** Waypoints of a plan, and numbers of each. */
  readonly waypoints: number;
  readonly coordinates: number;
  /** Tokens of an answer; -1 where a number stands. */
  readonly #answer: Int32Array;

  private constructor(
    model: VlaModel,
    { numbers, tokenizer }: Vocabulary,
    mask: VlaMask,
    answer: Int32Array,
    coordinates: number,
  ) {
    this.model = model;
    this.numbers = numbers;
    this.tokenizer = tokenizer;
    this.mask = mask;
    this.#answer = answer;
    this.coordinates = coordinates;
    this.waypoints = answer.filter((id) => id < 0).length / coordinates;
  }

  /**
   * Loads a Janus, FUDOKI or WAM-Flow directory.
   *
   * @throws WamFlowError as `loadModel` and, for the tokenizer, `TextTokenizer.load`; `ERR_CONFIG` when the numbers are not
   *   a grid or the tokenizer has another number of image tokens, `ERR_RANGE` when the token table has no rows for all
   *   tokens
   */
  static async load(directory: string, options: VlaPlannerOptions = {}): Promise<VlaPlanner> {
    if (typeof options !== 'object' || options === null) {
      throw argumentError('options', 'an object', options);
    }
    const { numbers: given, tokenizer: text, answer, mask = 'full', ...rest } = options;
    vlaOptions(rest); // a bad option before any file is read
    const opened = await inspectCheckpoint(directory);
    const vocabulary = await vocabularyOf(opened, given, text);
    const { numbers, tokenizer } = vocabulary;
    const form = answer ?? (tokenizer ? publishedAnswer(tokenizer) : {});
    const tokens = answerTokens(form);
    const numeric = { begin: numbers.firstId, end: numbers.firstId + numbers.size };
    const model = await loadInspected(opened, { ...rest, numeric });
    return new VlaPlanner(model, vocabulary, mask, tokens, form.coordinates ?? 2);
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
    const { image_size: imageSize } = this.model.config.vision;
    return scenePrompt(this.tokenizer, { imageSize, ...wording }, view);
  }

  /** Token ids of the answer's form, in which `numbers` stand, as many as {@link VlaPlan.tokens}. */
  answer(numbers: ArrayLike<number>): Int32Array {
    let at = 0;
    return this.#answer.map((id) => (id < 0 ? (numbers[at++] ?? this.numbers.firstId) : id));
  }

  /**
   * Plans behind a prompt.
   *
   * @throws (rejects) as `VlaModel.sample`
   */
  async plan(prompt: VlaPrompt, options: VlaPlanOptions = {}): Promise<VlaPlan> {
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
    const { steps = 5, rule = 'integrated', seed = 0, signal } = options;
    const out = await this.model.sample({
      ids,
      imageMask,
      ...(prompt.pixels === undefined ? {} : { pixels: prompt.pixels }),
      mask: this.mask,
      prefixRows: length,
      positions: [...this.#answer.keys()]
        .filter((i) => this.#answer[i]! < 0)
        .map((i) => length + i),
      range: { begin: firstId, end: firstId + size },
      ...{ steps, rule, seed },
      ...(signal === undefined ? {} : { signal }),
    });
    const count = out.final.length;
    const refinements = Array.from({ length: steps }, (_, k) =>
      this.#values(out.x1.subarray(k * count, (k + 1) * count)),
    );
    return {
      trajectory: refinements.at(-1)!,
      refinements,
      tokens: out.final,
      logProbability: out.logProbability.slice((steps - 1) * count),
      timing: out.timing,
    };
  }

  /** Ends the planner and its model. */
  close(): Promise<void> {
    return this.model.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #values(tokens: Int32Array): Float32Array {
    return Float32Array.from(tokens, (id) => this.numbers.decode(id));
  }
}

/** What stands for numbers, and for words where they are known. */
interface Vocabulary {
  numbers: NumericTokenizer;
  tokenizer: TextTokenizer | undefined;
}

async function vocabularyOf(
  { directory, config }: CheckpointInspection,
  numbers: VlaPlannerOptions['numbers'],
  given: TextTokenizer | undefined,
): Promise<Vocabulary> {
  if (numbers !== undefined) {
    return { numbers: new NumericTokenizer(numbers), tokenizer: given };
  }
  const tokenizer = given ?? (await TextTokenizer.load(directory));
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
