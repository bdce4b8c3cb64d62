import { topkPosterior } from '../../kernels.js';
import { numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';

/** Posteriors after the released top-k rules. */
export const runTopkPosterior: GroupRunner = (check, golden, test, engine) => {
  const logits = golden.float32(test, 'logits');
  const vocab = golden.shape(test, 'logits').at(-1)!;
  const k = numberOf(test.k, 'k');
  const gumbel =
    test.gumbel_temperature === undefined
      ? {}
      : {
          uniform: golden.float32(test, 'uniform'),
          temperature: numberOf(test.gumbel_temperature, 'gumbel_temperature'),
        };
  const prob = topkPosterior({ logits, vocab, k, ...gumbel, ...engine });
  check.close('prob', prob, golden.floats(test, 'prob').data, { abs: golden.limit('abs') });
};
