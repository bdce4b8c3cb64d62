import { WamFlowError } from '../errors.js';
import { wrapAngle } from '../scenario/observe.js';
import type { ScenarioLane, ScenarioMap } from '../scenario/types.js';
import { cleanRing, type Point, thinned, withoutRepeats } from './ring.js';
import type { Ring, SceneLane } from './scene.js';

export type LaneId = number | string;

/** A lane of a recording's map with what the adapter needs of its shape. */
export interface LaneShape {
  lane: ScenarioLane;
  /** Left and right boundary. */
  polygon: Ring;
  baseline: SceneLane['baseline'];
  /** Radians that it turns by from its first to its last piece, left is positive. */
  turn: number;
}

/** Shapes by lane id, in the order of the map. Throws ERR_SCENARIO for a lane without an area. */
export function laneShapes(map: ScenarioMap): Map<LaneId, LaneShape> {
  return new Map(map.lanes.map((lane) => [lane.id, laneShape(map, lane)]));
}

/** Index of the point of a baseline that is nearest to `point`. */
export function nearestOnBaseline(baseline: SceneLane['baseline'], [x, y]: Point): number {
  let [nearest, least] = [0, Infinity];
  for (const [i, [bx, by]] of baseline.entries()) {
    const distance = Math.hypot(bx - x, by - y);
    if (distance < least) [nearest, least] = [i, distance];
  }
  return nearest;
}

function laneShape(map: ScenarioMap, lane: ScenarioLane): LaneShape {
  const polygon = cleanRing([...lane.left, ...lane.right.toReversed()]);
  if (polygon === null) {
    throw new WamFlowError(
      'ERR_SCENARIO',
      `map ${map.id}, lane ${lane.id}: expected borders of at least 3 distinct points, received fewer`,
    );
  }
  const center = withoutRepeats(lane.center);
  const [first, last] = [headingOf(center[0], center[1]), headingOf(...lastTwo(center))];
  const baseline = center.map((point, i) => {
    // The chord between the neighbours; at the ends the only piece there is.
    const heading = headingOf(
      center[Math.max(0, i - 1)],
      center[Math.min(center.length - 1, i + 1)],
    );
    return [point[0], point[1], heading] as const;
  });
  return { lane, polygon: thinned(polygon), baseline, turn: wrapAngle(last - first) };
}

function lastTwo(line: readonly Point[]): [Point, Point] {
  return [line[line.length - 2], line[line.length - 1]];
}

function headingOf([ax, ay]: Point, [bx, by]: Point): number {
  return Math.atan2(by - ay, bx - ax);
}
