import { type Fields, kMaxCoordinate } from '../scenario/fields.js';
import { cleanRing, withoutRepeats } from './ring.js';
import type { Ring, SceneArea, SceneLane, SceneMap, SceneRoadblock } from './scene.js';
import {
  kMaxAreas,
  kMaxHeading,
  kMaxId,
  kMaxLanes,
  kMaxPoints,
  kMaxRoadblocks,
} from './scene-limits.js';

/**
 * The map of a scene. Yields between its parts, so that the caller decides whether a large one blocks; throws
 * ERR_SCENARIO.
 */
export function* parseMap(map: Fields): Generator<void, SceneMap> {
  const roadblocks: SceneRoadblock[] = [];
  for (const [i, value] of map.list('roadblocks', 1, kMaxRoadblocks).entries()) {
    roadblocks.push(parseRoadblock(map.at('roadblocks', i, value)));
    yield;
  }
  const lanes: SceneLane[] = [];
  for (const [i, value] of map.list('lanes', 1, kMaxLanes).entries()) {
    lanes.push(parseLane(map.at('lanes', i, value)));
    yield;
  }
  const roadblockById = byId(map, 'roadblocks', roadblocks);
  const laneById = byId(map, 'lanes', lanes);
  checkMembers(map, roadblocks, lanes, roadblockById, laneById);
  return {
    // A map is cut out of a larger one: what leads across its border is not part of it.
    roadblocks: roadblocks.map((block) => withKnownLinks(block, roadblockById)),
    lanes: lanes.map((lane) => withKnownLinks(lane, laneById)),
    intersections: yield* parseAreas(map, 'intersections'),
    carparks: yield* parseAreas(map, 'carparks'),
  };
}

function parseRoadblock(block: Fields): SceneRoadblock {
  return {
    id: block.name('id', kMaxId),
    isConnector: block.flag('is_connector'),
    polygon: parseRing(block, 'polygon'),
    laneIds: idList(block, 'lane_ids', 1),
    incoming: idList(block, 'incoming', 0),
    outgoing: idList(block, 'outgoing', 0),
  };
}

function parseLane(lane: Fields): SceneLane {
  return {
    id: lane.name('id', kMaxId),
    roadblockId: lane.name('roadblock_id', kMaxId),
    isConnector: lane.flag('is_connector'),
    polygon: parseRing(lane, 'polygon'),
    baseline: parseBaseline(lane, 'baseline'),
    speedLimit: lane.numberOrNull('speed_limit_mps', 0.1, 150),
    incoming: idList(lane, 'incoming', 0),
    outgoing: idList(lane, 'outgoing', 0),
  };
}

function* parseAreas(map: Fields, name: string): Generator<void, SceneArea[]> {
  const areas: SceneArea[] = [];
  for (const [i, value] of map.optionalList(name, kMaxAreas).entries()) {
    const area = map.at(name, i, value);
    areas.push({ id: area.name('id', kMaxId), polygon: parseRing(area, 'polygon') });
    yield;
  }
  byId(map, name, areas);
  return areas;
}

function parseRing(fields: Fields, name: string): Ring {
  const ring = cleanRing(fields.points(name, 3, kMaxPoints));
  if (ring === null) throw fields.fail(name, 'a polygon of at least 3 distinct vertices');
  return ring;
}

function parseBaseline(lane: Fields, name: string): SceneLane['baseline'] {
  const limits = [kMaxCoordinate, kMaxCoordinate, kMaxHeading];
  const poses = lane.tuples(name, 2, kMaxPoints, '[x, y, heading] in metres and radians', limits);
  const baseline = withoutRepeats(poses as [number, number, number][]);
  if (baseline.length < 2) throw lane.fail(name, 'a line of positive length');
  return baseline;
}

function idList(fields: Fields, name: string, min: number): string[] {
  const seen = new Set<string>();
  for (const [i, id] of fields.list(name, min, kMaxLanes).entries()) {
    if (typeof id !== 'string' || id.length === 0 || id.length > kMaxId)
      throw fields.fail(`${name}[${i}]`, `an id: text of 1 to ${kMaxId} characters`, id);
    seen.add(id);
  }
  return [...seen];
}

function byId<T extends { id: string }>(map: Fields, name: string, items: readonly T[]) {
  const found = new Map<string, T>();
  for (const [i, item] of items.entries()) {
    if (found.has(item.id))
      throw map.fail(`${name}[${i}].id`, 'an id that none before it has', item.id);
    found.set(item.id, item);
  }
  return found;
}

/** A roadblock lists exactly the lanes that name it, all of its kind. */
function checkMembers(
  map: Fields,
  roadblocks: readonly SceneRoadblock[],
  lanes: readonly SceneLane[],
  roadblockById: ReadonlyMap<string, SceneRoadblock>,
  laneById: ReadonlyMap<string, SceneLane>,
): void {
  for (const [i, block] of roadblocks.entries()) {
    for (const [k, id] of block.laneIds.entries()) {
      if (laneById.get(id)?.roadblockId !== block.id) {
        const expected = `the id of a lane of this map with roadblock_id ${JSON.stringify(block.id)}`;
        throw map.fail(`roadblocks[${i}].lane_ids[${k}]`, expected, id);
      }
    }
  }
  const listed = new Set(roadblocks.flatMap((block) => block.laneIds));
  for (const [i, lane] of lanes.entries()) {
    const block = roadblockById.get(lane.roadblockId);
    if (!block || !listed.has(lane.id)) {
      const expected = `the id of a roadblock of this map that lists lane ${JSON.stringify(lane.id)}`;
      throw map.fail(`lanes[${i}].roadblock_id`, expected, lane.roadblockId);
    }
    if (block.isConnector !== lane.isConnector) {
      const expected = `${block.isConnector}, as its roadblock ${JSON.stringify(block.id)} has it`;
      throw map.fail(`lanes[${i}].is_connector`, expected, lane.isConnector);
    }
  }
}

function withKnownLinks<T extends { incoming: readonly string[]; outgoing: readonly string[] }>(
  item: T,
  known: ReadonlyMap<string, unknown>,
): T {
  const { incoming, outgoing } = item;
  const isKnown = (id: string) => known.has(id);
  return { ...item, incoming: incoming.filter(isKnown), outgoing: outgoing.filter(isKnown) };
}
