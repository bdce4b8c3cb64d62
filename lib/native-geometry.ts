/**
 * The simulator's geometry on plain numbers, for tests. Points are rows `x, y`; a segment is two points, a box four
 * corners counter-clockwise from the front left one. Areas and segments are closed; predicates are exact. All throw
 * `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`; functions of a ring also `ERR_SCENARIO` when it has fewer than 3 points.
 */
export interface GeometryAddon {
  /** Of three points each [n, 6]: 1 they turn left, -1 right, 0 they are in line. */
  turns(triples: Float64Array): Int32Array;
  /** Segments [n, 4] and [n, 4] that have a common point: 0 or 1. */
  segmentsMeet(a: Float64Array, b: Float64Array): Int32Array;
  /** Points [n, 2] outside (0), on the border (1) or inside (2) a ring [m, 2], by the even-odd rule. */
  locatePoints(ring: Float64Array, points: Float64Array): Int32Array;
  /** Corners [n, 8] of boxes [n, 5]: x, y of the centre, heading, length, width. */
  boxCorners(boxes: Float64Array): Float64Array;
  /** Boxes [n, 8] and [n, 8] that have a common point: 0 or 1. */
  boxesMeet(a: Float64Array, b: Float64Array): Int32Array;
  /** Boxes [n, 8] and segments [n, 4] that have a common point: 0 or 1. */
  boxesMeetSegments(boxes: Float64Array, segments: Float64Array): Int32Array;
  /** Boxes [n, 8] that have a common point with the area of a ring [m, 2]: 0 or 1. */
  boxesMeetPolygon(boxes: Float64Array, ring: Float64Array): Int32Array;
  /** Square metres that two rings [m, 2], [n, 2] have in common, by the even-odd rule. */
  commonArea(a: Float64Array, b: Float64Array): number;
  /** Nearest points of a line of poses [m, 3] to points [n, 2]: arc length and distance, [n, 2]. */
  projectPoints(line: Float64Array, points: Float64Array): Float64Array;
}
