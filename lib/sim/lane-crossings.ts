import { WamFlowError } from '../errors.js';
import { wrapAngle } from '../scenario/observe.js';
import { type LaneId, type LaneShape, nearestOnBaseline } from './lane-shapes.js';
import { commonArea } from './outline.js';
import type { Point } from './ring.js';
import type { Ring } from './scene.js';

const kMinArea = 2; // m^2
const kMinAngle = (20 * Math.PI) / 180;
const kMaxAngle = (165 * Math.PI) / 180;
// A junction of 100 lanes has about a thousand pairs; a map with more than this is piled up on itself.
const kMaxPairs = 50_000;

interface Box {
  shape: LaneShape;
  minX: number;
  maxX: number;
  minY: number;
  maxY: number;
}

/**
 * Lanes that cross another: they share 2 m^2 or more, at 20 to 165 degrees where they do, and do not belong together
 * (neighbours, one after the other, or from or to a common lane). Throws ERR_SCENARIO when too many lanes overlap.
 */
export function crossingLanes(shapes: Iterable<LaneShape>): Set<LaneId> {
  const crossing = new Set<LaneId>();
  for (const [a, b] of overlappingBoxes([...shapes].map(boxOf))) {
    if (crossing.has(a.lane.id) && crossing.has(b.lane.id)) continue;
    if (areRelated(a, b) || !doCross(a, b)) continue;
    crossing.add(a.lane.id).add(b.lane.id);
  }
  return crossing;
}

function* overlappingBoxes(boxes: Box[]): Generator<[LaneShape, LaneShape]> {
  boxes.sort((a, b) => a.minX - b.minX);
  let pairs = 0;
  let open: Box[] = [];
  for (const box of boxes) {
    open = open.filter((other) => other.maxX >= box.minX);
    for (const other of open) {
      if (other.maxY < box.minY || box.maxY < other.minY) continue;
      if (++pairs > kMaxPairs) {
        throw new WamFlowError(
          'ERR_SCENARIO',
          `map: expected at most ${kMaxPairs} pairs of lanes that overlap, received more`,
        );
      }
      yield [other.shape, box.shape];
    }
    open.push(box);
  }
}

function boxOf(shape: LaneShape): Box {
  const box = { shape, minX: Infinity, maxX: -Infinity, minY: Infinity, maxY: -Infinity };
  for (const [x, y] of shape.polygon) {
    box.minX = Math.min(box.minX, x);
    box.maxX = Math.max(box.maxX, x);
    box.minY = Math.min(box.minY, y);
    box.maxY = Math.max(box.maxY, y);
  }
  return box;
}

function areRelated({ lane: a }: LaneShape, { lane: b }: LaneShape): boolean {
  return (
    [a.leftNeighbor, a.rightNeighbor].includes(b.id) ||
    [b.leftNeighbor, b.rightNeighbor].includes(a.id) ||
    a.successors.includes(b.id) ||
    b.successors.includes(a.id) ||
    a.successors.some((id) => b.successors.includes(id)) ||
    a.predecessors.some((id) => b.predecessors.includes(id))
  );
}

function doCross(a: LaneShape, b: LaneShape): boolean {
  const common = commonArea(a.polygon, b.polygon);
  if (common.area < kMinArea) return false;
  const place = middleOf(common.rings);
  const headingAt = ({ baseline }: LaneShape) => baseline[nearestOnBaseline(baseline, place)][2];
  const angle = Math.abs(wrapAngle(headingAt(a) - headingAt(b)));
  return angle >= kMinAngle && angle <= kMaxAngle;
}

function middleOf(rings: readonly Ring[]): Point {
  const points = rings.flat();
  const mean = (k: 0 | 1) => points.reduce((sum, point) => sum + point[k], 0) / points.length;
  return [mean(0), mean(1)];
}
