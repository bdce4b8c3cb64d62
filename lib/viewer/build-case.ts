import type { Lane, Observation } from '../observation.js';
import { futureFromWindow, isValidAt, observationFromWindow } from '../scenario/observe.js';
import {
  kWaypointInterval,
  kWaypoints,
  type ScenarioWindow,
  type Track,
} from '../scenario/types.js';
import type { Border, CaseLane, CasePlan, CaseVehicle, FlatLine, PlanCase, Pose } from './case.js';
import { type Frame, flat, frameAt, type Point, round, roundPose } from './ego-frame.js';

/** Lanes and vehicles farther from the ego than this many metres are left out of the page. */
const kRadius = 110;

/**
 * What the page shows of a planning window: everything within 110 m, in the ego's present frame, rounded to
 * centimetres and milliradians.
 *
 * @param plans of this window, in the order of the page's switch
 */
export function caseFromWindow(window: ScenarioWindow, plans: readonly CasePlan[]): PlanCase {
  const observation = observationFromWindow(window);
  const { ego } = observation;
  const now = ego.history[ego.history.length - 1];
  const frame = frameAt(now.x, now.y, now.heading);
  const { recording, t0 } = window;
  return {
    id: window.id,
    group: recording.location,
    command: window.command,
    speed: round(Math.hypot(now.vx, now.vy), 3),
    lanes: lanesNear(observation, frame),
    agents: recording.tracks
      .filter((track, i) => i !== window.ego && isValidAt(track, t0))
      .map((track) => vehicleOf(track, t0, recording.dt, frame))
      .filter(({ history }) => distance(history[history.length - 1]) < kRadius),
    ego: {
      length: ego.length,
      width: ego.width,
      history: ego.history.map(({ x, y, heading }) => frame.pose(x, y, heading)),
      future: recordedFuture(window),
      centerOffset: ego.centerOffset ?? 0,
    },
    plans,
  };
}

/** Poses [n, 3] as the page wants them; any trajectory of the API will do. */
export function posesOf(trajectory: ArrayLike<number>): Pose[] {
  return Array.from({ length: Math.floor(trajectory.length / 3) }, (_, i) =>
    roundPose(trajectory[3 * i], trajectory[3 * i + 1], trajectory[3 * i + 2]),
  );
}

function recordedFuture(window: ScenarioWindow): Pose[] {
  const { poses, valid } = futureFromWindow(window);
  return posesOf(poses.subarray(0, valid * 3));
}

function vehicleOf(track: Track, t0: number, dt: number, frame: Frame): CaseVehicle {
  const at = (step: number): Pose => {
    const k = step - track.start;
    return frame.pose(track.x[k], track.y[k], track.heading[k]);
  };
  const past = Math.min(Math.round(2 / dt), t0 - track.start);
  const history = [];
  // Every second step is enough for a tail.
  for (let k = past - (past % 2); k >= 0; k -= 2) history.push(at(t0 - k));
  const future = [];
  const stride = Math.round(kWaypointInterval / dt);
  for (let i = 1; i <= kWaypoints && isValidAt(track, t0 + i * stride); ++i) {
    future.push(at(t0 + i * stride));
  }
  return { length: round(track.length, 2), width: round(track.width, 2), history, future };
}

function lanesNear(observation: Observation, frame: Frame): CaseLane[] {
  const route = new Set(observation.route);
  const lanes: CaseLane[] = [];
  for (const lane of observation.map.lanes) {
    const range = rangeNear(lane, frame);
    if (!range) continue;
    const cut = (line: readonly Point[]): FlatLine =>
      flat(line.slice(...range).map(([x, y]) => frame.point(x, y)));
    const atEnd = range[1] === lane.center.length;
    lanes.push({
      center: cut(lane.center),
      left: cut(lane.left),
      right: cut(lane.right),
      ...bordersOf(lane),
      onRoute: route.has(lane.id),
      stopLine:
        atEnd && lane.stopLine ? flat(lane.stopLine.map(([x, y]) => frame.point(x, y))) : null,
      light: (atEnd && observation.lights?.get(lane.id)) || null,
    });
  }
  return lanes;
}

/** Points [from, to) of a lane that lie within the radius, with one more on either side; null: none does. */
function rangeNear(lane: Lane, frame: Frame): [number, number] | null {
  const near = lane.center.map(([x, y]) => Math.hypot(...frame.point(x, y)) < kRadius);
  const first = near.indexOf(true);
  if (first < 0) return null;
  return [Math.max(0, first - 1), Math.min(near.length, near.lastIndexOf(true) + 2)];
}

/** Borders by painted marking where the map knows it, else by neighbour. A shared border is painted once. */
function bordersOf(lane: Lane & { markings?: readonly [string | null, string | null] }): {
  leftBorder: Border;
  rightBorder: Border;
} {
  const paint = (marking: string | null): Border =>
    !marking ? 'none' : marking.includes('dashed') ? 'dashed' : 'edge';
  const { markings } = lane;
  const facing = lane.leftNeighbor !== null && !lane.leftSameDirection;
  const left = markings ? paint(markings[0]) : 'edge';
  const inner = lane.rightNeighbor !== null && lane.rightSameDirection;
  return {
    leftBorder: facing ? 'opposite' : lane.leftNeighbor !== null ? 'none' : left,
    rightBorder: markings ? paint(markings[1]) : inner ? 'dashed' : 'edge',
  };
}

function distance([x, y]: Pose): number {
  return Math.hypot(x, y);
}
