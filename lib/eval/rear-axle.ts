import { wrapAngle } from '../scenario/observe.js';
import { kRearAxleToCenter } from '../sim/scene-ego.js';
import type { Trajectory } from './metrics.js';

/**
 * Poses of the rear axle in the ego's rear-axle frame, [n, 3], from poses of the box centre in the frame of the box
 * centre. Both frames have the ego's heading; the axle is 1.461 m behind the centre along each pose's own heading.
 */
export function rearAxlePoses(centers: Trajectory): Float64Array {
  const poses = new Float64Array(centers.length);
  for (let i = 0; i < centers.length; i += 3) {
    const heading = centers[i + 2];
    poses[i] = centers[i] + kRearAxleToCenter * (1 - Math.cos(heading));
    poses[i + 1] = centers[i + 1] - kRearAxleToCenter * Math.sin(heading);
    poses[i + 2] = heading;
  }
  return poses;
}

/** The inverse of {@link rearAxlePoses}. */
export function centerPoses(rearAxles: Trajectory): Float64Array {
  const poses = new Float64Array(rearAxles.length);
  for (let i = 0; i < rearAxles.length; i += 3) {
    const heading = rearAxles[i + 2];
    poses[i] = rearAxles[i] - kRearAxleToCenter * (1 - Math.cos(heading));
    poses[i + 1] = rearAxles[i + 1] + kRearAxleToCenter * Math.sin(heading);
    poses[i + 2] = heading;
  }
  return poses;
}

/** Poses [n, 3] of the global frame in that of `origin`. */
export function posesFrom(
  origin: { x: number; y: number; heading: number },
  poses: Float64Array,
): Float64Array {
  const [cos, sin] = [Math.cos(origin.heading), Math.sin(origin.heading)];
  const out = new Float64Array(poses.length);
  for (let i = 0; i < poses.length; i += 3) {
    const [dx, dy] = [poses[i] - origin.x, poses[i + 1] - origin.y];
    out[i] = cos * dx + sin * dy;
    out[i + 1] = cos * dy - sin * dx;
    out[i + 2] = wrapAngle(poses[i + 2] - origin.heading);
  }
  return out;
}
