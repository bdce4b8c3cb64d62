import type { Pose } from '../../case.js';
import type { ScoreAgent, ScoreCase, ScoredTrajectory, ScoreFailure } from '../../score-case.js';
import {
  agentFor,
  ahead,
  cornersOf,
  egoBox,
  overlapCenter,
  type Point,
  rolloutAt,
} from './geometry.js';

/** Metres by which rounded boxes that only touch may seem apart. */
const kRounding = 0.1;

/** Where the flag of a failure stands; null for one that is at no one time. */
export function anchorOf(
  item: ScoreCase,
  trajectory: ScoredTrajectory,
  failure: ScoreFailure,
): Point | null {
  if (failure.step === null) return null;
  const { pose, size } = egoBox(item.ego, rolloutAt(trajectory.rollout, failure.step / 10));
  if (failure.corner !== null) return cornersOf(pose, size)[failure.corner];
  return contactOf(item, trajectory, failure, failure.step) ?? [pose[0], pose[1]];
}

/** The two boxes that meet: now, or when both are projected. */
export function boxesOf(
  item: ScoreCase,
  trajectory: ScoredTrajectory,
  { agent, lookAheadS }: ScoreFailure,
  step: number,
): { ego: { pose: Pose; size: { length: number; width: number } }; other: Pose | null } | null {
  if (agent === null) return null;
  const later = lookAheadS ?? 0;
  const axle = rolloutAt(trajectory.rollout, step / 10);
  const speed = trajectory.speeds[step] ?? 0;
  return {
    ego: egoBox(item.ego, ahead(axle, speed * later)),
    other: agentFor(item, trajectory, agent, step / 10 + later),
  };
}

/** Where the two boxes meet; null: the failure is about no object. */
export function contactOf(
  item: ScoreCase,
  trajectory: ScoredTrajectory,
  failure: ScoreFailure,
  step: number,
): Point | null {
  const boxes = boxesOf(item, trajectory, failure, step);
  if (!boxes?.other || failure.agent === null) return null;
  const { length, width } = item.agents[failure.agent] as ScoreAgent;
  const grown = { length: length + kRounding, width: width + kRounding };
  return overlapCenter(cornersOf(boxes.ego.pose, boxes.ego.size), cornersOf(boxes.other, grown));
}
