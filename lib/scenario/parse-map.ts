import type { Lane } from '../observation.js';
import { Fields } from './fields.js';
import type { ScenarioLane, ScenarioMap } from './types.js';

const kMaxLanes = 100_000;
const kMaxPoints = 100_000;

/** One map row of format 1. Throws ERR_SCENARIO. */
export function parseMap(where: string, row: unknown): ScenarioMap {
  const fields = new Fields(where, row);
  fields.integer('format', 1, 1);
  const id = fields.name('map_id');
  const lanes = fields
    .list('lanes', 0, kMaxLanes)
    .map((lane, i) => parseLane(fields.at('lanes', i, lane)));
  checkTopology(fields, lanes);
  const drivableArea = fields.optionalList('drivable_area', kMaxLanes).map((polygon, i) => {
    const area = fields.at('drivable_area', i, polygon);
    return {
      exterior: area.points('exterior', 3, kMaxPoints),
      holes: area
        .optionalList('holes', kMaxLanes)
        .map((ring, k) => area.pointsOf(ring, `holes[${k}]`, 3, kMaxPoints)),
    };
  });
  return { id, location: fields.text('location'), lanes, drivableArea };
}

function parseLane(lane: Fields): ScenarioLane {
  const center = lane.points('center', 2, kMaxPoints);
  const first = center[0];
  if (center.every((p) => p[0] === first[0] && p[1] === first[1])) {
    throw lane.fail('center', 'a line of positive length');
  }
  const markings = lane.has('markings') ? lane.list('markings', 2, 2) : [null, null];
  return {
    id: laneId(lane, 'id', lane.get('id')),
    type: lane.text('type', ''),
    center,
    left: border(lane, 'left', center.length),
    right: border(lane, 'right', center.length),
    successors: ids(lane, 'successors'),
    predecessors: ids(lane, 'predecessors'),
    ...neighbors(lane),
    speedLimit: lane.numberOrNull('speed_limit', 0.1, 150),
    stopLine: isAbsent(lane, 'stop_line') ? null : lane.points('stop_line', 2, 2),
    markings: [marking(lane, 0, markings[0]), marking(lane, 1, markings[1])],
  };
}

function neighbors(
  lane: Fields,
): Pick<Lane, 'leftNeighbor' | 'leftSameDirection' | 'rightNeighbor' | 'rightSameDirection'> {
  const neighbor = (name: string) =>
    isAbsent(lane, name) ? null : laneId(lane, name, lane.get(name));
  const leftNeighbor = neighbor('left_neighbor');
  const rightNeighbor = neighbor('right_neighbor');
  // The direction says something only where there is a neighbour.
  return {
    leftNeighbor,
    leftSameDirection: leftNeighbor !== null && lane.flag('left_same_direction'),
    rightNeighbor,
    rightSameDirection: rightNeighbor !== null && lane.flag('right_same_direction'),
  };
}

function border(lane: Fields, name: string, count: number): [number, number][] {
  return lane.points(name, count, count);
}

function isAbsent(lane: Fields, name: string): boolean {
  const value = lane.get(name);
  return value === undefined || value === null;
}

/** Lane ids are safe integers or short text; `1` and `'1'` are different lanes. */
export function laneId(fields: Fields, name: string, value: unknown): number | string {
  if (Number.isSafeInteger(value)) return value as number;
  if (typeof value === 'string' && value.length > 0 && value.length <= 256) return value;
  throw fields.fail(name, 'a lane id (an integer, or text of 1 to 256 characters)', value);
}

function ids(lane: Fields, name: string): (number | string)[] {
  return lane.list(name, 0, kMaxLanes).map((id, i) => laneId(lane, `${name}[${i}]`, id));
}

function marking(lane: Fields, index: number, value: unknown): string | null {
  if (value === null || (typeof value === 'string' && value.length <= 64)) return value;
  throw lane.fail(`markings[${index}]`, 'text of at most 64 characters or null', value);
}

function checkTopology(fields: Fields, lanes: readonly ScenarioLane[]): void {
  const known = new Set<number | string>();
  for (const [i, lane] of lanes.entries()) {
    if (known.has(lane.id))
      throw fields.fail(`lanes[${i}].id`, 'an id that no lane before it has', lane.id);
    known.add(lane.id);
  }
  for (const [i, lane] of lanes.entries()) {
    const check = (id: number | string | null, name: string) => {
      if (id !== null && !known.has(id))
        throw fields.fail(`lanes[${i}].${name}`, 'the id of a lane of this map', id);
    };
    for (const [k, id] of lane.successors.entries()) check(id, `successors[${k}]`);
    for (const [k, id] of lane.predecessors.entries()) check(id, `predecessors[${k}]`);
    check(lane.leftNeighbor, 'left_neighbor');
    check(lane.rightNeighbor, 'right_neighbor');
  }
}
