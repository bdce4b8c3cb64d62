import {
  area,
  type Path64,
  type Paths64,
  EndType,
  FillRule,
  JoinType,
  PointInPolygonResult,
  difference,
  intersect,
  inflatePaths,
  pointInPolygon,
  simplifyPaths,
  union,
} from 'clipper2-ts';
import { type Point, thinned } from './ring.js';
import type { Ring } from './scene.js';

// Clipper computes on integers, exactly: 0.1 mm.
const kUnitsPerMetre = 1e4;
const kMiterLimit = 5;
const kArcTolerance = 0.002 * kUnitsPerMetre;
const kSmooth = 0.002 * kUnitsPerMetre;

/** Outer rings of an area, each with its holes; none of them overlap. */
interface Part {
  outer: Path64;
  holes: Path64[];
}

/**
 * Areas made of polygons: union, widening, closing of gaps. Coordinates are taken relative to `origin`, so that maps far
 * from zero lose nothing.
 */
export class Outlines {
  readonly #origin: Point;

  constructor(origin: Point) {
    this.#origin = origin;
  }

  /** Union of polygons of either orientation; a self-crossing one counts with all that it encloses. */
  union(rings: readonly Ring[]): Paths64 {
    return union(
      rings.map((ring) => this.#counterclockwise(ring)),
      FillRule.NonZero,
    );
  }

  /** One ring for each part of an area. Holes, which it may have, hang on the ring by a bridge without width. */
  rings(paths: Paths64): Ring[] {
    return partsOf(paths).map(({ outer, holes }) =>
      joined([outer, ...holes].map((p) => this.#toRing(p))),
    );
  }

  /** One ring for a whole area: its parts hang together by bridges without width. Empty for an empty area. */
  ring(paths: Paths64): Ring {
    const pieces = partsOf(paths).flatMap(({ outer, holes }) => [outer, ...holes]);
    return joined(pieces.map((piece) => this.#toRing(piece)));
  }

  #counterclockwise(ring: Ring): Path64 {
    const [x0, y0] = this.#origin;
    const path = ring.map(([x, y]) => ({
      x: Math.round((x - x0) * kUnitsPerMetre),
      y: Math.round((y - y0) * kUnitsPerMetre),
    }));
    return area(path) < 0 ? path.reverse() : path;
  }

  #toRing(path: Path64): Ring {
    const [x0, y0] = this.#origin;
    return thinned(path.map(({ x, y }) => [x / kUnitsPerMetre + x0, y / kUnitsPerMetre + y0]));
  }
}

/** The area with `distance` metres more on all sides, corners kept as corners. */
export function widened(paths: Paths64, distance: number): Paths64 {
  return offset(paths, distance, JoinType.Miter);
}

/** The area with its gaps and inlets up to `gap` metres closed. */
export function closed(paths: Paths64, gap: number): Paths64 {
  return offset(offset(paths, gap / 2, JoinType.Round), -gap / 2, JoinType.Round);
}

/** The area with its cracks up to `gap` metres closed, corners kept as corners. */
export function sealed(paths: Paths64, gap: number): Paths64 {
  return widened(widened(paths, gap / 2), -gap / 2);
}

/** What of an area lies outside another. */
export function outside(paths: Paths64, other: Paths64): Paths64 {
  return difference(paths, other, FillRule.NonZero);
}

/** The area without anything narrower than `width` metres. */
export function opened(paths: Paths64, width: number): Paths64 {
  return widened(widened(paths, -width / 2), width / 2);
}

/** The area with its holes smaller than `size` square metres filled. */
export function withoutHoles(paths: Paths64, size: number): Paths64 {
  return paths.filter((path) => area(path) > -size * kUnitsPerMetre ** 2);
}

/** Square metres. */
export function areaOf(paths: Paths64): number {
  return paths.reduce((sum, path) => sum + area(path), 0) / kUnitsPerMetre ** 2;
}

function offset(paths: Paths64, distance: number, join: JoinType): Paths64 {
  const delta = distance * kUnitsPerMetre;
  // An edge of a few units has any direction, and the corner that grows from it would be a spike.
  const smooth = simplifyPaths(paths, kSmooth);
  return inflatePaths(smooth, delta, join, EndType.Polygon, kMiterLimit, kArcTolerance);
}

/** Sorts rings into parts, the largest first. */
function partsOf(paths: Paths64): Part[] {
  const parts = paths
    .filter((path) => area(path) > 0)
    .map((outer): Part => ({ outer, holes: [] }))
    .sort((a, b) => area(b.outer) - area(a.outer));
  for (const hole of paths) {
    if (area(hole) >= 0) continue;
    // The smallest ring around it is the one that it is a hole of.
    parts.findLast(({ outer }) => isInside(hole, outer))?.holes.push(hole);
  }
  return parts;
}

function isInside(hole: Path64, outer: Path64): boolean {
  for (const point of hole) {
    const side = pointInPolygon(point, outer);
    if (side !== PointInPolygonResult.IsOn) return side === PointInPolygonResult.IsInside;
  }
  return true;
}

/**
 * One ring of several: each is joined to those before it by an edge there and back. Such an edge does not change which
 * points an even number of edges lies beyond, so the ring encloses, by the even-odd rule, what all of them do.
 */
function joined(pieces: readonly Ring[]): Ring {
  if (pieces.length < 2) return pieces[0] ?? [];
  let ring = [...pieces[0]];
  for (const piece of pieces.slice(1)) {
    const [x, y] = piece[0];
    let [nearest, least] = [0, Infinity];
    for (const [i, vertex] of ring.entries()) {
      const distance = Math.hypot(vertex[0] - x, vertex[1] - y);
      if (distance < least) [nearest, least] = [i, distance];
    }
    ring = [...ring.slice(0, nearest + 1), ...piece, piece[0], ...ring.slice(nearest)];
  }
  return ring;
}

/** What two polygons have in common, with its area in square metres. */
export function commonArea(a: Ring, b: Ring): { area: number; rings: Ring[] } {
  const plane = new Outlines(a[0]);
  const common = intersect(plane.union([a]), plane.union([b]), FillRule.NonZero);
  return { area: areaOf(common), rings: plane.rings(common) };
}
