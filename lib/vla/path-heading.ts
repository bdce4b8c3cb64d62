import { argumentError } from '../errors.js';

/** Options of {@link headingsOfPath}. */
export interface PathHeadingOptions {
  /** Metres that a vehicle must have gone for its motion to have a direction. Default 1.5. */
  leastM?: number;
}

/**
 * Headings of a path that has positions alone, such as a plan of 16 numbers: the direction of motion.
 *
 * The path begins at the origin with heading 0. Each chord between points at least `leastM` apart gives the heading half
 * way along it, which is exact on a circle at a constant speed; at the points headings are linear in the distance driven between these, and
 * beyond the last they go on as before it. Where the vehicle hardly moves its heading stays what it was. A chord that goes
 * against the heading (by more than a right angle) is driven in reverse.
 *
 * @param positions [n, 2]: x, y in metres, in the ego's present frame
 * @returns [n] radians without jumps of a whole turn
 * @throws WamFlowError `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_RANGE`
 */
export function headingsOfPath(
  positions: ArrayLike<number>,
  { leastM = 1.5 }: PathHeadingOptions = {},
): Float64Array {
  const count = positions.length / 2;
  if (!Number.isInteger(count)) {
    throw argumentError('positions', 'pairs [n, 2]', positions, 'ERR_SHAPE');
  }
  if (!(leastM > 0)) throw argumentError('leastM', 'metres above 0', leastM, 'ERR_RANGE');
  // Heading by distance driven: at the origin, then half way along each chord.
  const knots: { at: number; heading: number }[] = [{ at: 0, heading: 0 }];
  const driven = new Float64Array(count);
  let [fromX, fromY, at] = [0, 0, 0];
  for (let i = 0; i < count; i += 1) {
    const [x, y] = [positions[2 * i]!, positions[2 * i + 1]!];
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      throw argumentError(`positions[${i}]`, 'finite numbers', `${x},${y}`, 'ERR_NOT_FINITE');
    }
    const length = Math.hypot(x - fromX, y - fromY);
    if (length >= leastM) {
      const { heading } = knots.at(-1)!;
      const direction = nearestTo(heading, Math.atan2(y - fromY, x - fromX));
      knots.push({ at: at + length / 2, heading: direction });
      [fromX, fromY, at] = [x, y, at + length];
    }
    driven[i] = at;
  }
  let k = 0;
  return driven.map((distance) => {
    while (k + 2 < knots.length && knots[k + 1]!.at <= distance) k += 1;
    const [a, b] = [knots[k]!, knots[k + 1] ?? knots[k]!];
    if (b.at === a.at) return a.heading;
    return a.heading + ((distance - a.at) / (b.at - a.at)) * (b.heading - a.heading);
  });
}

/**
 * The poses of a path: its positions with the headings of {@link headingsOfPath}.
 *
 * @returns [n, 3]: x, y, heading
 * @throws as {@link headingsOfPath}
 */
export function posesOfPath(
  positions: ArrayLike<number>,
  options: PathHeadingOptions = {},
): Float32Array {
  return withHeadings(positions, headingsOfPath(positions, options));
}

/** Poses [n, 3] of positions [n, 2] and headings [n]. */
export function withHeadings(
  positions: ArrayLike<number>,
  headings: ArrayLike<number>,
): Float32Array {
  return Float32Array.from({ length: 3 * headings.length }, (_, k) => {
    const i = Math.floor(k / 3);
    return k % 3 === 2 ? headings[i]! : positions[2 * i + (k % 3)]!;
  });
}

/** The direction, or the one opposite to it, that is nearest to a heading, whole turns included. */
function nearestTo(heading: number, direction: number): number {
  return direction - Math.PI * Math.round((direction - heading) / Math.PI);
}
