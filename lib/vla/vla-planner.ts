import { argumentError } from '../errors.js';
import type { StepRule } from '../plan-options.js';
import { NumericTokenizer, type NumericTokenizerOptions } from '../tokens/numeric-tokenizer.js';
import { loadModel, type VlaModel } from './vla-model.js';
import { integer, type VlaOptions } from './vla-options.js';
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
  /** The numeric tokens; `firstId` is the number of entries that the text tokenizer has without them. */
  numbers: NumericTokenizerOptions & { firstId: number };
  /** Default 8 waypoints of x and y without constant tokens. */
  answer?: AnswerForm;
  /** How weights were trained: `full` (the default) for FUDOKI and WAM-Flow, `prefix` for those of this package. */
  mask?: VlaMask;
}

/** What a plan is made from: the prompt up to where the answer begins. */
export interface VlaPrompt {
  /** Token ids; image positions may hold anything. */
  ids: ArrayLike<number>;
  /** Not 0 at image positions. */
  imageMask?: ArrayLike<number | boolean>;
  /** [images, 3, size, size], normalised. */
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
 * const planner = await VlaPlanner.load('./wam-flow-1.5b', { numbers: { firstId: tokenizer.size }, precision: 'bf16' });
 * const { trajectory } = await planner.plan({ ids, imageMask, pixels }, { steps: 5 });
 */
export class VlaPlanner {
  readonly model: VlaModel;
  readonly numbers: NumericTokenizer;
  readonly mask: VlaMask;
  /** Waypoints of a plan, and numbers of each. */
  readonly waypoints: number;
  readonly coordinates: number;
  /** Tokens of an answer; -1 where a number stands. */
  readonly #answer: Int32Array;

  private constructor(
    model: VlaModel,
    numbers: NumericTokenizer,
    mask: VlaMask,
    answer: Int32Array,
    coordinates: number,
  ) {
    this.model = model;
    this.numbers = numbers;
    this.mask = mask;
    this.#answer = answer;
    this.coordinates = coordinates;
    this.waypoints = answer.filter((id) => id < 0).length / coordinates;
  }

  /**
   * Loads a Janus, FUDOKI or WAM-Flow directory.
   *
   * @throws WamFlowError as `loadModel`; `ERR_CONFIG` when the numbers are not a grid, `ERR_RANGE` when the token table
   *   has no rows for them
   */
  static async load(directory: string, options: VlaPlannerOptions): Promise<VlaPlanner> {
    const { numbers, answer = {}, mask = 'full', ...rest } = options;
    const tokenizer = new NumericTokenizer(numbers);
    const { firstId, size } = tokenizer;
    const form = answerTokens(answer);
    const numeric = { begin: firstId, end: firstId + size };
    const model = await loadModel(directory, { ...rest, numeric });
    return new VlaPlanner(model, tokenizer, mask, form, answer.coordinates ?? 2);
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
    ids.set(
      this.#answer.map((id) => (id < 0 ? firstId : id)),
      length,
    );
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
