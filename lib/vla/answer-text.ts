import { argumentError } from '../errors.js';
import type { DecodeRule, StepRule } from '../plan-options.js';
import type { TextTokenizer } from '../tokens/text-tokenizer.js';
import type { VlaModel } from './vla-model.js';
import type { VlaPrompt } from './vla-planner.js';
import { integer } from './vla-options.js';
import { int32 } from './vla-requests.js';
import type { VlaSettings } from './vla-settings.js';

/** How weights were trained to answer. */
export type AnswerSettings = Pick<
  VlaSettings,
  'mask' | 'decoding' | 'answerTokens' | 'schedule' | 'maskToken'
>;

/** Options of {@link answerText}. */
export interface AnswerTextOptions {
  /** Refinement steps of a flow, default 5. */
  steps?: number;
  /** How they move; default `renoise`. */
  rule?: StepRule;
  /** How a token is chosen from its posterior; default `argmax`. */
  decode?: DecodeRule;
  /** Default 0. */
  seed?: number;
  signal?: AbortSignal;
}

/**
 * What a model says behind a prompt. Weights of a flow refine a fixed number of tokens over the whole vocabulary, all at
 * once; others say the most likely token, one after the other. The answer ends at the first end of sentence.
 *
 * @throws (rejects) as `VlaModel.sample` and `VlaModel.forward`
 */
export async function answerText(
  model: VlaModel,
  tokenizer: TextTokenizer,
  settings: AnswerSettings,
  prompt: VlaPrompt,
  options: AnswerTextOptions = {},
): Promise<string> {
  const before = int32('prompt.ids', prompt?.ids);
  const { imageMask = new Uint8Array(before.length) } = prompt;
  if (imageMask.length !== before.length) {
    throw argumentError('prompt.imageMask', `${before.length} elements`, imageMask, 'ERR_SHAPE');
  }
  const room = integer('answerTokens', settings.answerTokens, 1, 4096);
  const answer = { before, room, isImage: Uint8Array.from(imageMask, (bit) => (bit ? 1 : 0)) };
  const tokens = await (settings.decoding === 'flow'
    ? refined(model, settings, prompt, answer, options)
    : oneByOne(model, tokenizer, settings, prompt, answer, options));
  const end = tokens.indexOf(tokenizer.special.endOfSentence.id);
  const said = end < 0 ? tokens : tokens.slice(0, end);
  return tokenizer.decode(said, { skipSpecial: true }).trim();
}

interface Answer {
  before: Int32Array;
  isImage: Uint8Array;
  /** Tokens of an answer at most. */
  room: number;
}

/** The first `tokens` of the answer behind the prompt. */
function sequence({ before, isImage }: Answer, answer: readonly number[], signal?: AbortSignal) {
  const ids = new Int32Array(before.length + answer.length);
  ids.set(before);
  ids.set(answer, before.length);
  const imageMask = new Uint8Array(ids.length);
  imageMask.set(isImage);
  return { ids, imageMask, ...(signal === undefined ? {} : { signal }) };
}

async function refined(
  model: VlaModel,
  { mask, schedule, maskToken }: AnswerSettings,
  { pixels }: VlaPrompt,
  answer: Answer,
  { steps = 5, rule = 'renoise', decode = 'argmax', seed = 0, signal }: AnswerTextOptions,
): Promise<Int32Array> {
  const { length } = answer.before;
  const { final } = await model.sample({
    ...sequence(answer, new Array<number>(answer.room).fill(0), signal),
    ...(pixels === undefined ? {} : { pixels }),
    ...(maskToken === null ? {} : { maskId: maskToken.id }),
    ...{ mask, schedule, steps, rule, decode, seed },
    prefixRows: length,
    positions: Array.from({ length: answer.room }, (_, i) => length + i),
  });
  return final;
}

async function oneByOne(
  model: VlaModel,
  tokenizer: TextTokenizer,
  { mask }: AnswerSettings,
  { pixels }: VlaPrompt,
  answer: Answer,
  { signal }: AnswerTextOptions,
): Promise<Int32Array> {
  const said: number[] = [];
  const { length } = answer.before;
  while (said.length < answer.room) {
    const at = length + said.length;
    const { logits } = await model.forward({
      ...sequence(answer, [...said, 0], signal), // what stands at the row itself is not read
      ...(pixels === undefined ? {} : { pixels }),
      ...{ mask, prefixRows: length },
      rows: [at],
    });
    const next = logits.indexOf(logits.reduce((most, value) => Math.max(most, value), -Infinity));
    if (next === tokenizer.special.endOfSentence.id) break;
    said.push(next);
  }
  return Int32Array.from(said);
}
