import { WamFlowError } from '../errors.js';
import type { Observation } from '../observation.js';
import { observationAt } from '../scenario/observe.js';
import type { Recording, ScenarioWindow, Track } from '../scenario/types.js';
import { simulateTrajectory } from '../sim/drive.js';
import type { PdmScorer } from '../sim/pdm-scorer.js';
import { egoAt, kRearAxleToCenter } from '../sim/scene-ego.js';
import type { Trajectory } from './metrics.js';
import { rearAxlePoses } from './rear-axle.js';
import { reactedTracks } from './reacted-tracks.js';

/** Numbers of a state, and seconds between states of the simulator. */
export const kStateSize = 11;
const kStepSeconds = 0.1;
/** Steps that traffic reacts for, and that the PDM score looks at: 4 s. */
export const kScoredSteps = 40;

/** What a planner is asked at one moment of a drive. */
export interface Moment {
  /** The case as it is now: its `t0` is the present, its recording ends there for the ego, which has driven by itself. */
  window: ScenarioWindow;
  /** Poses are box centres. The ego's box is the recorded one; its last 2 s become what it drove. */
  observation: Observation;
  /** State of the ego at its rear axle, 11 numbers (docs/pdm-score.md). */
  state: Float64Array;
  /** Which plan of the drive this is, from 0. */
  index: number;
}

/** Plans at a moment: poses [8, 3] of the box centre in the ego's present frame, 0.5 s apart. */
export type Policy = (moment: Moment) => Trajectory | Promise<Trajectory>;

/** How a drive goes. */
export interface DriveOptions {
  /** Steps of 0.1 s between plans, 1 to 5. */
  replanSteps: number;
  /** Scorer of the window's scene whose traffic reacts; null: the others do what was recorded. */
  reactive: PdmScorer | null;
  signal: AbortSignal | undefined;
}

/** A closed-loop drive. */
export interface ClosedLoopDrive {
  /** [steps + 1, 11], 0.1 s apart, the first at the present of the window. */
  states: Float64Array;
  /** The recording with the ego's track as driven, which ends where the drive does. */
  recording: Recording;
  /** The first plan, which open-loop figures judge. */
  firstPlan: Trajectory;
}

/** Steps of a window's drive: its recorded future, 4 s at most where traffic reacts. */
export function stepsOf(window: ScenarioWindow, reactive: boolean): number {
  return reactive ? Math.min(window.future, kScoredSteps) : window.future;
}

/**
 * Drives a window: plans, follows the plan by NAVSIM's tracker and bicycle model for some steps, plans again. The ego
 * begins as the score's does: steering angle, yaw rate and their derivatives 0; they are carried over from then on.
 *
 * @throws WamFlowError `ERR_SCENARIO` when the recording's steps are not 0.1 s; what the policy throws. Rejects with the
 *   signal's reason when aborted.
 */
export async function driveWindow(
  window: ScenarioWindow,
  policy: Policy,
  options: DriveOptions,
): Promise<ClosedLoopDrive> {
  const { recording, t0 } = window;
  if (Math.abs(recording.dt - kStepSeconds) > 1e-9) {
    throw new WamFlowError(
      'ERR_SCENARIO',
      `recording ${recording.id}: closed-loop drives need steps of 0.1 s, it has ${recording.dt} s`,
    );
  }
  const steps = stepsOf(window, options.reactive !== null);
  const track = trackWithRoom(recording.tracks[window.ego], t0, steps);
  const states = new Float64Array((steps + 1) * kStateSize);
  const { x, y, heading, vx, vy, ax, ay } = egoAt(recording, recording.tracks[window.ego], t0);
  states.set([x, y, heading, vx, vy, ax, ay]);
  let firstPlan: Trajectory | undefined;
  for (let done = 0, index = 0; done < steps; ++index) {
    options.signal?.throwIfAborted();
    const step = t0 + done;
    const now = {
      ...window,
      t0: step,
      recording: recordingAt(window, track, states, done, options),
    };
    const state = states.slice(done * kStateSize, (done + 1) * kStateSize);
    const { command, route } = window;
    const observation = observationAt(now.recording, window.ego, step, { command, route });
    const plan = await policy({ window: now, observation, state, index });
    firstPlan ??= plan;
    const timeUs = Math.round(step * kStepSeconds * 1e6);
    const { rollout } = simulateTrajectory(state, timeUs, rearAxlePoses(plan));
    const chunk = Math.min(options.replanSteps, steps - done);
    states.set(rollout.subarray(kStateSize, (chunk + 1) * kStateSize), (done + 1) * kStateSize);
    for (let k = done + 1; k <= done + chunk; ++k) {
      writeState(track, t0 + k - track.start, states.subarray(k * kStateSize));
    }
    done += chunk;
  }
  return {
    states,
    recording: recordingAt(window, track, states, steps, options),
    firstPlan: firstPlan!,
  };
}

/** A copy of the ego's track up to the present with room for the drive. */
function trackWithRoom(track: Track, t0: number, steps: number): Track {
  const known = t0 - track.start + 1;
  const extended = (values: Float64Array) => {
    const out = new Float64Array(known + steps);
    out.set(values.subarray(0, known));
    return out;
  };
  return {
    ...track,
    x: extended(track.x),
    y: extended(track.y),
    heading: extended(track.heading),
    vx: extended(track.vx),
    vy: extended(track.vy),
  };
}

/** Writes a state of the rear axle as the box centre's, whose velocity has a part from the turning. */
function writeState(track: Track, k: number, state: Float64Array): void {
  const [x, y, heading, vx, vy] = state;
  const yawRate = state[9];
  const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
  const across = vy + yawRate * kRearAxleToCenter;
  track.x[k] = x + kRearAxleToCenter * cos;
  track.y[k] = y + kRearAxleToCenter * sin;
  track.heading[k] = heading;
  track.vx[k] = vx * cos - across * sin;
  track.vy[k] = vx * sin + across * cos;
}

/** The recording as it stands `done` steps after the window's present. */
function recordingAt(
  window: ScenarioWindow,
  track: Track,
  states: Float64Array,
  done: number,
  { reactive }: DriveOptions,
): Recording {
  const { recording, t0, ego } = window;
  const others = reactive ? reactedTracks(window, reactive, states, done) : recording.tracks;
  const length = t0 + done - track.start + 1;
  const driven: Track = {
    ...track,
    x: track.x.subarray(0, length),
    y: track.y.subarray(0, length),
    heading: track.heading.subarray(0, length),
    vx: track.vx.subarray(0, length),
    vy: track.vy.subarray(0, length),
  };
  return { ...recording, tracks: others.with(ego, driven) };
}
