import { argumentError } from '../errors.js';
import type {
  AgentObservation,
  Command,
  LightColor,
  MotionState,
  Observation,
} from '../observation.js';
import {
  kWaypointInterval,
  kWaypoints,
  type Recording,
  type ScenarioWindow,
  type Track,
} from './types.js';

/** Options of {@link observationAt}. */
export interface ObserveOptions {
  /** Past steps that are given where a track has them, beside the present. Default 2 s of them. */
  history?: number;
  /** Default `unknown`. */
  command?: Command;
  /** Lane ids, the present one first. Default none. */
  route?: readonly (number | string)[];
}

/** Recorded poses of an ego after the present, in its frame at the present. */
export interface Future {
  /** [waypoints, 3]: x, y in metres, heading in radians, [-pi, pi). */
  poses: Float64Array;
  /** Waypoints that the window reaches; the rest of `poses` is 0. */
  valid: number;
}

/** Whether `track` is seen at `step`. */
export function isValidAt(track: Track, step: number): boolean {
  return step >= track.start && step < track.start + track.x.length;
}

/**
 * What a planner in vehicle `ego` would be given at `step`: every other vehicle that is seen then,
 * with what is known of its last seconds, and the lights. States are box centres. The map object is
 * the recording's own, so a planner packs it once.
 *
 * @throws WamFlowError `ERR_RANGE` when the ego is not seen at `step`.
 */
export function observationAt(
  recording: Recording,
  ego: number,
  step: number,
  options: ObserveOptions = {},
): Observation {
  const track = recording.tracks[ego];
  if (!track) {
    throw argumentError('ego', `a track of 0 to ${recording.tracks.length - 1}`, ego, 'ERR_RANGE');
  }
  if (!isValidAt(track, step)) {
    const end = track.start + track.x.length - 1;
    throw argumentError(
      'step',
      `a step from ${track.start} to ${end}, where track ${ego} is seen`,
      step,
      'ERR_RANGE',
    );
  }
  const history = options.history ?? Math.round(2 / recording.dt);
  const observe = (of: Track): AgentObservation => ({
    history: historyOf(of, step, history, recording.dt),
    length: of.length,
    width: of.width,
  });
  return {
    ego: observe(track),
    command: options.command ?? 'unknown',
    agents: recording.tracks
      .filter((other) => other !== track && isValidAt(other, step))
      .map(observe),
    map: recording.map,
    route: options.route ?? [],
    lights: lightsAt(recording, step),
  };
}

/** The observation of a planning case: 2 s of history, command and route; nothing of its future. */
export function observationFromWindow(window: ScenarioWindow): Observation {
  const { recording, ego, t0, command, route } = window;
  return observationAt(recording, ego, t0, { command, route });
}

/** What the ego of a window did: 8 poses 0.5 s apart in its frame at the present (x ahead, y left). */
export function futureFromWindow(window: ScenarioWindow): Future {
  const { recording, ego, t0, future } = window;
  const track = recording.tracks[ego];
  const present = t0 - track.start;
  const stride = Math.round(kWaypointInterval / recording.dt);
  const [x0, y0, heading0] = [track.x[present], track.y[present], track.heading[present]];
  const [cos, sin] = [Math.cos(heading0), Math.sin(heading0)];
  const poses = new Float64Array(kWaypoints * 3);
  let valid = 0;
  for (; valid < kWaypoints; ++valid) {
    const ahead = (valid + 1) * stride;
    if (ahead > future) break;
    const k = present + ahead;
    const [dx, dy] = [track.x[k] - x0, track.y[k] - y0];
    poses[valid * 3] = cos * dx + sin * dy;
    poses[valid * 3 + 1] = cos * dy - sin * dx;
    poses[valid * 3 + 2] = wrapAngle(track.heading[k] - heading0);
  }
  return { poses, valid };
}

/**
 * Colour by lane at `step`. A lane may hang on several signals (a disc and an arrow): it is green if any of them is,
 * else yellow if any is, else red if any is, else unknown.
 */
export function lightsAt(recording: Recording, step: number): Map<number | string, LightColor> {
  const lights = new Map<number | string, LightColor>();
  for (const signal of recording.signals) {
    const state = signal.states.find(({ from, to }) => step >= from && step < to);
    if (!state) continue;
    for (const lane of signal.lanes) {
      const seen = lights.get(lane);
      if (seen === undefined || kOpenness[state.color] > kOpenness[seen])
        lights.set(lane, state.color);
    }
  }
  return lights;
}

/** Wraps radians to [-pi, pi). */
export function wrapAngle(angle: number): number {
  return angle - 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI));
}

const kOpenness: Record<LightColor, number> = { unknown: 0, red: 1, yellow: 2, green: 3 };

function historyOf(track: Track, step: number, history: number, dt: number): MotionState[] {
  const states: MotionState[] = [];
  for (let past = Math.min(history, step - track.start); past >= 0; --past) {
    const k = step - past - track.start;
    states.push({
      t: past === 0 ? 0 : -past * dt,
      x: track.x[k],
      y: track.y[k],
      heading: track.heading[k],
      vx: track.vx[k],
      vy: track.vy[k],
    });
  }
  return states;
}
