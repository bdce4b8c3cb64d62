/** A point of a path: metres and radians. */
export interface Pose {
  x: number;
  y: number;
  heading: number;
}

const kSpacing = 0.5; // metres between samples

/** A smooth line by arc length: sampled every half metre or so, linear in between. */
export class Path {
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  /** Arc length at each sample. */
  readonly #arc: Float64Array;
  /** Unwrapped, radians. */
  readonly #heading: Float64Array;

  /** @param points at least three, about half a metre apart. */
  constructor(points: readonly (readonly [number, number])[]) {
    const n = points.length;
    this.#x = Float64Array.from(points, (p) => p[0]);
    this.#y = Float64Array.from(points, (p) => p[1]);
    this.#arc = new Float64Array(n);
    this.#heading = new Float64Array(n);
    const [x, y] = [this.#x, this.#y];
    for (let i = 1; i < n; ++i) {
      this.#arc[i] = this.#arc[i - 1] + Math.hypot(x[i] - x[i - 1], y[i] - y[i - 1]);
    }
    for (let i = 0; i < n; ++i) {
      const [a, b] = [Math.max(0, i - 1), Math.min(n - 1, i + 1)];
      const heading = Math.atan2(y[b] - y[a], x[b] - x[a]);
      const before = i === 0 ? heading : this.#heading[i - 1];
      this.#heading[i] =
        before + Math.atan2(Math.sin(heading - before), Math.cos(heading - before));
    }
  }

  /** Sections of constant curvature (1/m, left positive), blended over `ramp` metres as roads are. */
  static fromCurvature(
    start: Pose,
    sections: readonly { length: number; curvature: number }[],
    ramp = 20,
  ): Path {
    const raw = sections.flatMap(({ length, curvature }) =>
      new Array<number>(Math.round(length / kSpacing)).fill(curvature),
    );
    const half = Math.round(ramp / kSpacing / 2);
    const points: [number, number][] = [[start.x, start.y]];
    let { x, y, heading } = start;
    for (let i = 0; i < raw.length; ++i) {
      let sum = 0;
      for (let k = i - half; k <= i + half; ++k)
        sum += raw[Math.min(Math.max(k, 0), raw.length - 1)];
      const turn = (sum / (2 * half + 1)) * kSpacing;
      x += kSpacing * Math.cos(heading + turn / 2);
      y += kSpacing * Math.sin(heading + turn / 2);
      heading += turn;
      points.push([x, y]);
    }
    return new Path(points);
  }

  /** Quintic from pose to pose with zero curvature at both ends: a turn inside a crossing. */
  static connecting(from: Pose, to: Pose): Path {
    const chord = Math.hypot(to.x - from.x, to.y - from.y);
    const turn = Math.abs(
      Math.atan2(Math.sin(to.heading - from.heading), Math.cos(to.heading - from.heading)),
    );
    // Length of the arc with this chord and turn: the speed of the parameter at both ends.
    const reach = turn < 1e-6 ? chord : (chord * turn) / 2 / Math.sin(turn / 2);
    const axis = (a: number, b: number, va: number, vb: number) => (u: number) => {
      const d = b - a;
      return (
        a +
        va * u +
        (10 * d - 6 * va - 4 * vb) * u ** 3 +
        (-15 * d + 8 * va + 7 * vb) * u ** 4 +
        (6 * d - 3 * va - 3 * vb) * u ** 5
      );
    };
    const x = axis(from.x, to.x, reach * Math.cos(from.heading), reach * Math.cos(to.heading));
    const y = axis(from.y, to.y, reach * Math.sin(from.heading), reach * Math.sin(to.heading));
    const n = Math.max(4, Math.round(reach / kSpacing));
    return new Path(Array.from({ length: n + 1 }, (_, i) => [x(i / n), y(i / n)] as const));
  }

  /** One path after another; ends and beginnings coincide. */
  static join(paths: readonly Path[]): Path {
    return new Path(paths.flatMap((path, i) => path.#points().slice(i === 0 ? 0 : 1)));
  }

  get length(): number {
    return this.#arc[this.#arc.length - 1];
  }

  /** Pose at an arc length, clamped to the path. */
  at(arc: number): Pose {
    const s = Math.min(Math.max(arc, 0), this.length);
    let [low, high] = [0, this.#arc.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#arc[middle] <= s) low = middle;
      else high = middle;
    }
    const u = (s - this.#arc[low]) / (this.#arc[high] - this.#arc[low]);
    const mix = (of: Float64Array) => of[low] + u * (of[high] - of[low]);
    return { x: mix(this.#x), y: mix(this.#y), heading: mix(this.#heading) };
  }

  /** 1/m, left positive, over two metres around an arc length. */
  curvature(arc: number): number {
    const from = Math.max(0, arc - 1);
    const to = Math.min(this.length, arc + 1);
    return (this.at(to).heading - this.at(from).heading) / (to - from);
  }

  /** The path `lateral` metres to the left of this one; a function of arc length where the distance changes. */
  offset(lateral: number | ((arc: number) => number), from = 0): Path {
    const n = Math.max(2, Math.round((this.length - from) / kSpacing));
    return new Path(
      Array.from({ length: n + 1 }, (_, i) => {
        const arc = from + ((this.length - from) * i) / n;
        return this.beside(arc, typeof lateral === 'number' ? lateral : lateral(arc));
      }),
    );
  }

  /** The point `lateral` metres to the left of an arc length. */
  beside(arc: number, lateral: number): [number, number] {
    const { x, y, heading } = this.at(arc);
    return [x - lateral * Math.sin(heading), y + lateral * Math.cos(heading)];
  }

  /** Arc length of the nearest place, and distance to the left of the path, metres. */
  project(x: number, y: number): { arc: number; lateral: number } {
    // Every eighth sample first: no path here comes near itself within four metres.
    const coarse = this.#nearest(x, y, 0, this.#x.length, 8);
    const nearest = this.#nearest(x, y, coarse - 8, coarse + 9, 1);
    const [dx, dy] = [x - this.#x[nearest], y - this.#y[nearest]];
    const [cos, sin] = [Math.cos(this.#heading[nearest]), Math.sin(this.#heading[nearest])];
    return { arc: this.#arc[nearest] + dx * cos + dy * sin, lateral: dy * cos - dx * sin };
  }

  #nearest(x: number, y: number, from: number, to: number, stride: number): number {
    let nearest = 0;
    let best = Number.POSITIVE_INFINITY;
    const end = Math.min(to, this.#x.length);
    for (let i = Math.max(from, 0); i < end; i += stride) {
      const square = (x - this.#x[i]) ** 2 + (y - this.#y[i]) ** 2;
      if (square < best) {
        best = square;
        nearest = i;
      }
    }
    return nearest;
  }

  #points(): [number, number][] {
    return Array.from(this.#x, (x, i) => [x, this.#y[i]]);
  }
}
