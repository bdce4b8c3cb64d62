import { argumentError, type WamFlowError } from './errors.js';
import { type NativeLane, type NativeMap, native } from './native.js';
import type { Lane, RoadMap } from './observation.js';

/** A map as the engine holds it, with the way from lane ids to lane indices. */
export interface PackedMap {
  native: NativeMap;
  /** Lane index by id. */
  index: ReadonlyMap<number | string, number>;
}

/** Beyond this, coordinates are a mistake: metres from the map's origin. */
export const kMaxPosition = 1e8;

/** Mean lane width where a lane has no borders, metres. */
const kDefaultWidth = 3.5;
const kMaxLanes = 1_000_000;

type Points = readonly (readonly [number, number])[];

const packed = new WeakMap<RoadMap, PackedMap>();

/**
 * The engine's copy of a map, made at the first call for an object and kept as long as the object lives. A map may be a
 * crop of a larger one: successors, predecessors and neighbours that it does not hold are left out.
 *
 * @param map lanes in metres; may be empty.
 * @param path what error messages call it.
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_RANGE` naming the field.
 */
export function packMap(map: RoadMap, path = 'map'): PackedMap {
  if (typeof map !== 'object' || map === null) throw argumentError(path, 'a road map', map);
  let result = packed.get(map);
  if (!result) {
    result = pack(map, path);
    packed.set(map, result);
  }
  return result;
}

function pack(map: RoadMap, path: string): PackedMap {
  const { lanes } = map;
  if (!Array.isArray(lanes)) throw argumentError(`${path}.lanes`, 'an array of lanes', lanes);
  if (lanes.length > kMaxLanes) {
    throw argumentError(`${path}.lanes`, `at most ${kMaxLanes} lanes`, lanes, 'ERR_RANGE');
  }
  const index = new Map<number | string, number>();
  lanes.forEach((lane: Lane, i) => {
    const at = `${path}.lanes[${i}]`;
    if (typeof lane !== 'object' || lane === null) throw argumentError(at, 'a lane', lane);
    const { id } = lane;
    if (typeof id !== 'string' && typeof id !== 'number') {
      throw argumentError(`${at}.id`, 'a number or a string', id);
    }
    if (index.has(id)) throw argumentError(`${at}.id`, 'an id that no other lane has', id);
    index.set(id, i);
  });
  const packedLanes = lanes.map((lane, i) => packLane(lane, index, `${path}.lanes[${i}]`));
  return { native: native().createMap(packedLanes), index };
}

function packLane(lane: Lane, index: ReadonlyMap<number | string, number>, at: string): NativeLane {
  const center = packPoints(lane.center, `${at}.center`, 2);
  const neighbor = (id: number | string | null, same: boolean) =>
    id !== null && same ? (index.get(id) ?? -1) : -1;
  return {
    center,
    successors: known(lane.successors, index, `${at}.successors`),
    predecessors: known(lane.predecessors, index, `${at}.predecessors`),
    left: neighbor(lane.leftNeighbor, lane.leftSameDirection),
    right: neighbor(lane.rightNeighbor, lane.rightSameDirection),
    width: meanWidth(lane, at),
    speedLimit: speedLimit(lane.speedLimit, `${at}.speedLimit`),
    stopLine: lane.stopLine != null,
  };
}

function packPoints(points: Points, path: string, least: number): Float64Array {
  if (!Array.isArray(points)) throw argumentError(path, 'an array of [x, y] points', points);
  if (points.length < least) {
    throw argumentError(path, `at least ${least} points`, points, 'ERR_SHAPE');
  }
  const out = new Float64Array(2 * points.length);
  for (let i = 0; i < points.length; i++) {
    const point = points[i];
    if (!Array.isArray(point) || point.length < 2) {
      throw argumentError(`${path}[${i}]`, 'a point [x, y]', point);
    }
    for (let k = 0; k < 2; k++) {
      const value = point[k] as number;
      if (typeof value !== 'number' || !(Math.abs(value) <= kMaxPosition)) {
        throw badNumber(`${path}[${i}][${k}]`, value, kMaxPosition, 'metres');
      }
      out[2 * i + k] = value;
    }
  }
  return out;
}

/** The error for `value`, which is no number, not finite or beyond +-limit. */
export function badNumber(path: string, value: unknown, limit: number, unit: string): WamFlowError {
  if (typeof value !== 'number') return argumentError(path, 'a number', value);
  if (!Number.isFinite(value)) {
    return argumentError(path, 'a finite number', value, 'ERR_NOT_FINITE');
  }
  return argumentError(path, `at most ${limit} ${unit} either way`, value, 'ERR_RANGE');
}

function known(
  ids: readonly (number | string)[],
  index: ReadonlyMap<number | string, number>,
  path: string,
): Int32Array {
  if (!Array.isArray(ids)) throw argumentError(path, 'an array of lane ids', ids);
  return Int32Array.from(ids.map((id) => index.get(id) ?? -1).filter((i) => i >= 0));
}

function meanWidth(lane: Lane, at: string): number {
  const left = packPoints(lane.left, `${at}.left`, 0);
  const right = packPoints(lane.right, `${at}.right`, 0);
  if (left.length !== right.length) {
    throw argumentError(`${at}.right`, 'as many points as left', lane.right, 'ERR_SHAPE');
  }
  if (left.length === 0) return kDefaultWidth;
  let sum = 0;
  for (let i = 0; i < left.length; i += 2) {
    sum += Math.hypot(left[i]! - right[i]!, left[i + 1]! - right[i + 1]!);
  }
  return sum / (left.length / 2);
}

function speedLimit(limit: number | null, path: string): number {
  if (limit === null || limit === undefined) return -1;
  if (typeof limit !== 'number' || !(limit >= 0 && limit <= 1000)) {
    if (typeof limit === 'number' && Number.isFinite(limit)) {
      throw argumentError(path, '0 to 1000 m/s, or null', limit, 'ERR_RANGE');
    }
    throw badNumber(path, limit, 1000, 'm/s');
  }
  return limit;
}

/** Indices of `ids` in `map`. @throws WamFlowError `ERR_ARGUMENT` naming the id that the map does not have. */
export function laneIndex(map: PackedMap, id: number | string, path: string): number {
  const index = map.index.get(id);
  if (index === undefined) throw argumentError(path, 'the id of a lane of the map', id);
  return index;
}
