import { argumentError } from '../errors.js';
import { native } from '../native.js';
import { kComfortSignals } from './comfort-signals.js';
import type { PdmVersion } from './pdm-scorer.js';

/** A plan as the simulator drives it. */
export interface Drive {
  /** The plan at 0, 0.1, .. 4 s in the global frame: [41, 3]. */
  reference: Float64Array;
  /** Speed (m/s) and curvature (1/m) of the reference at its first 40 poses. */
  velocity: Float64Array;
  curvature: Float64Array;
  /** Driven states [41, 11]. */
  rollout: Float64Array;
}

/**
 * Drives a plan from a state for 4 s: LQR tracker and kinematic bicycle model of NAVSIM.
 *
 * @param ego 11 numbers: x, y, heading, vx, vy, ax, ay, steering angle, steering rate, yaw rate, yaw acceleration.
 * @param timeUs the present, microseconds; the devkit truncates all times to microseconds.
 * @param poses [n, 3] in the ego's frame, n from 1 to 400.
 * @param intervalS seconds between them; default 0.5.
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_RANGE`.
 */
export function simulateTrajectory(
  ego: Float64Array,
  timeUs: number,
  poses: Float64Array,
  intervalS = 0.5,
): Drive {
  return native().simulateTrajectory(ego, timeUs, poses, intervalS);
}

/** Comfort of a driven series. */
export interface Comfort {
  comfortable: boolean;
  /** By signal: the filtered series [n], what it must lie strictly between, and whether it does. */
  signals: {
    name: string;
    unit: string;
    lower: number;
    upper: number;
    within: boolean;
    values: Float64Array;
  }[];
}

/**
 * Checks states [n, 11] at 0.1 s, n from 4 on, by the comfort rules of a version.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_RANGE`.
 */
export function checkComfort(states: Float64Array, version: PdmVersion): Comfort {
  if (version !== 'v1' && version !== 'v2') throw argumentError('version', 'v1 or v2', version);
  const { withinBound, signals } = native().comfort(states, version === 'v1' ? 1 : 2);
  const n = signals.length / kComfortSignals.length;
  return {
    comfortable: withinBound.every((within) => within === 1),
    signals: kComfortSignals.map((signal, k) => ({
      ...signal,
      within: withinBound[k] === 1,
      values: signals.subarray(k * n, (k + 1) * n),
    })),
  };
}

/** Root mean squares of the differences between two rollouts where they overlap. */
export interface ExtendedComfort {
  /** m/s^2, at most 0.7. */
  acceleration: number;
  /** m/s^3, at most 0.5. */
  jerk: number;
  /** rad/s, at most 0.1. */
  yawRate: number;
  /** rad/s^2, at most 0.1. */
  yawAcceleration: number;
  /** All within their bounds. */
  comfortable: boolean;
}

/**
 * Extended comfort of version 2: how much a frame's drive differs from that of the frame before.
 *
 * @param now rollout [41, 11].
 * @param previous rollout [41, 11] of the frame `intervalS` seconds earlier.
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_RANGE`.
 */
export function extendedComfort(
  now: Float64Array,
  previous: Float64Array,
  intervalS: number,
): ExtendedComfort {
  const [acceleration, jerk, yawRate, yawAcceleration, within] = native().extendedComfort(
    now,
    previous,
    intervalS,
  ) as unknown as [number, number, number, number, number];
  return { acceleration, jerk, yawRate, yawAcceleration, comfortable: within === 1 };
}
