import { argumentError } from '../errors.js';
import {
  dimension,
  type KernelOptions,
  kernelAddon,
  kernelEngine,
  perRow,
  rowsOf,
} from '../kernel-addon.js';
import type { PdmVersion } from '../sim/pdm-scorer.js';
import { kSubScores, type SubScore } from '../sim/score-rows.js';
import { IGNORED_TARGET } from './loss.js';

/** Arguments of {@link policyLoss}. */
export interface PolicyLossInput extends KernelOptions {
  /** [rows, vocab] of the policy that is being trained. */
  logits: Float32Array;
  vocab: number;
  /** [rows] the tokens that were drawn, or {@link IGNORED_TARGET}: all results of that row are 0. */
  token: Int32Array;
  /** [rows] log probability of `token`, at the same temperature, under the policy that drew it. */
  oldLogProbability: Float32Array;
  /** Of each row, or of all. */
  advantage: number | Float32Array;
  /** Factor of each row's loss; default 1/(number of rows that count), so that the losses add up to the mean. */
  weight?: number | Float32Array;
  /** [rows, vocab] logits of the reference policy; default none, and no divergence. */
  reference?: Float32Array;
  /** Both policies are softmax(logits / temperature). Default 1. */
  temperature?: number;
  /** The ratio is cut to [1 - clip, 1 + clip]. Default 0.2. */
  clip?: number;
  /** Weight of the divergence. Default 0. */
  klBeta?: number;
  /** `exact` (default): over the vocabulary. `k3`: of the token alone, x - log x - 1 with x = q(token) / p(token). */
  kl?: 'exact' | 'k3';
}

/** Results of {@link policyLoss}, each [rows] but for `total` and `dlogits` [rows, vocab]. */
export interface PolicyLossResult {
  loss: Float32Array;
  /** Sum of the losses. */
  total: number;
  /** p(token) / exp(oldLogProbability), not clipped. At most e^80. */
  ratio: Float32Array;
  /** Divergence from the reference, 0 without one. */
  kl: Float32Array;
  /** Of the token under the policy. */
  logProbability: Float32Array;
  /** Gradient of `total`. */
  dlogits: Float32Array;
}

/**
 * Clipped policy objective of GRPO with a divergence from a reference (WAM-Flow equation 10), a row an action token:
 * weight (-min(r A, clamp(r, 1 - clip, 1 + clip) A) + klBeta KL(p || q)), r the ratio and A the advantage.
 *
 * @throws WamFlowError `ERR_SHAPE`, `ERR_RANGE` for tokens outside the vocabulary, `ERR_ARGUMENT`
 */
export function policyLoss(input: PolicyLossInput): PolicyLossResult {
  const { logits, token, oldLogProbability, reference } = input;
  const { temperature = 1, clip = 0.2, klBeta = 0, kl: form = 'exact' } = input;
  const vocab = dimension('vocab', input.vocab);
  const rows = rowsOf('logits', logits, vocab);
  if (!(temperature > 0 && temperature < Infinity)) {
    throw argumentError('temperature', 'a number > 0', temperature);
  }
  if (!(clip >= 0)) throw argumentError('clip', 'a number >= 0', clip);
  if (!(klBeta >= 0)) throw argumentError('klBeta', 'a number >= 0', klBeta);
  if (form !== 'exact' && form !== 'k3') throw argumentError('kl', "'exact' or 'k3'", form);
  const counted = token.reduce((count, id) => count + Number(id !== IGNORED_TARGET), 0);
  const weight = perRow('weight', input.weight ?? 1 / Math.max(counted, 1), rows);
  const advantage = perRow('advantage', input.advantage, rows);
  const row = () => new Float32Array(rows);
  const [loss, ratio, kl, logProbability] = [row(), row(), row(), row()];
  const dlogits = new Float32Array(logits.length);
  const rates = { temperature, clip, klBeta, exactKl: form === 'exact' };
  const given = { logits, token, oldLogProbability, advantage, weight, reference };
  const results = { loss, ratio, kl, logProbability, dlogits };
  kernelAddon().policyLoss(kernelEngine(input), { rows, vocab, ...rates, ...given, ...results });
  return { ...results, total: loss.reduce((sum, value) => sum + value, 0) };
}

