import { types } from 'node:util';
import { argumentError } from '../errors.js';
import type { Plan } from '../plan-result.js';

/** One trajectory: poses [poses, 3] as x, y (metres), heading (radians) in the ego's rear-axle frame; or a plan. */
export type Trajectory =
  | Float32Array
  | Float64Array
  | readonly (readonly number[])[]
  | Pick<Plan, 'trajectory'>;

/** N trajectories: one array [N, poses, 3], a list of trajectories, or a single plan. */
export type Trajectories =
  | Float32Array
  | Float64Array
  | readonly Trajectory[]
  | Pick<Plan, 'trajectory'>;

/**
 * Trajectories as one array [n, poses, 3] of float64; no copy is made where they are that already.
 *
 * @param poses poses of each.
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`. Whether the numbers are finite is left to native code.
 */
export function packTrajectories(
  trajectories: Trajectories,
  poses: number,
): { values: Float64Array; n: number } {
  const size = poses * 3;
  const whole = flatOf(trajectories);
  if (whole !== null) {
    if (whole.length % size !== 0) {
      throw argumentError('trajectories', `N x ${poses} x 3 numbers`, whole, 'ERR_SHAPE');
    }
    const values = whole instanceof Float64Array ? whole : Float64Array.from(whole);
    return { values, n: whole.length / size };
  }
  if (!Array.isArray(trajectories)) {
    throw argumentError(
      'trajectories',
      'a typed array, an array of trajectories or a plan',
      trajectories,
    );
  }
  const values = new Float64Array(trajectories.length * size);
  trajectories.forEach((trajectory: Trajectory, i) => {
    writeTrajectory(trajectory, poses, values, i * size, `trajectories[${i}]`);
  });
  return { values, n: trajectories.length };
}

function writeTrajectory(
  trajectory: Trajectory,
  poses: number,
  values: Float64Array,
  at: number,
  path: string,
): void {
  const flat = flatOf(trajectory);
  if (flat !== null) {
    if (flat.length !== poses * 3) {
      throw argumentError(path, `${poses} x 3 numbers`, flat, 'ERR_SHAPE');
    }
    values.set(flat, at);
    return;
  }
  if (!Array.isArray(trajectory)) {
    throw argumentError(path, `${poses} poses [x, y, heading]`, trajectory);
  }
  if (trajectory.length !== poses) {
    throw argumentError(path, `${poses} poses`, trajectory, 'ERR_SHAPE');
  }
  for (const [k, pose] of trajectory.entries()) {
    if (!Array.isArray(pose) || pose.length !== 3) {
      throw argumentError(`${path}[${k}]`, 'a pose [x, y, heading]', pose, 'ERR_SHAPE');
    }
    for (let c = 0; c < 3; c++) {
      if (typeof pose[c] !== 'number') {
        throw argumentError(`${path}[${k}][${c}]`, 'a number', pose[c]);
      }
      values[at + 3 * k + c] = pose[c];
    }
  }
}

function flatOf(value: unknown): Float32Array | Float64Array | null {
  if (types.isFloat32Array(value) || types.isFloat64Array(value)) return value;
  const inner = (value as Partial<Plan> | null | undefined)?.trajectory;
  return types.isFloat32Array(inner) ? inner : null;
}
