import type { Recording, ScenarioMap } from '../../scenario/types.js';
import { laneViolations } from './lanes.js';
import { overlapViolations } from './overlaps.js';
import { trackViolations } from './tracks.js';
import type { Violation } from './violation.js';

export type { Rule, Violation } from './violation.js';

/**
 * Checks a map: links and neighbours both ways, joints of lanes within 1e-6 m and 0.1 rad, widths of 2.5 m to 6 m,
 * borders on their sides, curvature below 0.3 1/m, no overlap that is not a crossing, fork or merge, lanes inside the
 * drivable area. Recorded maps of real roads break some of these; generated ones must not.
 *
 * @returns every broken rule; empty when there is none.
 */
export function validateMap(map: ScenarioMap): Violation[] {
  return [...laneViolations(map), ...overlapViolations(map)];
}

/**
 * Checks a map as {@link validateMap} does, and its traffic: no two boxes overlap, vehicles stay on the drivable area,
 * accelerations from -6.1 to 3.1 m/s^2 along and up to 3.2 across, positions that agree with velocities and headings,
 * nobody over a line at red.
 *
 * @returns every broken rule; empty when there is none.
 */
export function validateScene(recording: Recording): Violation[] {
  return [...validateMap(recording.map), ...trackViolations(recording)];
}
