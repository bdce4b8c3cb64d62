import type { ScenarioLane, ScenarioMap } from '../../lib/scenario/types.js';

type Point = readonly [number, number];

/** A lane of 3.5 m along a line, without neighbours or links; `rest` says what is otherwise. */
export function handMadeLane(
  id: number | string,
  center: readonly Point[],
  rest: Partial<ScenarioLane> = {},
  width = 3.5,
): ScenarioLane {
  const side = (offset: number) =>
    center.map(([x, y], i): Point => {
      const [ax, ay] = center[Math.max(0, i - 1)];
      const [bx, by] = center[Math.min(center.length - 1, i + 1)];
      const length = Math.hypot(bx - ax, by - ay);
      return [x - ((by - ay) / length) * offset, y + ((bx - ax) / length) * offset];
    });
  return {
    id,
    type: 'urban',
    center,
    left: side(width / 2),
    right: side(-width / 2),
    successors: [],
    predecessors: [],
    leftNeighbor: null,
    leftSameDirection: false,
    rightNeighbor: null,
    rightSameDirection: false,
    speedLimit: null,
    stopLine: null,
    markings: [null, null],
    ...rest,
  };
}

/** A map of lanes whose predecessors are made from their successors. */
export function handMadeMap(
  lanes: readonly ScenarioLane[],
  rest: Partial<ScenarioMap> = {},
): ScenarioMap {
  const linked = lanes.map((lane) => ({
    ...lane,
    predecessors: lanes
      .filter(({ successors }) => successors.includes(lane.id))
      .map(({ id }) => id),
  }));
  return { id: 'hand-made', location: 'here', lanes: linked, drivableArea: [], ...rest };
}

/** Points about 2 m apart from `a` to `b`. */
export function straight([ax, ay]: Point, [bx, by]: Point): Point[] {
  const count = Math.max(1, Math.round(Math.hypot(bx - ax, by - ay) / 2));
  return Array.from({ length: count + 1 }, (_, i) => [
    ax + ((bx - ax) * i) / count,
    ay + ((by - ay) * i) / count,
  ]);
}

/** Points of an arc from angle `from` to angle `to` (radians) around a centre. */
export function arc([cx, cy]: Point, radius: number, from: number, to: number): Point[] {
  const count = Math.max(4, Math.ceil((radius * Math.abs(to - from)) / 2));
  return Array.from({ length: count + 1 }, (_, i) => {
    const angle = from + ((to - from) * i) / count;
    return [cx + radius * Math.cos(angle), cy + radius * Math.sin(angle)];
  });
}
