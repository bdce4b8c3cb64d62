// What calls of a vision-language model take and give.

import { argumentError } from '../errors.js';
import { completeSchedule, type PathSchedule } from '../flow/path-schedule.js';
import type { NativeVlaInput, NativeVlaSample } from '../native.js';
import type { DecodeRule, StepRule } from '../plan-options.js';
import type { JanusConfig, JanusVisionConfig } from './janus-config.js';
import { towerPixels } from './tower-pixels.js';
import { checkRange, flag, integer, type TokenRange } from './vla-options.js';

/**
 * Which row sees which. `causal`: what comes before it and itself, as the language model was pre-trained. `full`: all see
 * all, as FUDOKI and WAM-Flow. `prefix`: the first rows see each other, the rest everything, which makes the cache of a
 * prefix exact.
 */
export type VlaMask = 'causal' | 'full' | 'prefix';

/** A schedule of the metric path, its kind named or told by its parameters. */
export type VlaPathSchedule =
  | PathSchedule
  | { a: number; c: number }
  | { initialWidth: number; finalWidth: number; power: number };

/** A sequence. */
export interface VlaInput {
  /** Token ids [tokens]. Image positions may hold anything. */
  ids: Int32Array | readonly number[];
  /** Not 0 where a position belongs to an image: they take the images' rows in order. Default no images. */
  imageMask?: ArrayLike<number | boolean>;
  /**
   * [images, 3, size, size]: channel, row, column, from -1 to 1 as `letterbox` gives them (`v / 127.5 - 1` of 8-bit
   * values). A tower whose configuration has `pixel_mean` and `pixel_std` is given its own form of them. Default no images.
   */
  pixels?: Float32Array;
  /** Default `full`. */
  mask?: VlaMask;
  /** Rows of the prefix: needed by the mask `prefix`. */
  prefixRows?: number;
  /** Aborts the call between two layers; it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Arguments of {@link VlaModel.forward}. */
export interface VlaForward extends VlaInput {
  /** Rows that logits are wanted of, or `all` (the default). */
  rows?: 'all' | ArrayLike<number>;
  /** Whether to return hidden states. */
  hidden?: boolean;
  /** Whether to return what the vision tower and the aligner give. */
  vision?: boolean;
}

/** What {@link VlaModel.forward} gives. */
export interface VlaLogits {
  /**
   * [rows, vocab], shifted by one: what a row says is the head of the hidden state before it, so that it is the prediction
   * of its own token. Row 0 is 0.
   */
  logits: Float32Array;
  /** [tokens, hidden] after the final norm. */
  hidden?: Float32Array;
  /** [images, image tokens, vision width] before the aligner. */
  features?: Float32Array;
  /** [images, image tokens, hidden]: the rows that stand at image positions. */
  aligned?: Float32Array;
}

/** Arguments of {@link VlaModel.sample}. */
export interface VlaSample extends VlaInput {
  /** Rows whose tokens are refined, ascending. */
  positions: ArrayLike<number>;
  /** Tokens that they are taken from. Default the whole vocabulary. */
  range?: TokenRange;
  /** 1 to 4096, default 5. */
  steps?: number;
  /**
   * How x_t moves (docs/flow.md): `released`, the default, is what foreign weights were evaluated with; its first step
   * never moves anything.
   */
  rule?: StepRule;
  /** Which token of the posterior is x_1. Default `argmax`; ties go to the least id, `sample` with `topK` 1 draws among them. */
  decode?: DecodeRule;
  /** The same in the last step. Default `decode`. */
  lastDecode?: DecodeRule;
  /** Of `sample`; default 1. */
  temperature?: number;
  /** Of `sample`: the largest that are kept, ties included; 0, the default, keeps all. */
  topK?: number;
  /** The path's schedule. Default the published one, beta = c (t / (1 - t))^a with 0.9 and 3. */
  schedule?: VlaPathSchedule;
  /**
   * What the network reads at the positions in the first step, in place of the tokens that the chain begins with: a token
   * that weights were trained to read at time 0. Default none.
   */
  maskId?: number;
  /** Chains of one input, 1 to 4096, each with random numbers of its own; a kept prefix is computed once. Default 1. */
  samples?: number;
  /** Whether rows of the prefix are computed once (masks `prefix` and `causal`). Default true. */
  keepPrefix?: boolean;
  /** Of all random numbers that are not given; default 0. */
  seed?: number;
  /** Tokens to begin with [samples, positions]; default uniform over the range. */
  x0?: ArrayLike<number>;
  /** Uniforms of [0, 1), [samples, steps, positions] each: which x_1, whether to jump, where to. */
  uniforms?: { posterior?: Float32Array; jump?: Float32Array; draw?: Float32Array };
}

/** What {@link VlaModel.sample} gives. */
export interface VlaTokens {
  /** [samples, steps, positions]: tokens that each step began with. */
  states: Int32Array;
  /** [samples, steps, positions]: what each step took as x_1. */
  x1: Int32Array;
  /** [samples, positions]: x_1 of the last step. */
  final: Int32Array;
  /** [samples, steps, positions]: of x_1 under the softmax over the range. */
  logProbability: Float32Array;
  /** Milliseconds. */
  timing: { visionMs: number; prefixMs: number; stepMs: Float64Array };
}

const kNothing = new Float32Array(0);
const kMasks: readonly unknown[] = ['causal', 'full', 'prefix'];

/** Int32 copies of whole numbers; the addon checks their ranges. */
export function int32(name: string, values: ArrayLike<number>): Int32Array {
  if (values instanceof Int32Array) return values;
  if (typeof values !== 'object' || values === null || !Number.isInteger(values.length)) {
    throw argumentError(name, 'an array of integers', values);
  }
  return Int32Array.from(values, (value, i) => {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) return value;
    throw argumentError(`${name}[${i}]`, 'a 32-bit integer', value);
  });
}

