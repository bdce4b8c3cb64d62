import { argumentError } from '../errors.js';
import { type NativeGroundMap, native } from '../native.js';
import type { Lane, RoadMap } from '../observation.js';
import type { ScenarioLane } from '../scenario/types.js';

type Points = readonly (readonly [number, number])[];

const packed = new WeakMap<RoadMap, NativeGroundMap>();

/** Limits up to here are driven among houses, m/s: there the road has kerbs and pavements. */
const kTownLimit = 16.8;
const kSidewalk = 2.2; // metres
const kLineWidth = 0.12;
const kBroadLineWidth = 0.25;
const kStopLineWidth = 0.4;

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
  const lanes = new Map(map.lanes.map((lane: Lane) => [lane.id, lane]));
  for (const lane of map.lanes as readonly Lane[]) {
    for (const { points, style } of paintOf(lane, lanes)) {
      lines.add(points);
      styles.push(...style);
    }
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

interface Paint {
  points: Points;
  /** Width, paint and gap in metres, 1 where it may be yellow. */
  style: [number, number, number, number];
}

/** What is painted along and across a lane. */
function* paintOf(lane: Lane, lanes: ReadonlyMap<number | string, Lane>): Generator<Paint> {
  const [left, right] = markingsOf(lane);
  const fast = (lane.speedLimit ?? 0) > 22;
  const style = (marking: string, yellow: boolean): Paint['style'] => {
    const width = marking.includes('broad') ? kBroadLineWidth : kLineWidth;
    const dash = fast ? [6, 12] : [3, 6];
    const [on, off] = marking.includes('dashed') ? dash : [100, 0];
    return [width, on, off, yellow ? 1 : 0];
  };
  const oncoming = lane.leftNeighbor !== null && !lane.leftSameDirection;
  if (left !== null) yield { points: lane.left, style: style(left, oncoming) };
  // A line between two lanes is the left one's right and the right one's left: it is painted once.
  const beside = lane.rightNeighbor === null ? undefined : lanes.get(lane.rightNeighbor);
  const shared = beside && lane.rightSameDirection && markingsOf(beside)[0] !== null;
  if (right !== null && !shared) yield { points: lane.right, style: style(right, false) };
  if (lane.stopLine) yield { points: lane.stopLine, style: [kStopLineWidth, 100, 0, 0] };
}

function markingsOf(lane: Lane): readonly [string | null, string | null] {
  return (lane as Partial<ScenarioLane>).markings ?? [null, null];
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
