// Conversations as examples of the trainer: which rows count, which tokens they may be, and the times of their noised copies.

import type { EncodedConversation } from '../conversation/conversation-mix.js';
import type { TokenRange } from '../vla/vla-options.js';
import type { VlaExample } from '../vla/vla-trainer.js';
import { purposeOf, unitOf, wordsFor } from './draws.js';
import type { VlaTrainParameters } from './vla-recipe.js';

/** Times are below this: at 1 nothing is left to be learnt. */
const kTimeEnd = 0.999;
const kTimes = purposeOf('training times');
const kNoise = purposeOf('training noise');

type Draws = Pick<VlaTrainParameters, 'seed' | 'copies' | 'zeroFraction'>;

/**
 * Times of the copies of an example, a function of seed, update and place alone: one in each of as many equal parts of
 * [0, 1), then 0 for a share of them.
 */
export function noiseTimes(draws: Draws, update: number, place: number): Float64Array {
  const { seed, copies, zeroFraction } = draws;
  const words = new Uint32Array(4);
  return Float64Array.from({ length: copies }, (_, copy) => {
    wordsFor(words, kTimes, seed, update, place * 64 + copy);
    const isZero = unitOf(words[1]!) < zeroFraction;
    return isZero ? 0 : (kTimeEnd * (copy + unitOf(words[0]!))) / copies;
  });
}

/** Seed of the noise of an example. */
export function noiseSeed({ seed }: Pick<Draws, 'seed'>, update: number, place: number): number {
  const words = wordsFor(new Uint32Array(4), kNoise, seed, update, place);
  return words[0]! * 2 ** 21 + (words[1]! >>> 11);
}

/** What examples are made with. */
export interface ExampleForm {
  train: VlaTrainParameters;
  /** Numeric tokens; undefined when the model has none. */
  numeric: TokenRange | undefined;
}

/** Example `place` of update `update`, from 1 on. */
export function noisedExample(
  conversation: EncodedConversation,
  { train, numeric }: ExampleForm,
  update: number,
  place: number,
): VlaExample {
  const { ids, imageMask, pixels, answerStart, counted, form, targets = ids } = conversation;
  const { mask } = train;
  // Labels of patches are said by what is always there: there is nothing to refine.
  const isFlow = mask !== 'causal' && form !== 'patches';
  return {
    ids,
    imageMask,
    ...(pixels === undefined ? {} : { pixels }),
    mask,
    prefixRows: mask === 'prefix' ? answerStart : 0,
    targets,
    counted,
    ...(isFlow && form === 'numbers' && numeric ? { range: numeric } : {}),
    ...(isFlow && {
      noise: { times: noiseTimes(train, update, place), seed: noiseSeed(train, update, place) },
    }),
  };
}
