import type { Lane } from '../observation.js';
import { wrapAngle } from '../scenario/observe.js';
import type { Recording } from '../scenario/types.js';

/** Where a head hangs that shows the light of a lane. */
export interface LightHead {
  lane: number | string;
  /** Middle of the lower side, metres; heading of those who look at it. */
  x: number;
  y: number;
  z: number;
  heading: number;
}

/** A pole, or an arm that carries heads: a box. */
export interface LightPole {
  x: number;
  y: number;
  z: number;
  heading: number;
  length: number;
  width: number;
  height: number;
}

/** All that stands for the lights of a recording. */
export interface LightFurniture {
  heads: readonly LightHead[];
  poles: readonly LightPole[];
}

const furniture = new WeakMap<Recording, LightFurniture>();

/** Size of a head, metres. */
export const kHeadSize = { length: 0.3, width: 0.42, height: 1.15 };
const kNearHeight = 2.5; // of the lower side of a head on a pole at the line
const kFarHeight = 4.7; // of one that hangs beyond the junction
const kPoleAside = 0.9; // from the right border
const kFarDistance = [20, 48, 26] as const; // least, most, and where nothing says how large the junction is

/**
 * Lights of a recording: for every approach, which is lanes that end side by side, a pole with a head at the line, on
 * the right, and an arm beyond the junction with a head over each lane, which who waits at the line can see.
 */
export function lightFurniture(recording: Recording): LightFurniture {
  let result = furniture.get(recording);
  if (!result) {
    result = build(recording);
    furniture.set(recording, result);
  }
  return result;
}

/** The end of a lane that has a light. */
interface LaneEnd {
  lane: Lane;
  x: number;
  y: number;
  heading: number;
  width: number;
}

function build(recording: Recording): LightFurniture {
  const lit = new Set(recording.signals.flatMap(({ lanes }) => lanes));
  const lanes = new Map(recording.map.lanes.map((lane) => [lane.id, lane]));
  const ends = recording.map.lanes.filter(({ id }) => lit.has(id)).map(endOf);
  const heads: LightHead[] = [];
  const poles: LightPole[] = [];
  for (const approach of approaches(ends)) {
    const { heading } = approach[0];
    const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
    const origin = approach[0];
    const side = ({ x, y }: { x: number; y: number }) =>
      (y - origin.y) * cos - (x - origin.x) * sin;
    const sorted = [...approach].sort((a, b) => side(a) - side(b));
    const [right, left] = [sorted[0], sorted[sorted.length - 1]];
    const at = (forward: number, leftwards: number) => ({
      x: origin.x + forward * cos - leftwards * sin,
      y: origin.y + forward * sin + leftwards * cos,
    });
    const forwardOf = ({ x, y }: { x: number; y: number }) =>
      (x - origin.x) * cos + (y - origin.y) * sin;
    // The near pole, with the head of the lane beside it.
    const aside = side(right) - right.width / 2 - kPoleAside;
    const near = at(forwardOf(right) + 0.4, aside);
    const size = { length: 0.14, width: 0.14 };
    poles.push({ ...near, z: 0, heading, ...size, height: kNearHeight + kHeadSize.height + 0.1 });
    heads.push({
      ...at(forwardOf(right) + 0.2, aside),
      z: kNearHeight,
      heading,
      lane: right.lane.id,
    });
    // The arm beyond the junction.
    const far = Math.max(...approach.map(forwardOf)) + farDistance(approach, lanes);
    const [armFrom, armTo] = [aside, side(left) + 0.4];
    const height = kFarHeight + kHeadSize.height;
    poles.push({
      ...at(far, aside),
      z: 0,
      heading,
      length: 0.22,
      width: 0.22,
      height: height + 0.2,
    });
    poles.push({
      ...at(far, (armFrom + armTo) / 2),
      z: height,
      heading,
      length: 0.14,
      width: armTo - armFrom,
      height: 0.16,
    });
    for (const end of sorted) {
      heads.push({ ...at(far - 0.25, side(end)), z: kFarHeight, heading, lane: end.lane.id });
    }
  }
  return { heads, poles };
}

function endOf(lane: Lane): LaneEnd {
  const n = lane.center.length - 1;
  const [x, y] = lane.center[n];
  const [px, py] = lane.center[n - 1];
  const [lx, ly] = lane.left[n];
  const [rx, ry] = lane.right[n];
  return {
    lane,
    x,
    y,
    heading: Math.atan2(y - py, x - px),
    width: Math.hypot(lx - rx, ly - ry),
  };
}

/** Ends that lie side by side and look the same way. */
function approaches(ends: readonly LaneEnd[]): LaneEnd[][] {
  const left = [...ends];
  const groups: LaneEnd[][] = [];
  for (let first = left.shift(); first; first = left.shift()) {
    const group = [first];
    for (let i = 0; i < group.length; ++i) {
      for (let k = left.length - 1; k >= 0; --k) {
        if (areBeside(group[i], left[k])) group.push(...left.splice(k, 1));
      }
    }
    groups.push(group);
  }
  return groups;
}

function areBeside(a: LaneEnd, b: LaneEnd): boolean {
  const reach = 0.9 * (a.width + b.width);
  return (
    Math.abs(wrapAngle(a.heading - b.heading)) < 0.4 && Math.hypot(a.x - b.x, a.y - b.y) < reach
  );
}

/** How far ahead of the line the ways straight on have left the junction. */
function farDistance(
  approach: readonly LaneEnd[],
  lanes: ReadonlyMap<number | string, Lane>,
): number {
  const [least, most, otherwise] = kFarDistance;
  const distances: number[] = [];
  for (const { lane, x, y, heading } of approach) {
    for (const id of lane.successors) {
      const next = lanes.get(id);
      if (!next) continue;
      const end = endOf(next);
      if (Math.abs(wrapAngle(end.heading - heading)) > 0.7) continue;
      distances.push((end.x - x) * Math.cos(heading) + (end.y - y) * Math.sin(heading));
    }
  }
  const far = distances.length > 0 ? Math.min(...distances) : otherwise;
  return Math.min(most, Math.max(least, far + 1));
}
