import type { ScenarioLane, ScenarioMap } from '../../scenario/types.js';
import type { Point, Violation } from './violation.js';

/** A piece of a lane between two points of its lines. */
interface Piece {
  lane: ScenarioLane;
  index: number;
  corners: readonly Point[];
}

const kCell = 8; // metres
const kDepth = 0.12; // metres that lanes may reach into each other
const kNear = 3; // pieces of one lane that touch because they follow each other

/**
 * Lanes that overlap themselves, and pairs that overlap although they neither cross in a junction or roundabout, nor
 * follow each other, nor fork from or merge into one lane.
 */
export function overlapViolations(map: ScenarioMap): Violation[] {
  const cells = new Map<string, Piece[]>();
  const found = new Map<string, Violation>();
  for (const lane of map.lanes) {
    for (let i = 0; i + 1 < lane.left.length; ++i) {
      const corners = [lane.left[i], lane.left[i + 1], lane.right[i + 1], lane.right[i]];
      const piece = { lane, index: i, corners };
      for (const key of keysOf(corners)) {
        const list = cells.get(key) ?? [];
        for (const other of list) compare(piece, other, found);
        list.push(piece);
        cells.set(key, list);
      }
    }
  }
  return [...found.values()];
}

function keysOf(corners: readonly Point[]): string[] {
  const cells = (axis: 0 | 1) => {
    const values = corners.map((corner) => corner[axis]);
    return [Math.floor(Math.min(...values) / kCell), Math.floor(Math.max(...values) / kCell)];
  };
  const [[x0, x1], [y0, y1]] = [cells(0), cells(1)];
  const keys: string[] = [];
  for (let i = x0; i <= x1; ++i) for (let k = y0; k <= y1; ++k) keys.push(`${i},${k}`);
  return keys;
}

function compare(a: Piece, b: Piece, found: Map<string, Violation>): void {
  const same = a.lane === b.lane;
  if (same ? Math.abs(a.index - b.index) <= kNear : mayOverlap(a.lane, b.lane)) return;
  if (depth(a.corners, b.corners) < kDepth) return;
  const key = `${b.lane.id}/${a.lane.id}`;
  if (found.has(key)) return;
  found.set(key, {
    rule: same ? 'self-overlap' : 'lane-overlap',
    where: same ? `lane ${a.lane.id}` : `lanes ${b.lane.id} and ${a.lane.id}`,
    detail: `pieces ${b.index} and ${a.index} overlap`,
  });
}

const kCrossing = new Set(['junction', 'roundabout']);

function mayOverlap(a: ScenarioLane, b: ScenarioLane): boolean {
  const shares = (p: ScenarioLane['successors'], q: ScenarioLane['successors']) =>
    p.some((id) => q.includes(id));
  return (
    (kCrossing.has(a.type) && kCrossing.has(b.type)) ||
    a.successors.includes(b.id) ||
    b.successors.includes(a.id) ||
    shares(a.successors, b.successors) ||
    shares(a.predecessors, b.predecessors)
  );
}

/**
 * How deep two convex quadrilaterals reach into each other, metres: the least over all separating axes. Less than
 * kDepth is given as the first such value that is met.
 */
function depth(a: readonly Point[], b: readonly Point[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const shape of [a, b]) {
    for (let i = 0; i < 4; ++i) {
      const p = shape[i];
      const q = shape[(i + 1) & 3];
      const length = Math.hypot(q[0] - p[0], q[1] - p[1]);
      if (length < 1e-9) continue;
      const nx = (p[1] - q[1]) / length;
      const ny = (q[0] - p[0]) / length;
      let [a0, a1, b0, b1] = [Infinity, -Infinity, Infinity, -Infinity];
      for (let k = 0; k < 4; ++k) {
        const onA = a[k][0] * nx + a[k][1] * ny;
        const onB = b[k][0] * nx + b[k][1] * ny;
        a0 = Math.min(a0, onA);
        a1 = Math.max(a1, onA);
        b0 = Math.min(b0, onB);
        b1 = Math.max(b1, onB);
      }
      least = Math.min(least, Math.min(a1, b1) - Math.max(a0, b0));
      if (least < kDepth) return least;
    }
  }
  return least;
}
