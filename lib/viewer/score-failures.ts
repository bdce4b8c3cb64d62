import type { Explanation } from '../sim/explanation.js';
import type { PdmScores } from '../sim/pdm-scores.js';
import { stepsOf } from '../sim/score-rows.js';
import { kRolloutStates, type ScoreFailure } from './score-case.js';

/** Corners of the ego box in the order of a {@link ScoreFailure}. */
const kCorners = ['front-left', 'rear-left', 'rear-right', 'front-right'] as const;
/** Steps whose way is summed for the driving direction, the last one's apart, and that lane keeping allows off the line. */
const kDirectionSteps = 10;
const kLaneSteps = 20;

/** Where ids of a scene stand in its case. */
export interface CaseIndex {
  agent: ReadonlyMap<string, number>;
  lane: ReadonlyMap<string, number>;
}

/** The lost marks of trajectory `i` with where to draw them. `scores` has explanations. */
export function failuresOf(scores: PdmScores, i: number, index: CaseIndex): ScoreFailure[] {
  return scores.explanations![i]!.map((explanation) => {
    const { object, laneId, corner, step } = explanation;
    return {
      metric: explanation.metric,
      score: explanation.score,
      forgiven: explanation.forgiven,
      text: explanation.text,
      timeS: explanation.timeS,
      step: step === null ? null : Math.min(kRolloutStates - 1, Math.max(0, step)),
      stretches: stretchesOf(explanation, scores, i),
      agent: (object && index.agent.get(object.token)) ?? null,
      lookAheadS: explanation.lookAheadS,
      corner: corner === null ? null : (kCorners.indexOf(corner) as 0 | 1 | 2 | 3),
      lane: laneId === null ? null : (index.lane.get(laneId) ?? null),
    };
  });
}

function stretchesOf({ metric, step }: Explanation, scores: PdmScores, i: number) {
  switch (metric) {
    case 'drivableAreaCompliance':
      return runsOf(stepsOf(scores.flags.nonDrivable[i]!));
    case 'drivingDirectionCompliance': {
      const last = step ?? 0;
      const within = (k: number): boolean => k >= last - kDirectionSteps && k <= last;
      // The way to a step counts, so that a run begins one step before it.
      return runsOf(stepsOf(scores.flags.offRoute[i]!).filter(within)).map(
        ([from, to]): [number, number] => [Math.max(0, from - 1), to],
      );
    }
    case 'laneKeeping': {
      const last = step ?? 0;
      return [[Math.max(0, last - kLaneSteps + 1), last] as [number, number]];
    }
    default:
      return [];
  }
}

/** Runs [first, last] of ascending steps. */
export function runsOf(steps: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const step of steps) {
    const run = runs.at(-1);
    if (run && run[1] === step - 1) run[1] = step;
    else runs.push([step, step]);
  }
  return runs;
}