/**
 * The input as the addon takes it. `prefixRows`: where the caller said nothing. `vision`: of the model, whose tower may
 * want other pixels; without it they are left as they are.
 */
export function nativeInput(
  input: VlaInput,
  prefixRows: number,
  vision?: JanusVisionConfig,
): NativeVlaInput {
  const ids = int32('ids', input.ids);
  const { imageMask, pixels = kNothing, mask = 'full' } = input;
  if (!(pixels instanceof Float32Array)) throw argumentError('pixels', 'a Float32Array', pixels);
  if (!kMasks.includes(mask)) throw argumentError('mask', "'causal', 'full' or 'prefix'", mask);
  if (imageMask !== undefined && imageMask?.length !== ids.length) {
    throw argumentError('imageMask', `${ids.length} elements`, imageMask, 'ERR_SHAPE');
  }
  const marks = new Uint8Array(ids.length);
  for (let i = 0; i < marks.length; i += 1) marks[i] = imageMask?.[i] ? 1 : 0;
  const rows = integer('prefixRows', input.prefixRows ?? prefixRows, 0, ids.length);
  const seen = vision ? towerPixels(vision, pixels) : pixels;
  return { ids, imageMask: marks, pixels: seen, mask, prefixRows: rows };
}

/** A schedule as the addon takes it; default the published one. */
export function nativeSchedule(
  schedule: VlaPathSchedule = { kind: 'published' },
): NativeVlaSample['schedule'] {
  if (typeof schedule !== 'object' || schedule === null) {
    throw argumentError(
      'schedule',
      "an object { kind: 'published' | 'kernel_width', ... }",
      schedule,
    );
  }
  if ('kind' in schedule) return completeSchedule(schedule);
  if ('a' in schedule) return completeSchedule({ kind: 'published', ...schedule });
  return completeSchedule({ kind: 'kernel_width', ...schedule });
}

/** A sampling request as the addon takes it. */
export function nativeSample(
  request: VlaSample,
  { language: { vocab_size: vocab }, vision }: JanusConfig,
): NativeVlaSample {
  const positions = int32('positions', request.positions);
  const range = request.range ?? { begin: 0, end: vocab };
  checkRange('range', range, vocab);
  const { uniforms = {} } = request;
  const uniform = (name: 'posterior' | 'jump' | 'draw') => {
    const values = uniforms[name] ?? kNothing;
    if (values instanceof Float32Array) return values;
    throw argumentError(`uniforms.${name}`, 'a Float32Array', values);
  };
  return {
    ...nativeInput(request, positions[0] ?? 0, vision),
    positions,
    ...range,
    steps: integer('steps', request.steps ?? 5, 1, 4096),
    rule: request.rule ?? 'released',
    decode: request.decode ?? 'argmax',
    lastDecode: request.lastDecode ?? request.decode ?? 'argmax',
    temperature: request.temperature ?? 1,
    topK: integer('topK', request.topK ?? 0, 0, vocab),
    schedule: nativeSchedule(request.schedule),
    maskId: request.maskId === undefined ? -1 : integer('maskId', request.maskId, 0, vocab - 1),
    samples: integer('samples', request.samples ?? 1, 1, 4096),
    keepPrefix: flag('keepPrefix', request.keepPrefix ?? true),
    seed: integer('seed', request.seed ?? 0, 0, Number.MAX_SAFE_INTEGER),
    x0: int32('x0', request.x0 ?? []),
    posterior: uniform('posterior'),
    jump: uniform('jump'),
    draw: uniform('draw'),
  };
}
