import { WamFlowError } from '../errors.js';
import type { ScenarioMap } from '../scenario/types.js';
import { connectorLanes } from './lane-connectors.js';
import { type LaneId, type LaneShape, laneShapes } from './lane-shapes.js';
import { closed, Outlines, opened, outside, sealed, widened, withoutHoles } from './outline.js';
import { cleanRing } from './ring.js';
import { type LaneGroup, laneGroups } from './roadblocks.js';
import type { SceneArea, SceneLane, SceneMap, SceneRoadblock } from './scene.js';

/** m: shoulder on all sides of roadblocks and intersections. */
const kShoulder = 1;
/** m: gaps of an intersection that are closed. */
const kGap = 6;
/** m: cracks between the outlines of neighbouring lanes that are closed. */
const kCrack = 0.1;
/** m^2: holes of a roadblock that are smaller are gaps between the outlines of its lanes. */
const kSliver = 20;
/** m: drivable ground beyond roads that is narrower is the inaccuracy of an outline. */
const kMinExtraWidth = 1;
/** m: other drivable ground reaches this far into the road, so that nothing lies between the two. */
const kSeam = 0.1;
/** m/s: limit where a map has none. 25 mph, and 55 mph on the freeway of the driving data. */
const kMissingLimit = 11.176;
const kMissingLimits: ReadonlyMap<string, number> = new Map([['us101', 24.5872]]);

/** The map of a recording in the terms of the score, and how the two belong together. */
export interface MapPart {
  map: SceneMap;
  shapes: ReadonlyMap<LaneId, LaneShape>;
  connectors: ReadonlySet<LaneId>;
  roadblockOf: ReadonlyMap<LaneId, SceneRoadblock>;
  lanesOf: ReadonlyMap<SceneRoadblock, readonly LaneId[]>;
}

const parts = new WeakMap<ScenarioMap, MapPart>();

/** Id of a lane in a scene. Numbers and texts are told apart: `1` and `'1'` are different lanes. */
export function sceneLaneId(id: LaneId): string {
  return typeof id === 'number' ? `l${id}` : `l:${id}`;
}

/**
 * The whole map of a recording in the terms of the score (docs/pdm-adapter.md). Made once for each map and shared by its
 * scenes. Throws ERR_SCENARIO for a map that no scene can be made from.
 */
export function mapPartOf(map: ScenarioMap): MapPart {
  let part = parts.get(map);
  if (!part) {
    part = makeMapPart(map);
    parts.set(map, part);
  }
  return part;
}

function makeMapPart(map: ScenarioMap): MapPart {
  const shapes = laneShapes(map);
  if (shapes.size === 0) {
    throw new WamFlowError(
      'ERR_SCENARIO',
      `map ${map.id}: expected at least one lane, received none`,
    );
  }
  const connectors = connectorLanes(shapes);
  const groups = laneGroups(shapes, connectors);
  const plane = new Outlines(map.lanes[0].center[0]);
  const roadblocks = makeRoadblocks(groups, shapes, plane);
  const roadblockOf = new Map<LaneId, SceneRoadblock>();
  for (const [i, group] of groups.entries()) {
    for (const id of group.lanes) roadblockOf.set(id, roadblocks[i]);
  }
  const limit = kMissingLimits.get(map.location) ?? kMissingLimit;
  const lanes = [...shapes.values()].map((shape): SceneLane => {
    const { lane, polygon, baseline } = shape;
    return {
      id: sceneLaneId(lane.id),
      roadblockId: roadblockOf.get(lane.id)!.id,
      isConnector: connectors.has(lane.id),
      polygon,
      baseline,
      speedLimit: lane.speedLimit ?? limit,
      incoming: laneIds(lane.predecessors),
      outgoing: laneIds(lane.successors),
    };
  });
  const connectorRings = lanes.filter((lane) => lane.isConnector).map((lane) => lane.polygon);
  const intersections = named(
    'i',
    plane.rings(widened(closed(plane.union(connectorRings), kGap), kShoulder)),
  );
  return {
    map: {
      roadblocks,
      lanes,
      intersections,
      carparks: otherGround(map, plane, roadblocks, intersections),
    },
    shapes,
    connectors,
    roadblockOf,
    lanesOf: new Map(groups.map((group, i) => [roadblocks[i], group.lanes])),
  };
}

/** A list of links may name a lane twice. */
function laneIds(ids: readonly LaneId[]): string[] {
  return [...new Set(ids.map(sceneLaneId))];
}

function makeRoadblocks(
  groups: readonly LaneGroup[],
  shapes: ReadonlyMap<LaneId, LaneShape>,
  plane: Outlines,
): SceneRoadblock[] {
  const idOf = (group: LaneGroup) => `rb${sceneLaneId(group.lanes[0]).slice(1)}`;
  const groupIds = new Map(groups.flatMap((group) => group.lanes.map((id) => [id, idOf(group)])));
  return groups.map((group) => {
    const id = idOf(group);
    const links = (side: 'predecessors' | 'successors') => {
      const ids = group.lanes.flatMap((lane) => shapes.get(lane)!.lane[side]);
      const others = new Set(ids.map((lane) => groupIds.get(lane)!));
      others.delete(id);
      return [...others].sort();
    };
    const rings = group.lanes.map((lane) => shapes.get(lane)!.polygon);
    const union = withoutHoles(sealed(plane.union(rings), kCrack), kSliver);
    const outline = plane.ring(group.isConnector ? union : widened(union, kShoulder));
    return {
      id,
      isConnector: group.isConnector,
      // Lanes without an area have no union either.
      polygon: cleanRing(outline) ?? rings[0],
      laneIds: group.lanes.map(sceneLaneId),
      incoming: links('predecessors'),
      outgoing: links('successors'),
    };
  });
}

/** Drivable ground of the map that no lane covers (car parks, widened kerbs). */
function otherGround(
  map: ScenarioMap,
  plane: Outlines,
  roadblocks: readonly SceneRoadblock[],
  intersections: readonly SceneArea[],
): SceneArea[] {
  const rings = map.drivableArea.flatMap(({ exterior, holes }) => {
    const all = plane.union([exterior]);
    return plane.rings(holes.length === 0 ? all : outside(all, plane.union(holes)));
  });
  const road = [...roadblocks.filter((block) => !block.isConnector), ...intersections];
  const beyond = outside(plane.union(rings), plane.union(road.map((area) => area.polygon)));
  const rest = opened(beyond, kMinExtraWidth);
  return named('c', plane.rings(widened(rest, kSeam)));
}

function named(prefix: string, rings: readonly SceneArea['polygon'][]): SceneArea[] {
  return rings
    .map((ring) => cleanRing(ring))
    .filter((ring) => ring !== null)
    .map((polygon, i) => ({ id: `${prefix}${i}`, polygon }));
}
