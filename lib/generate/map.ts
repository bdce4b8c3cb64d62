import type { ScenarioLane, ScenarioMap } from '../scenario/types.js';
import type { NetLane, Network } from './network.js';
import type { World } from './world.js';

const kPointSpacing = 2; // metres
const kSharp = 0.06; // 1/m: lanes that bend more have points as near as the next line says
const kSharpSpacing = 1.25;

type Point = [number, number];
type Border = 'center' | 'left' | 'right';

/** The map of a world. Lanes that follow each other share their end points to the last bit. */
export function makeMap(id: string, world: World): ScenarioMap {
  const { network } = world;
  const ids = new Map(network.lanes.map((lane) => [lane, lane.index + 1]));
  const idOf = (lane: NetLane | null) => (lane ? (ids.get(lane) as number) : null);
  const shapes = network.lanes.map(({ line, width }) => {
    const spacing = line.sharpest > kSharp ? kSharpSpacing : kPointSpacing;
    return {
      center: line.points(0, spacing).map(rounded),
      left: line.points(width / 2, spacing).map(rounded),
      right: line.points(-width / 2, spacing).map(rounded),
    };
  });
  shareJoints(network, shapes);
  const lanes = network.lanes.map((lane): ScenarioLane => {
    const { left, right, oncoming } = lane;
    const stops = lane.control !== null && lane.control !== 'priority';
    const shape = shapes[lane.index];
    return {
      ...shape,
      id: lane.index + 1,
      type: lane.kind,
      successors: lane.successors.map((next) => idOf(next) as number),
      predecessors: lane.predecessors.map((last) => idOf(last) as number),
      leftNeighbor: idOf(left ?? oncoming),
      leftSameDirection: left !== null,
      rightNeighbor: idOf(right),
      rightSameDirection: right !== null,
      speedLimit: Math.round(lane.speedLimit * 100) / 100,
      stopLine: stops
        ? [shape.left[shape.left.length - 1], shape.right[shape.right.length - 1]]
        : null,
      markings:
        lane.kind === 'junction'
          ? [null, null]
          : [left ? 'dashed' : 'solid', right ? 'dashed' : 'solid'],
    };
  });
  const lanePolygons = lanes.map((lane) => [...lane.right, ...[...lane.left].reverse()]);
  const areas = world.areas.map((ring) => ring.map(([x, y]) => rounded([x, y])));
  return {
    id,
    location: world.kind,
    lanes,
    drivableArea: [...areas, ...lanePolygons].map((exterior) => ({ exterior, holes: [] })),
  };
}

/** Gives the ends of lanes that meet one and the same place, although each was computed from its own lane. */
function shareJoints(network: Network, shapes: readonly Record<Border, Point[]>[]): void {
  const done = new Set<NetLane>();
  for (const lane of network.lanes) {
    if (done.has(lane) || lane.predecessors.length === 0) continue;
    // Everything that begins or ends at this joint.
    const begins = new Set<NetLane>([lane]);
    const ends = new Set<NetLane>();
    for (let grown = true; grown; ) {
      grown = false;
      for (const begin of begins) {
        for (const last of begin.predecessors) if (!ends.has(last)) grown = !!ends.add(last);
      }
      for (const end of ends) {
        for (const next of end.successors) if (!begins.has(next)) grown = !!begins.add(next);
      }
    }
    for (const border of ['center', 'left', 'right'] as const) {
      const point = shapes[lane.index][border][0];
      // A merging lane may be of another width: only its centre is shared.
      const same = (other: NetLane) => border === 'center' || other.width === lane.width;
      for (const begin of begins) if (same(begin)) shapes[begin.index][border][0] = point;
      for (const end of ends) {
        const line = shapes[end.index][border];
        if (same(end)) line[line.length - 1] = point;
      }
    }
    for (const begin of begins) done.add(begin);
  }
}

function rounded([x, y]: readonly [number, number]): Point {
  // Adding 0 makes -0 a 0, which is what files hold.
  return [Math.round(x * 1000) / 1000 + 0, Math.round(y * 1000) / 1000 + 0];
}
