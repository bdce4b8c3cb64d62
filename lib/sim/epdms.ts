import { argumentError } from '../errors.js';
import { extendedComfort } from './drive.js';

/** Sub-scores of one frame of version 2, as the extended PDM score weighs them. */
export interface FrameScores {
  /** Product of the multipliers: collisions, area, lights, direction. */
  product: number;
  egoProgress: number;
  ttc: number;
  laneKeeping: number;
  historyComfort: number;
}

/**
 * Extended PDM score (EPDMS) of a frame.
 *
 * @param comfort extended comfort with the frame before, 0 or 1; null when there is none: its weight is taken out.
 */
export function epdms(frame: FrameScores, comfort: number | null): number {
  const { product, egoProgress, ttc, laneKeeping, historyComfort } = frame;
  const sum = 5 * egoProgress + 5 * ttc + 2 * laneKeeping + 2 * historyComfort;
  return product * (comfort === null ? sum / 14 : (sum + 2 * comfort) / 16);
}

/** One scored frame of a two-stage run. */
export interface TwoStageRow extends FrameScores {
  token: string;
  /** Seconds. */
  startTimeS: number;
  /** Where the plan (not the drive) ends after 4 s: `[x, y]`, global frame. */
  endpoint: readonly [number, number];
  /** Rear axle at the frame's beginning: `[x, y]`, global frame. */
  startPoint: readonly [number, number];
  /** [41, 11]. */
  rollout: Float64Array;
}

/** A first-stage frame, the frame before it, and the pairs that follow up on them. */
export interface TwoStageMapping {
  now: string;
  previous: string;
  /** `[now, previous]` of each follow-up. */
  secondStage: readonly (readonly [string, string])[];
}

/** What a frame got, and its part of its stage. */
export interface TwoStageFrame {
  token: string;
  weight: number;
  extendedComfort: number;
  score: number;
}

/** Result of {@link aggregateTwoStage}. */
export interface TwoStageResult {
  frames: TwoStageFrame[];
  score: number;
  stageOneScore: number;
  stageTwoScore: number;
}

/** Square metres; distances of follow-ups are weighed by a Gaussian. */
const kVariance = 0.1;
/** Weights that sum to less are replaced by equal ones. */
const kLeastWeight = 1e-8;

/**
 * Final score of a two-stage run (navhard): follow-ups are weighed by how near they begin to where the first plan ends.
 *
 * @throws WamFlowError `ERR_ARGUMENT` for tokens without a row and empty lists.
 */
export function aggregateTwoStage(
  rows: readonly TwoStageRow[],
  mappings: readonly TwoStageMapping[],
): TwoStageResult {
  if (mappings.length === 0) throw argumentError('mappings', 'at least one', mappings);
  const byToken = new Map(rows.map((row) => [row.token, row]));
  const find = (token: string, path: string): TwoStageRow => {
    const row = byToken.get(token);
    if (!row) throw argumentError(path, 'the token of a row', token);
    return row;
  };
  const frames = new Map<string, TwoStageFrame>();
  const groups = mappings.map((mapping, m) => {
    const path = `mappings[${m}]`;
    if (mapping.secondStage.length === 0) {
      throw argumentError(`${path}.secondStage`, 'at least one pair', mapping.secondStage);
    }
    const now = find(mapping.now, `${path}.now`);
    const previous = find(mapping.previous, `${path}.previous`);
    const pairs = mapping.secondStage.map(
      ([a, b], i) =>
        [find(a, `${path}.secondStage[${i}][0]`), find(b, `${path}.secondStage[${i}][1]`)] as const,
    );
    const first = scorePair([now, previous], [1, 1]);
    const weights = ([now, previous] as const).map((frame, k) =>
      followUpWeights(
        frame,
        pairs.map((pair) => pair[k]!),
      ),
    );
    const second = pairs.map((pair, i) => scorePair(pair, [weights[0]![i]!, weights[1]![i]!]));
    for (const frame of [...first, ...second.flat()]) frames.set(frame.token, frame);
    return [0, 1].map((k) => ({
      one: first[k]!.score,
      two: second.reduce((sum, pair) => sum + pair[k]!.weight * pair[k]!.score, 0),
    }));
  });
  const factors = groups.flat();
  return {
    frames: rows.flatMap(({ token }) => frames.get(token) ?? []),
    // A group's score is the mean of its two products, so the mean over groups is the mean over all products.
    score: mean(factors.map(({ one, two }) => one * two)),
    stageOneScore: mean(factors.map(({ one }) => one)),
    stageTwoScore: mean(factors.map(({ two }) => two)),
  };
}

/** Scores a frame and the one before it; extended comfort is one value for both. */
function scorePair(
  [now, previous]: readonly [TwoStageRow, TwoStageRow],
  weights: readonly [number, number],
): [TwoStageFrame, TwoStageFrame] {
  const intervalS = now.startTimeS - previous.startTimeS;
  const comfort = extendedComfort(now.rollout, previous.rollout, intervalS).comfortable ? 1 : 0;
  const frame = (row: TwoStageRow, weight: number): TwoStageFrame => ({
    token: row.token,
    weight,
    extendedComfort: comfort,
    score: epdms(row, comfort),
  });
  return [frame(now, weights[0]), frame(previous, weights[1])];
}

function followUpWeights(first: TwoStageRow, followUps: readonly TwoStageRow[]): number[] {
  const weights = followUps.map(({ startPoint }) => {
    const x = startPoint[0] - first.endpoint[0];
    const y = startPoint[1] - first.endpoint[1];
    return Math.exp(-(x * x + y * y) / (2 * kVariance));
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (!(sum > kLeastWeight)) return weights.map(() => 1 / weights.length);
  return weights.map((weight) => weight / sum);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
