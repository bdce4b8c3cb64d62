import { argumentError, type WamFlowErrorCode } from './errors.js';

/**
 * The plan before this one: refinement begins with it, moved to the present and noised to time `t0` of the path, instead
 * of with noise alone.
 */
export interface WarmStart {
  /** Poses of that plan, [waypoints, 3], in the ego's frame of then. */
  trajectory: ArrayLike<number>;
  /** Seconds since then, 0 to the length of a plan. */
  elapsedS: number;
  /** The ego's present pose (x, y in metres, heading in radians; of the tracked point) in its frame of then. */
  motion: readonly [number, number, number];
  /**
   * Time of the path to begin at, 0.001 (nearly noise) to 0.999 (nearly the plan as it was). 0: begin as without a plan
   * before, which a search alone then looks at: as a candidate, and for extended comfort. Default 0.1.
   */
  t0?: number;
}

/** {@link WarmStart.t0} when it is left out. */
export const kWarmStartTime = 0.1;

/** Numbers of a packed warm start before its trajectory, see native/binding/plan_packing.cpp. */
export const kWarmSize = 6;

const kNames: ReadonlySet<string> = new Set(['trajectory', 'elapsedS', 'motion', 't0']);

/**
 * Writes a warm start, or that there is none.
 *
 * @param out [kWarmSize + slots].
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_RANGE` naming what is wrong.
 */
export function writeWarmStart(out: Float64Array, warm: WarmStart | undefined, horizonS: number) {
  out[0] = warm === undefined ? 0 : 1;
  if (warm === undefined) return;
  if (typeof warm !== 'object' || warm === null) {
    throw argumentError('options.warmStart', 'an object', warm);
  }
  for (const name in warm) {
    if (!kNames.has(name)) {
      throw argumentError('options.warmStart', `only ${[...kNames].join(', ')}`, name);
    }
  }
  const { trajectory, elapsedS, motion, t0 = kWarmStartTime } = warm;
  const slots = out.length - kWarmSize;
  out[1] = t0 === 0 ? 0 : finite('t0', t0, 0.001, 0.999);
  out[2] = finite('elapsedS', elapsedS, 0, horizonS);
  if (!Array.isArray(motion) || motion.length !== 3) {
    throw argumentError('options.warmStart.motion', '[x, y, heading]', motion, 'ERR_SHAPE');
  }
  for (let i = 0; i < 3; i++) out[3 + i] = finite(`motion[${i}]`, motion[i]);
  if (typeof trajectory !== 'object' || trajectory === null || trajectory.length !== slots) {
    const expected = `${slots} numbers`;
    throw argumentError('options.warmStart.trajectory', expected, trajectory, 'ERR_SHAPE');
  }
  for (let i = 0; i < slots; i++) out[kWarmSize + i] = finite(`trajectory[${i}]`, trajectory[i]);
}

function finite(name: string, value: unknown, min = -1e6, max = 1e6): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  let code: WamFlowErrorCode = 'ERR_RANGE';
  if (typeof value !== 'number') code = 'ERR_ARGUMENT';
  else if (!Number.isFinite(value)) code = 'ERR_NOT_FINITE';
  throw argumentError(`options.warmStart.${name}`, `a number from ${min} to ${max}`, value, code);
}