/** Arguments of {@link groupAdvantages}. */
export interface GroupAdvantagesInput {
  /** Rewards of whole groups, one group after the other. */
  reward: Float64Array;
  /** Plans of a group; default all of `reward`. */
  group?: number;
  /**
   * `mean` (default, the paper's): R - mean. `standardised`: (R - mean) / (population deviation + 1e-8). `leave-one-out`:
   * R - mean of the others.
   */
  kind?: 'mean' | 'standardised' | 'leave-one-out';
}

/**
 * Advantage of each plan over its group, as `reward` is laid out. Exactly 0 in a group of equal rewards.
 *
 * @throws WamFlowError `ERR_SHAPE` when there is no whole number of groups, `ERR_ARGUMENT`
 */
export function groupAdvantages(input: GroupAdvantagesInput): Float64Array {
  const { reward, kind = 'mean' } = input;
  const group = dimension('group', input.group ?? reward.length);
  const groups = rowsOf('reward', reward, group);
  const out = new Float64Array(reward.length);
  kernelAddon().groupAdvantages({ groups, group, reward, kind, out });
  return out;
}

/** Weights of the sub-scores that {@link pdmReward} takes the mean of; not negative, not all 0. */
export interface PdmRewardWeights {
  egoProgress: number;
  timeToCollisionWithinBound: number;
  laneKeeping: number;
  comfort: number;
}

/** Arguments of {@link pdmReward}. */
export interface PdmRewardInput {
  /** Each [n] in [0, 1]. Those that are not given, or that the version does not count, are 1. */
  subScores: Partial<Record<SubScore, ArrayLike<number>>>;
  /** `v1` (default): no lights, no direction, no lane keeping, unless that has a weight. `v2`: all. */
  version?: PdmVersion;
  /** Default those of the version: 5 progress, 5 time to collision, 2 comfort, and in version 2 2 lane keeping. */
  weights?: Partial<PdmRewardWeights>;
}

const kNotInV1: ReadonlySet<SubScore> = new Set([
  'trafficLightCompliance',
  'drivingDirectionCompliance',
]);

/**
 * Reward of n plans from their sub-scores: product of the multipliers times the weighted mean of the others (WAM-Flow
 * equation 9). With the weights of the version it is the PDM score of the frame.
 *
 * @throws WamFlowError `ERR_SHAPE` for sub-scores of different lengths, `ERR_RANGE` for weights
 */
export function pdmReward(input: PdmRewardInput): Float64Array {
  const { subScores, version = 'v1' } = input;
  if (version !== 'v1' && version !== 'v2') throw argumentError('version', "'v1' or 'v2'", version);
  const given = Object.values(subScores).filter((column) => column !== undefined);
  const count = dimension('subScores', given[0]?.length ?? 0);
  const parts = new Float64Array(count * kSubScores.length).fill(1);
  kSubScores.forEach((name, k) => {
    const column = subScores[name];
    if (column === undefined) return;
    if (column.length !== count) {
      throw argumentError(`subScores.${name}`, `${count} elements`, column, 'ERR_SHAPE');
    }
    if (version === 'v1' && kNotInV1.has(name)) return;
    for (let i = 0; i < count; i += 1) parts[i * kSubScores.length + k] = column[i]!;
  });
  const { egoProgress = 5, timeToCollisionWithinBound = 5 } = input.weights ?? {};
  const { laneKeeping = version === 'v1' ? 0 : 2, comfort = 2 } = input.weights ?? {};
  const weights = Float64Array.of(egoProgress, timeToCollisionWithinBound, laneKeeping, comfort);
  const out = new Float64Array(count);
  kernelAddon().pdmReward({ count, subScores: parts, weights, out });
  return out;
}
