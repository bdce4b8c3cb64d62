import { futureFromWindow, wrapAngle } from '../scenario/observe.js';
import { kWaypointInterval, kWaypoints, type ScenarioWindow } from '../scenario/types.js';

/** A planner without parameters: what any other one has to beat. */
export interface Baseline {
  name: string;
  /** [8, 3] poses in the ego's present frame. */
  plan(window: ScenarioWindow): Float64Array;
}

// Rates are differences over this long: shorter ones follow the noise of the tracks, longer ones lag behind.
const kRateSeconds = 0.5;
// The path is integrated in steps of 10 ms by midpoints; the error at 4 s is under a millimetre.
const kSubSteps = 50;

/** The recorded driver (error 0 by definition, the rest for comparison) and the three floors. */
export const baselines: readonly Baseline[] = [
  { name: 'recorded driver', plan: (window) => futureFromWindow(window).poses },
  { name: 'constant velocity', plan: (window) => extrapolate(motion(window).speed, 0, 0) },
  {
    name: 'constant yaw rate',
    plan: (window) => {
      const { speed, yawRate } = motion(window);
      return extrapolate(speed, 0, yawRate);
    },
  },
  {
    name: 'constant yaw rate and acceleration',
    plan: (window) => {
      const { speed, acceleration, yawRate } = motion(window);
      return extrapolate(speed, acceleration, yawRate);
    },
  },
];

/** Speed now (m/s), and acceleration (m/s^2) and yaw rate (rad/s) over the last 0.5 s or as much as is known. */
function motion(window: ScenarioWindow): { speed: number; acceleration: number; yawRate: number } {
  const track = window.recording.tracks[window.ego];
  const now = window.t0 - track.start;
  const back = Math.min(now, Math.round(kRateSeconds / window.recording.dt));
  const speedAt = (k: number) => Math.hypot(track.vx[k], track.vy[k]);
  const speed = speedAt(now);
  if (back === 0) return { speed, acceleration: 0, yawRate: 0 };
  const seconds = back * window.recording.dt;
  return {
    speed,
    acceleration: (speed - speedAt(now - back)) / seconds,
    yawRate: wrapAngle(track.heading[now] - track.heading[now - back]) / seconds,
  };
}

/** Drives on along the heading; a braking vehicle stops and stays. */
function extrapolate(speed: number, acceleration: number, yawRate: number): Float64Array {
  const poses = new Float64Array(3 * kWaypoints);
  const dt = kWaypointInterval / kSubSteps;
  let [x, y, heading, v] = [0, 0, 0, speed];
  for (let i = 0; i < kWaypoints; ++i) {
    for (let k = 0; k < kSubSteps; ++k) {
      const next = Math.max(0, v + acceleration * dt);
      const distance = ((v + next) / 2) * dt;
      x += distance * Math.cos(heading + (yawRate * dt) / 2);
      y += distance * Math.sin(heading + (yawRate * dt) / 2);
      heading += yawRate * dt;
      v = next;
    }
    poses.set([x, y, wrapAngle(heading)], 3 * i);
  }
  return poses;
}
