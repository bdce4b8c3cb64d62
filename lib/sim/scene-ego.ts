import { wrapAngle } from '../scenario/observe.js';
import type { Recording, Track } from '../scenario/types.js';
import type { SceneEgo, ScenePose } from './scene.js';
import { kPastStates, kSceneInterval, kScenePoses } from './scene-limits.js';

/** m from the rear axle to the centre of the box of the score's vehicle (nuPlan's Pacifica). */
export const kRearAxleToCenter = 1.461;

/** The rear axle of the score's vehicle at a step at which `track` is seen; its box is centred on the recorded one. */
export function egoAt(recording: Recording, track: Track, step: number): SceneEgo {
  const k = step - track.start;
  const [x, y, heading] = rearAxle(track, k);
  const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
  const toBody = (gx: number, gy: number) => [cos * gx + sin * gy, cos * gy - sin * gx];
  const [vx, vy] = toBody(track.vx[k], track.vy[k]);
  const [ax, ay] = toBody(...acceleration(recording, track, k));
  return { timeUs: Math.round(step * recording.dt * 1e6), x, y, heading, vx, vy, ax, ay };
}

/** At -1.5, -1, -0.5 and 0 s; empty when the track is not seen that long. */
export function egoPast(recording: Recording, track: Track, t0: number): SceneEgo[] {
  const stride = Math.round(kSceneInterval / recording.dt);
  const first = t0 - (kPastStates - 1) * stride;
  if (first < track.start) return [];
  return Array.from({ length: kPastStates }, (_, i) => egoAt(recording, track, first + i * stride));
}

/** What the driver did: rear axle at 0.5 .. 4 s in the frame of the rear axle now; null when not seen that long. */
export function humanTrajectory(
  recording: Recording,
  track: Track,
  t0: number,
): ScenePose[] | null {
  const stride = Math.round(kSceneInterval / recording.dt);
  const k0 = t0 - track.start;
  if (k0 + kScenePoses * stride >= track.x.length) return null;
  const [x0, y0, heading0] = rearAxle(track, k0);
  const [cos, sin] = [Math.cos(heading0), Math.sin(heading0)];
  return Array.from({ length: kScenePoses }, (_, i) => {
    const [x, y, heading] = rearAxle(track, k0 + (i + 1) * stride);
    const [dx, dy] = [x - x0, y - y0];
    return [cos * dx + sin * dy, cos * dy - sin * dx, wrapAngle(heading - heading0)] as const;
  });
}

function rearAxle(track: Track, k: number): [number, number, number] {
  const heading = track.heading[k];
  return [
    track.x[k] - kRearAxleToCenter * Math.cos(heading),
    track.y[k] - kRearAxleToCenter * Math.sin(heading),
    heading,
  ];
}

/** Difference of the velocities half a second before and after, as far as the track goes; 0 for a single step. */
function acceleration(recording: Recording, track: Track, k: number): [number, number] {
  const stride = Math.round(kSceneInterval / recording.dt);
  const before = Math.max(0, k - stride);
  const after = Math.min(track.x.length - 1, k + stride);
  const seconds = (after - before) * recording.dt;
  if (seconds === 0) return [0, 0];
  return [
    (track.vx[after] - track.vx[before]) / seconds,
    (track.vy[after] - track.vy[before]) / seconds,
  ];
}
