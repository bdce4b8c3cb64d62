// The mean of models' weights: what fine-tuning gained, with less of what it lost.

import { isDeepStrictEqual } from 'node:util';
import { argumentError, WamFlowError } from '../errors.js';
import type { NamedTensor } from '../native.js';
import type { Checkpoint } from './checkpoint.js';

/**
 * Weighted mean of models that were trained from one: of a supervised and its aligned model, of runs with different seeds
 * from the same start. Models that have no common ancestor have no meaningful mean.
 *
 * @param models of one configuration.
 * @param weights one a model, finite, of any sum but 0; they are divided by it. Default equal ones.
 * @throws WamFlowError `ERR_ARGUMENT` for no models or other numbers of weights, `ERR_CONFIG` when the configurations differ.
 */
export function averageModels(
  models: readonly Checkpoint[],
  weights: readonly number[] = models.map(() => 1),
): Omit<Checkpoint, 'directory'> {
  const [first] = models;
  if (!first) throw argumentError('models', 'at least one model', models);
  const shares = sharesOf(models, weights);
  for (const { directory, config } of models) {
    if (isDeepStrictEqual(config, first.config)) continue;
    const [field] = Object.keys(config).filter(
      (key) =>
        !isDeepStrictEqual(
          config[key as keyof typeof config],
          first.config[key as keyof typeof config],
        ),
    );
    throw new WamFlowError(
      'ERR_CONFIG',
      `${directory}: expected the configuration of ${first.directory}, but ${field ?? 'a field'} differs`,
    );
  }
  const tensors = first.tensors.map(({ name, shape }, i): NamedTensor => {
    const mean = new Float64Array(first.tensors[i]!.data.length);
    for (const [k, { tensors }] of models.entries()) {
      const share = shares[k]!;
      const { data } = tensors[i]!;
      for (let j = 0; j < mean.length; ++j) mean[j]! += share * data[j]!;
    }
    return { name, shape, data: Float32Array.from(mean) };
  });
  return { config: first.config, native: first.native, tensors };
}

/**
 * Weights of a mean, of sum 1.
 *
 * @throws WamFlowError `ERR_ARGUMENT` for another number of weights than models, and for weights without a finite sum
 */
export function sharesOf(models: readonly unknown[], weights: readonly number[]): number[] {
  const sum = Array.isArray(weights) ? weights.reduce((total, weight) => total + weight, 0) : 0;
  if (!Number.isFinite(sum) || sum === 0 || weights.length !== models.length) {
    throw argumentError('weights', `${models.length} numbers whose sum is not 0`, weights);
  }
  return weights.map((weight) => weight / sum);
}
