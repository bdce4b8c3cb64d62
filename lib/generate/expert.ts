import { setImmediate } from 'node:timers/promises';
import { centerPoses, posesFrom } from '../eval/rear-axle.js';
import { windowScene } from '../eval/window-scene.js';
import type { ScenarioWindow } from '../scenario/types.js';
import type { PdmReference } from '../sim/pdm-reference.js';
import { PdmScorer } from '../sim/pdm-scorer.js';
import type { SceneEgo } from '../sim/scene.js';
import { PathLine } from './path-line.js';

/** What an expert drives in a window, and how good it is. */
export interface Expert {
  /** [8, 3]: box centre in the ego's present frame, 0.5 s apart. */
  poses: Float64Array;
  /** Version 2 of the score, before extended comfort, not filtered. */
  score: number;
  /** The recorded driver's. */
  recordedScore: number;
  /** PDM-Closed's, re-scored as any plan. */
  pdmClosedScore: number;
}

const kPoses = 8;
const kInterval = 0.5; // seconds
/** m/s^2: constant until the vehicle stands or has the speed limit. */
const kAccelerations = [-4, -3, -2, -1.2, -0.6, -0.25, 0, 0.25, 0.6, 1.2, 2];
/** Metres to the left of the centreline at the end, and seconds that the way there takes. */
const kOffsets = [-1, -0.5, 0, 0.5, 1];
const kShiftSeconds = [2, 4];
/** Plans that score this much less than the best are as good: among them the most natural is taken. */
const kNearBest = 0.02;
/** Metres of mean distance to the recorded driver that weigh as much as 1 m/s^2 of mean change of speed and course. */
const kRoughness = 0.5;

/**
 * Drives a window as well as the score can tell: a fan of plans along the route's centreline, PDM-Closed with all its
 * proposals and the recorded driver are scored against what really happened next, and of those within 0.02 of the best
 * the smoothest and nearest to the recorded driver is the expert's. It knows the future: a teacher, not a planner.
 *
 * @throws WamFlowError as `sceneFromWindow` and {@link PdmScorer} do: `ERR_RANGE` under 4 s of recorded future.
 */
export function expertPlan(window: ScenarioWindow): Expert {
  const scene = windowScene(window);
  const scorer = new PdmScorer(scene);
  try {
    const { reference } = scorer;
    const recorded = scene.humanTrajectory?.flat() ?? [];
    const plans = [
      ...(recorded.length > 0 ? [Float64Array.from(recorded)] : []),
      everyHalfSecond(reference.pdmClosed.poses, scene.ego),
      ...proposals(reference, scene.ego),
      ...fan(reference, scene.ego),
    ];
    const packed = new Float64Array(plans.length * kPoses * 3);
    for (const [i, plan] of plans.entries()) packed.set(plan, i * kPoses * 3);
    const { scores } = scorer.scoreSync(packed);
    const target = plans[0];
    const best = Math.max(...scores);
    let chosen = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const [i, plan] of plans.entries()) {
      if (scores[i] < best - kNearBest) continue;
      const cost = meanDistance(plan, target) + kRoughness * roughness(plan, scene.ego.vx);
      if (cost < least) [least, chosen] = [cost, i];
    }
    const closed = recorded.length > 0 ? 1 : 0;
    return {
      poses: centerPoses(plans[chosen]),
      score: scores[chosen],
      recordedScore: recorded.length > 0 ? scores[0] : Number.NaN,
      pdmClosedScore: scores[closed],
    };
  } finally {
    void scorer.close();
  }
}

/** Gives every window its expert's plan; windows that cannot be scored (under 4 s of future) stay without. */
export async function addExperts(
  windows: readonly ScenarioWindow[],
  signal?: AbortSignal,
): Promise<void> {
  for (const window of windows) {
    await setImmediate();
    signal?.throwIfAborted();
    if (window.future * window.recording.dt < kPoses * kInterval - 1e-9) continue;
    const { poses } = expertPlan(window);
    const rounded = Array.from(poses, (value) => Math.round(value * 1e5) / 1e5);
    window.expert = Array.from(
      { length: kPoses },
      (_, i) => [rounded[3 * i], rounded[3 * i + 1], rounded[3 * i + 2]] as const,
    );
  }
}

/** Poses 0.5 .. 4 s of global ones 0.1 s apart, in the ego's frame. */
function everyHalfSecond(poses: Float64Array, ego: SceneEgo): Float64Array {
  const picked = new Float64Array(kPoses * 3);
  for (let i = 0; i < kPoses; ++i) {
    picked.set(poses.subarray(15 * (i + 1), 15 * (i + 1) + 3), 3 * i);
  }
  return posesFrom(ego, picked);
}

function proposals({ pdmClosed }: PdmReference, ego: SceneEgo): Float64Array[] {
  const size = pdmClosed.proposals.length / 15;
  return Array.from({ length: 15 }, (_, i) =>
    everyHalfSecond(pdmClosed.proposals.subarray(i * size, (i + 1) * size), ego),
  );
}

/** Plans that go over from where the ego is to an offset of the centreline, at constant accelerations. */
function fan({ centerline, speedLimit }: PdmReference, ego: SceneEgo): Float64Array[] {
  const line = new PathLine(centerline);
  const { along, left } = line.project(ego.x, ego.y);
  const plans: Float64Array[] = [];
  const speed = Math.max(0, ego.vx);
  const top = Math.max(speed, speedLimit);
  for (const offset of kOffsets) {
    for (const seconds of kShiftSeconds) {
      for (const acceleration of kAccelerations) {
        const poses = new Float64Array(kPoses * 3);
        for (let i = 0; i < kPoses; ++i) {
          const t = (i + 1) * kInterval;
          const s = along + driven(speed, acceleration, top, t);
          const slope = (left - offset) / Math.max(1, driven(speed, acceleration, top, seconds));
          const part = Math.min(1, t / seconds);
          const [lateral, rate] = [left + (offset - left) * smooth(part), smoothRate(part)];
          const at = line.pose(s);
          const heading = at.heading + Math.atan(-slope * rate);
          poses[3 * i] = at.x - lateral * Math.sin(at.heading);
          poses[3 * i + 1] = at.y + lateral * Math.cos(at.heading);
          poses[3 * i + 2] = heading;
        }
        plans.push(posesFrom(ego, poses));
      }
    }
  }
  return plans;
}

/** Metres in `t` seconds, between standing and `top`. */
function driven(speed: number, acceleration: number, top: number, t: number): number {
  if (acceleration === 0) return speed * t;
  const limit = acceleration < 0 ? 0 : top;
  const until = Math.min(t, (limit - speed) / acceleration);
  return speed * until + 0.5 * acceleration * until * until + limit * (t - until);
}

/** From 0 to 1 with level ends, and its slope. */
const smooth = (p: number) => p * p * p * (10 - 15 * p + 6 * p * p);
const smoothRate = (p: number) => 30 * p * p * (1 - p) * (1 - p);

function meanDistance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 3) sum += Math.hypot(a[i] - b[i], a[i + 1] - b[i + 1]);
  return sum / kPoses;
}

/** Mean size of the change of velocity, m/s^2. */
function roughness(plan: Float64Array, speed: number): number {
  let [x, y, vx, vy, sum] = [0, 0, speed, 0, 0];
  for (let i = 0; i < plan.length; i += 3) {
    const [ux, uy] = [(plan[i] - x) / kInterval, (plan[i + 1] - y) / kInterval];
    sum += Math.hypot(ux - vx, uy - vy) / kInterval;
    [x, y, vx, vy] = [plan[i], plan[i + 1], ux, uy];
  }
  return sum / kPoses;
}
