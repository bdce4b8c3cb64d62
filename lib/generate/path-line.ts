/** A line of points with arc length in metres, straight on beyond its ends. */
export class PathLine {
  readonly #points: Float64Array;
  readonly #arc: Float64Array;

  /** `poses`: [n, 3] x, y, heading; repeated points are passed over. At least two must differ. */
  constructor(poses: Float64Array) {
    const points: number[] = [];
    const arc: number[] = [];
    for (let i = 0; i < poses.length; i += 3) {
      const [x, y] = [poses[i], poses[i + 1]];
      const step = Math.hypot(x - points[points.length - 2], y - points[points.length - 1]);
      if (arc.length > 0 && step < 1e-6) continue;
      arc.push(arc.length === 0 ? 0 : arc[arc.length - 1] + step);
      points.push(x, y);
    }
    this.#points = Float64Array.from(points);
    this.#arc = Float64Array.from(arc);
  }

  /** Metres along the line of its point nearest to (x, y), and how far left of it that lies. */
  project(x: number, y: number): { along: number; left: number } {
    let [best, along, left] = [Number.POSITIVE_INFINITY, 0, 0];
    for (let i = 0; i + 1 < this.#arc.length; ++i) {
      const { x0, y0, ux, uy, length } = this.#segment(i);
      const ahead = (x - x0) * ux + (y - y0) * uy;
      const at = Math.min(length, Math.max(0, ahead));
      const off = Math.hypot(x - x0 - at * ux, y - y0 - at * uy);
      if (off < best) {
        [best, along] = [off, this.#arc[i] + at];
        left = Math.sign((y - y0) * ux - (x - x0) * uy) * off;
      }
    }
    return { along, left };
  }

  /** Place at `along` metres; the heading goes over from segment to segment around each point. */
  pose(along: number): { x: number; y: number; heading: number } {
    const arc = this.#arc;
    let i = 0;
    while (i + 2 < arc.length && arc[i + 1] < along) ++i;
    const { x0, y0, ux, uy, length } = this.#segment(i);
    const at = along - arc[i];
    const heading = Math.atan2(uy, ux);
    const part = at / length - 0.5;
    const next = part < 0 ? i - 1 : i + 1;
    let turn = 0;
    if (next >= 0 && next + 1 < arc.length && Math.abs(part) <= 0.5) {
      const other = this.#segment(next);
      const between = Math.atan2(ux * other.uy - uy * other.ux, ux * other.ux + uy * other.uy);
      turn = between * Math.abs(part);
    }
    return { x: x0 + at * ux, y: y0 + at * uy, heading: heading + turn };
  }

  #segment(i: number) {
    const p = this.#points;
    const [x0, y0] = [p[2 * i], p[2 * i + 1]];
    const length = this.#arc[i + 1] - this.#arc[i];
    return { x0, y0, ux: (p[2 * i + 2] - x0) / length, uy: (p[2 * i + 3] - y0) / length, length };
  }
}
