import type { Pose } from './case.js';

/**
 * Metres from the recorded future: the mean over the waypoints that were recorded (null: none was), and at the last
 * waypoint of the plan (null: not recorded).
 */
export function errorsOf(
  plan: readonly Pose[],
  recorded: readonly Pose[],
): { ade: number | null; fde: number | null } {
  const n = Math.min(plan.length, recorded.length);
  if (n === 0) return { ade: null, fde: null };
  let sum = 0;
  let last = 0;
  for (let i = 0; i < n; i++) {
    last = Math.hypot(plan[i][0] - recorded[i][0], plan[i][1] - recorded[i][1]);
    sum += last;
  }
  return { ade: sum / n, fde: n === plan.length ? last : null };
}
