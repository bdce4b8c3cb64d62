import type { Lane } from '../../observation.js';
import { wrapAngle } from '../../scenario/observe.js';
import type { ScenarioMap } from '../../scenario/types.js';
import { DrivableArea } from './area.js';
import type { Point, Violation } from './violation.js';

const kJointGap = 1e-6; // metres
const kJointTurn = 0.1; // radians
const kWidths = [2.5, 6] as const; // metres
const kSharpest = 0.3; // 1/m
const kInside = 0.05; // metres that borders are pulled in before they are looked for in the drivable area

type Lanes = ReadonlyMap<number | string, Lane>;

/** Every broken rule about the lanes of a map, each lane for itself and with those it is linked to. */
export function laneViolations(map: ScenarioMap): Violation[] {
  const lanes: Lanes = new Map(map.lanes.map((lane) => [lane.id, lane]));
  const area = new DrivableArea(map);
  return map.lanes.flatMap((lane) => [
    ...linkViolations(lane, lanes),
    ...neighborViolations(lane, lanes),
    ...jointViolations(lane, lanes),
    ...shapeViolations(lane),
    ...areaViolations(lane, area),
  ]);
}

function linkViolations(lane: Lane, lanes: Lanes): Violation[] {
  const where = `lane ${lane.id}`;
  const missing = (kind: string, id: number | string): Violation => ({
    rule: 'link',
    where,
    detail: `${kind} ${id} does not name it back`,
  });
  return [
    ...lane.successors
      .filter((id) => !lanes.get(id)?.predecessors.includes(lane.id))
      .map((id) => missing('successor', id)),
    ...lane.predecessors
      .filter((id) => !lanes.get(id)?.successors.includes(lane.id))
      .map((id) => missing('predecessor', id)),
  ];
}

function neighborViolations(lane: Lane, lanes: Lanes): Violation[] {
  const found: Violation[] = [];
  const check = (side: 'left' | 'right', id: Lane['leftNeighbor'], same: boolean) => {
    if (id === null) return;
    const other = lanes.get(id);
    // Seen from a lane of the other direction, this one is on the same side.
    const back = (side === 'left') === same ? other?.rightNeighbor : other?.leftNeighbor;
    const agrees =
      (side === 'left') === same ? other?.rightSameDirection : other?.leftSameDirection;
    if (back !== lane.id || agrees !== same) {
      const detail = `${side} neighbour ${id} has ${back} on that side`;
      found.push({ rule: 'neighbor', where: `lane ${lane.id}`, detail });
    }
  };
  check('left', lane.leftNeighbor, lane.leftSameDirection);
  check('right', lane.rightNeighbor, lane.rightSameDirection);
  return found;
}

function jointViolations(lane: Lane, lanes: Lanes): Violation[] {
  const found: Violation[] = [];
  const end = lane.center[lane.center.length - 1];
  for (const id of lane.successors) {
    const next = lanes.get(id);
    if (!next) continue;
    const where = `lanes ${lane.id} and ${id}`;
    const [x, y] = next.center[0];
    const gap = Math.hypot(x - end[0], y - end[1]);
    if (!(gap <= kJointGap)) found.push({ rule: 'joint', where, detail: `${gap} m apart` });
    const turn = Math.abs(
      wrapAngle(headingAt(next.center, 'start') - headingAt(lane.center, 'end')),
    );
    if (!(turn <= kJointTurn)) {
      found.push({ rule: 'joint-heading', where, detail: `a kink of ${turn.toFixed(3)} rad` });
    }
  }
  return found;
}

/** Heading at an end of a line: the parabola through the headings of its last three pieces, at their middles. */
function headingAt(line: readonly Point[], end: 'start' | 'end'): number {
  const points = end === 'start' ? line.slice(0, 4) : line.slice(-4).reverse();
  const sign = end === 'start' ? 1 : -1;
  const places: number[] = [];
  const headings: number[] = [];
  let s = 0;
  for (const [i, [x, y]] of points.slice(1).entries()) {
    const [dx, dy] = [sign * (x - points[i][0]), sign * (y - points[i][1])];
    const heading = Math.atan2(dy, dx);
    const length = Math.hypot(dx, dy);
    places.push(s + length / 2);
    headings.push(i === 0 ? heading : headings[0] + wrapAngle(heading - headings[0]));
    s += length;
  }
  // Lagrange's polynomial at 0.
  return headings.reduce((sum, heading, i) => {
    let weight = 1;
    for (const [k, place] of places.entries()) if (k !== i) weight *= place / (place - places[i]);
    return sum + weight * heading;
  }, 0);
}

function shapeViolations({ id, center, left, right }: Lane): Violation[] {
  const found: Violation[] = [];
  const where = `lane ${id}`;
  for (let i = 0; i < center.length; ++i) {
    const a = center[Math.max(0, i - 1)];
    const b = center[Math.min(center.length - 1, i + 1)];
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const aside = (p: Point) =>
      (dx * (p[1] - center[i][1]) - dy * (p[0] - center[i][0])) / Math.hypot(dx, dy);
    if (!(aside(left[i]) > 0 && aside(right[i]) < 0)) {
      found.push({ rule: 'border-side', where, detail: `borders change sides at point ${i}` });
      break;
    }
  }
  const widths = left.map(([x, y], i) => Math.hypot(x - right[i][0], y - right[i][1]));
  const [low, high] = [Math.min(...widths), Math.max(...widths)];
  if (!(low >= kWidths[0] && high <= kWidths[1])) {
    found.push({
      rule: 'width',
      where,
      detail: `${low.toFixed(2)} m to ${high.toFixed(2)} m wide`,
    });
  }
  for (let i = 1; i + 1 < center.length; ++i) {
    const bend = Math.abs(curvature(center[i - 1], center[i], center[i + 1]));
    if (bend <= kSharpest) continue;
    found.push({ rule: 'curvature', where, detail: `${bend.toFixed(3)} 1/m at point ${i}` });
    break;
  }
  return found;
}

/** 1/m of the circle through three points. */
function curvature(a: Point, b: Point, c: Point): number {
  const cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  const product =
    Math.hypot(b[0] - a[0], b[1] - a[1]) *
    Math.hypot(c[0] - b[0], c[1] - b[1]) *
    Math.hypot(c[0] - a[0], c[1] - a[1]);
  return product === 0 ? Number.POSITIVE_INFINITY : (2 * cross) / product;
}

function areaViolations({ id, left, right }: Lane, area: DrivableArea): Violation[] {
  for (const [i, a] of left.entries()) {
    const b = right[i];
    const share = kInside / Math.max(Math.hypot(b[0] - a[0], b[1] - a[1]), 2 * kInside);
    for (const w of [share, 1 - share]) {
      const [x, y] = [a[0] + w * (b[0] - a[0]), a[1] + w * (b[1] - a[1])];
      if (area.containsNearly(x, y, 0.02)) continue;
      return [{ rule: 'drivable-area', where: `lane ${id}`, detail: `point ${i} lies outside` }];
    }
  }
  return [];
}
