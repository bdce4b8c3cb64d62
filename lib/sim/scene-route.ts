import { wrapAngle } from '../scenario/observe.js';
import { type LaneId, type LaneShape, nearestOnBaseline } from './lane-shapes.js';
import { distanceToOutline, isInside, type Point } from './ring.js';
import type { MapPart } from './scene-map.js';

/** m: how far a route goes on from the present. */
const kRouteLength = 150;

/**
 * Roadblocks of a route: those of the given lanes from the present one on, then straight on until 150 m of lane lie
 * ahead of the ego (or the map ends). Never empty: without a given lane the route begins at the lane nearest to the ego.
 *
 * @param lanes ids in the order in which the ego takes them; those behind it are left out.
 */
export function sceneRoute(
  part: MapPart,
  lanes: readonly LaneId[],
  ego: { x: number; y: number; heading: number },
): string[] {
  const known = lanes.filter((id) => part.shapes.has(id));
  const candidates = known.length > 0 ? known : [...part.shapes.keys()];
  const present = presentLane(part, candidates, ego);
  const ahead = known.length > 0 ? known.slice(known.indexOf(present)) : [present];
  const blocks: string[] = [];
  const add = (id: LaneId) => {
    const block = part.roadblockOf.get(id)!.id;
    if (blocks[blocks.length - 1] !== block) blocks.push(block);
  };
  for (const id of ahead) add(id);
  const last = ahead[ahead.length - 1];
  const seen = new Set(ahead);
  let length =
    lengthFrom(part.shapes.get(present)!, [ego.x, ego.y]) + lengthOf(part, ahead.slice(1));
  for (let id = straightOn(part, last); id !== undefined && length < kRouteLength; ) {
    if (seen.has(id)) break;
    seen.add(id);
    add(id);
    length += lengthOf(part, [id]);
    id = straightOn(part, id);
  }
  return blocks;
}

/** The lane that the ego is on; of several the one whose direction fits best, else the nearest. */
function presentLane(
  part: MapPart,
  candidates: readonly LaneId[],
  ego: { x: number; y: number; heading: number },
): LaneId {
  const point: Point = [ego.x, ego.y];
  let [best, least] = [candidates[0], Infinity];
  for (const id of candidates) {
    const { polygon, baseline } = part.shapes.get(id)!;
    const heading = baseline[nearestOnBaseline(baseline, point)][2];
    const off = isInside(point, polygon) ? 0 : distanceToOutline(point, polygon);
    // A metre beside the lane counts like a radian against its direction.
    const cost = off + Math.abs(wrapAngle(heading - ego.heading));
    if (cost < least) [best, least] = [id, cost];
  }
  return best;
}

/** The lane after `id`, or after a neighbour, that turns least. */
function straightOn(part: MapPart, id: LaneId): LaneId | undefined {
  const shape = part.shapes.get(id)!;
  const block = part.roadblockOf.get(id)!;
  const own = shape.lane.successors;
  const next =
    own.length > 0
      ? own
      : part.lanesOf.get(block)!.flatMap((lane) => part.shapes.get(lane)!.lane.successors);
  let [best, least]: [LaneId | undefined, number] = [undefined, Infinity];
  for (const candidate of next) {
    const turn = Math.abs(part.shapes.get(candidate)!.turn);
    if (turn < least) [best, least] = [candidate, turn];
  }
  return best;
}

/** Metres of a lane ahead of a point. */
function lengthFrom({ baseline }: LaneShape, point: Point): number {
  let length = 0;
  for (let i = nearestOnBaseline(baseline, point) + 1; i < baseline.length; ++i) {
    length += Math.hypot(baseline[i][0] - baseline[i - 1][0], baseline[i][1] - baseline[i - 1][1]);
  }
  return length;
}

function lengthOf(part: MapPart, lanes: readonly LaneId[]): number {
  return lanes.reduce<number>((sum, id) => {
    const shape = part.shapes.get(id)!;
    const [x, y] = shape.baseline[0];
    return sum + lengthFrom(shape, [x, y]);
  }, 0);
}
