import { argumentError } from '../errors.js';
import { type NativeGroundMap, native } from '../native.js';
import type { Lane, RoadMap } from '../observation.js';
import { paintOf } from './paint.js';

type Points = readonly (readonly [number, number])[];

const packed = new WeakMap<RoadMap, NativeGroundMap>();

/** Limits up to here are driven among houses, m/s: there the road has kerbs and pavements. */
const kTownLimit = 16.8;
const kSidewalk = 2.2; // metres

/**
 * What lies on the ground of a map, for the camera: the road, its kerbs and its paint. Made at the first call for an object
 * and kept as long as the object lives.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_RANGE`.
 */
export function packGround(map: RoadMap): NativeGroundMap {
  let ground = packed.get(map);
  if (!ground) {
    ground = pack(map);
    packed.set(map, ground);
  }
  return ground;
}

function pack(map: RoadMap): NativeGroundMap {
  if (!Array.isArray(map?.lanes)) throw argumentError('map.lanes', 'an array of lanes', map?.lanes);
  for (const [i, lane] of map.lanes.entries()) {
    for (const name of ['center', 'left', 'right'] as const) {
      if (Array.isArray(lane[name]) && lane[name].length >= 2) continue;
      const path = `map.lanes[${i}].${name}`;
      throw argumentError(path, 'an array of at least 2 points', lane[name], 'ERR_SHAPE');
    }
  }
  const rings = new PointLists();
  const holes: number[] = [];
  const ring = (points: Points, hole: boolean) => {
    rings.add(points);
    holes.push(hole ? 1 : 0);
  };
  for (const area of map.drivableArea) {
    ring(area.exterior, false);
    for (const hole of area.holes) ring(hole, true);
  }
  // A map that does not say where one may drive has lanes at least.
  if (map.drivableArea.length === 0) {
    for (const { left, right } of map.lanes) ring([...right, ...[...left].reverse()], false);
  }
  const lines = new PointLists();
  const styles: number[] = [];
  for (const { points, width, on, off, middle } of paintOf(map.lanes)) {
    lines.add(points);
    styles.push(width, on, off, middle ? 1 : 0);
  }
  return native().createGroundMap({
    ringPoints: rings.points(),
    ringStarts: rings.starts(),
    ringHoles: Int32Array.from(holes),
    linePoints: lines.points(),
    lineStarts: lines.starts(),
    lineStyles: Float64Array.from(styles),
    sidewalk: isTown(map.lanes) ? kSidewalk : 0,
  });
}

function isTown(lanes: readonly Lane[]): boolean {
  const limits = lanes.map(({ speedLimit }) => speedLimit).filter((limit) => limit !== null);
  if (limits.length === 0) return lanes.some(({ stopLine }) => stopLine !== null);
  limits.sort((a, b) => a - b);
  return limits[limits.length >> 1] <= kTownLimit;
}

/** Lists of points in the addon's form. */
class PointLists {
  readonly #values: number[] = [];
  readonly #starts: number[] = [0];

  add(points: Points): void {
    for (const [x, y] of points) this.#values.push(x, y);
    this.#starts.push(this.#values.length / 2);
  }

  points(): Float64Array {
    return Float64Array.from(this.#values);
  }

  starts(): Int32Array {
    return Int32Array.from(this.#starts);
  }
}
