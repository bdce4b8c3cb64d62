import { distanceToOutline, isInside, type Point } from './ring.js';
import type { Ring, SceneMap } from './scene.js';

/**
 * The roadblocks within `radius` metres of a point or on the route, their lanes, the intersections within `radius`, and
 * the links between what is left.
 */
export function cropMap(
  map: SceneMap,
  center: Point,
  radius: number,
  route: readonly string[],
): SceneMap {
  const isNear = (polygon: Ring) =>
    isInside(center, polygon) || distanceToOutline(center, polygon) <= radius;
  const onRoute = new Set(route);
  const kept = map.roadblocks.filter((block) => onRoute.has(block.id) || isNear(block.polygon));
  const blocks = new Set(kept.map((block) => block.id));
  const lanes = map.lanes.filter((lane) => blocks.has(lane.roadblockId));
  const laneIds = new Set(lanes.map((lane) => lane.id));
  return {
    roadblocks: kept.map((block) => withLinks(block, blocks)),
    lanes: lanes.map((lane) => withLinks(lane, laneIds)),
    intersections: map.intersections.filter((area) => isNear(area.polygon)),
    carparks: map.carparks.filter((area) => isNear(area.polygon)),
  };
}

function withLinks<T extends { incoming: readonly string[]; outgoing: readonly string[] }>(
  item: T,
  kept: ReadonlySet<string>,
): T {
  const isKept = (id: string) => kept.has(id);
  return {
    ...item,
    incoming: item.incoming.filter(isKept),
    outgoing: item.outgoing.filter(isKept),
  };
}
