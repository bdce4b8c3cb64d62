/** A place on a line: metres, and radians counter-clockwise from +x. */
export interface Pose {
  x: number;
  y: number;
  heading: number;
}

/** A place with the curvature of the line there, 1/m, left positive. */
export interface CurvedPose extends Pose {
  curvature: number;
}

/** A curve by any parameter: place, and metres of arc per unit of the parameter. */
type Curve = (u: number) => CurvedPose & { speed: number };

const kSpacing = 0.5; // metres between samples, about

/**
 * A smooth directed line by arc length, with exact headings and curvatures at samples every half metre. Between them it
 * is a cubic that has the samples' headings, so position and heading stay consistent within a millimetre and a
 * milliradian on the curves of roads.
 */
export class Line {
  readonly length: number;
  /** Metres between samples. */
  readonly spacing: number;
  /** Largest absolute curvature, 1/m. */
  readonly sharpest: number;
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  /** Unwrapped. */
  readonly #heading: Float64Array;
  readonly #curvature: Float64Array;

  private constructor(samples: readonly CurvedPose[], length: number) {
    this.length = length;
    this.spacing = length / (samples.length - 1);
    this.#x = Float64Array.from(samples, ({ x }) => x);
    this.#y = Float64Array.from(samples, ({ y }) => y);
    this.#heading = Float64Array.from(samples, ({ heading }) => heading);
    this.#curvature = Float64Array.from(samples, ({ curvature }) => curvature);
    this.sharpest = this.#curvature.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (let i = 1; i < samples.length; ++i) {
      const turn = this.#heading[i] - this.#heading[i - 1];
      this.#heading[i] -= 2 * Math.PI * Math.round(turn / (2 * Math.PI));
    }
  }

  /**
   * Sections of constant curvature (1/m, left positive) with linear transitions (clothoids) of `ramp` metres between
   * them, as roads are built.
   */
  static fromCurvature(
    start: Pose,
    sections: readonly { length: number; curvature: number }[],
    ramp = 30,
  ): Line {
    const length = sections.reduce((sum, section) => sum + section.length, 0);
    const n = Math.max(2, Math.round(length / kSpacing));
    const h = length / n;
    const ends: number[] = [];
    for (const section of sections) ends.push((ends.at(-1) ?? 0) + section.length);
    // The integral of the curvature is known in closed form for steps; a moving mean over `ramp` makes them slopes.
    const turned = (s: number): number => {
      let sum = s < 0 ? s * sections[0].curvature : 0;
      for (const [i, section] of sections.entries()) {
        const begin = ends[i] - section.length;
        const last = i === sections.length - 1;
        if (s > begin) sum += (last ? s - begin : Math.min(s, ends[i]) - begin) * section.curvature;
      }
      return sum;
    };
    const curvatureAt = (s: number) => (turned(s + ramp / 2) - turned(s - ramp / 2)) / ramp;
    const samples: CurvedPose[] = [{ ...start, curvature: curvatureAt(0) }];
    for (let i = 1; i <= n; ++i) {
      const last = samples[i - 1];
      const curvature = curvatureAt(i * h);
      const middle = curvatureAt((i - 0.5) * h);
      const heading = last.heading + ((last.curvature + 4 * middle + curvature) / 6) * h;
      const half = last.heading + ((last.curvature + middle) / 4) * h;
      samples.push({
        x: last.x + ((Math.cos(last.heading) + 4 * Math.cos(half) + Math.cos(heading)) / 6) * h,
        y: last.y + ((Math.sin(last.heading) + 4 * Math.sin(half) + Math.sin(heading)) / 6) * h,
        heading,
        curvature,
      });
    }
    return new Line(samples, length);
  }

  /** Arc of a circle around `center`; counter-clockwise from angle `from` to `to`. */
  static arc(center: readonly [number, number], radius: number, from: number, to: number): Line {
    return Line.#sample(
      (angle) => ({
        x: center[0] + radius * Math.cos(angle),
        y: center[1] + radius * Math.sin(angle),
        heading: angle + Math.PI / 2,
        curvature: 1 / radius,
        speed: radius,
      }),
      from,
      to,
      Math.max(4, Math.round((radius * (to - from)) / kSpacing)),
    );
  }

  /**
   * Quintic that joins two places with their headings and curvatures: a turn inside a junction. `reach` scales the
   * speed of its parameter at both ends; 1 gives about the length of the arc of a circle.
   */
  static connect(from: CurvedPose, to: CurvedPose, reach = 1): Line {
    const chord = Math.hypot(to.x - from.x, to.y - from.y);
    const turn = Math.abs(Math.sin((to.heading - from.heading) / 2));
    const angle = 2 * Math.asin(Math.min(1, turn));
    const v = reach * (angle < 1e-6 ? chord : (chord * angle) / 2 / Math.sin(angle / 2));
    const along = (of: CurvedPose) => [v * Math.cos(of.heading), v * Math.sin(of.heading)];
    const [ax, ay] = along(from);
    const [bx, by] = along(to);
    const bend = (of: CurvedPose) => [
      -of.curvature * v * v * Math.sin(of.heading),
      of.curvature * v * v * Math.cos(of.heading),
    ];
    const [cx, cy] = bend(from);
    const [ex, ey] = bend(to);
    const x = hermite(from.x, to.x, ax, bx, cx, ex);
    const y = hermite(from.y, to.y, ay, by, cy, ey);
    const curve: Curve = (u) => {
      const [px, dx, ddx] = x(u);
      const [py, dy, ddy] = y(u);
      const speed = Math.hypot(dx, dy);
      const curvature = (dx * ddy - dy * ddx) / speed ** 3;
      return { x: px, y: py, heading: Math.atan2(dy, dx), curvature, speed };
    };
    const line = Line.#sample(curve, 0, 1, Math.max(8, Math.round(v / kSpacing)));
    return line;
  }

  static #sample(curve: Curve, from: number, to: number, pieces: number): Line {
    // Arc length by Simpson's rule at a fine grid, then turned round to find the samples that are equally far apart.
    const fine = pieces * 2;
    const h = (to - from) / fine;
    const arc = new Float64Array(fine + 1);
    const speeds = Float64Array.from({ length: fine + 1 }, (_, i) => curve(from + i * h).speed);
    for (let i = 0; i < fine; ++i) {
      const middle = curve(from + (i + 0.5) * h).speed;
      arc[i + 1] = arc[i] + ((speeds[i] + 4 * middle + speeds[i + 1]) / 6) * h;
    }
    const length = arc[fine];
    const n = Math.max(2, Math.round(length / kSpacing));
    const samples: CurvedPose[] = [];
    for (let i = 0, k = 0; i <= n; ++i) {
      const s = (length * i) / n;
      while (k < fine - 1 && arc[k + 1] < s) ++k;
      const u = i === n ? to : from + (k + (s - arc[k]) / (arc[k + 1] - arc[k])) * h;
      samples.push(curve(i === 0 ? from : u));
    }
    return new Line(samples, length);
  }

  /** The line `lateral` metres to the left of this one, over its arc lengths `from` to `to`. */
  beside(lateral: number, from = 0, to = this.length): Line {
    const curve: Curve = (s) => {
      const pose = this.at(s);
      const [x, y] = place(pose, lateral);
      const speed = 1 - pose.curvature * lateral;
      return { x, y, heading: pose.heading, curvature: pose.curvature / speed, speed };
    };
    return Line.#sample(curve, from, to, Math.max(2, Math.round((to - from) / kSpacing)));
  }

  reversed(): Line {
    const samples = Array.from(this.#x, (_, i) => {
      const k = this.#x.length - 1 - i;
      return {
        x: this.#x[k],
        y: this.#y[k],
        heading: this.#heading[k] + Math.PI,
        curvature: -this.#curvature[k],
      };
    });
    return new Line(samples, this.length);
  }

  /** Place at an arc length; beyond its ends the line goes on straight. */
  at(s: number): CurvedPose {
    const last = this.#x.length - 1;
    const i = Math.min(last - 1, Math.max(0, Math.floor(s / this.spacing)));
    const u = s / this.spacing - i;
    const [h0, h1] = [this.#heading[i], this.#heading[i + 1]];
    if (u < 0 || u > 1) {
      const end = u < 0 ? i : i + 1;
      const beyond = u < 0 ? s : s - this.length;
      const heading = this.#heading[end];
      return {
        x: this.#x[end] + beyond * Math.cos(heading),
        y: this.#y[end] + beyond * Math.sin(heading),
        heading,
        curvature: 0,
      };
    }
    const [k0, k1] = [this.#curvature[i], this.#curvature[i + 1]];
    const w = 1 - u;
    const [a, b] = [w * w * (1 + 2 * u), u * u * (3 - 2 * u)];
    const [c, d] = [this.spacing * u * w * w, -this.spacing * u * u * w];
    return {
      x: a * this.#x[i] + b * this.#x[i + 1] + c * Math.cos(h0) + d * Math.cos(h1),
      y: a * this.#y[i] + b * this.#y[i + 1] + c * Math.sin(h0) + d * Math.sin(h1),
      // The cubic with the curvatures as slopes at its ends.
      heading: a * h0 + b * h1 + c * k0 + d * k1,
      curvature: w * k0 + u * k1,
    };
  }

  /** The point `lateral` metres to the left of an arc length. */
  pointBeside(s: number, lateral: number): [number, number] {
    return place(this.at(s), lateral);
  }

  /** Points every `spacing` metres or so, `lateral` metres to the left, both ends included. */
  points(lateral: number, spacing: number, from = 0, to = this.length): [number, number][] {
    const pieces = Math.max(1, Math.round((to - from) / spacing));
    return Array.from({ length: pieces + 1 }, (_, i) =>
      this.pointBeside(from + ((to - from) * i) / pieces, lateral),
    );
  }

  /** Arc length of the place nearest to a point, sought from `guess` on, and the distance to the left of it. */
  project(x: number, y: number, guess: number): { s: number; lateral: number } {
    let s = guess;
    for (let i = 0; i < 6; ++i) {
      const pose = this.at(s);
      const [cos, sin] = [Math.cos(pose.heading), Math.sin(pose.heading)];
      const [dx, dy] = [x - pose.x, y - pose.y];
      const lateral = dy * cos - dx * sin;
      const step = (dx * cos + dy * sin) / Math.max(0.3, 1 - pose.curvature * lateral);
      if (Math.abs(step) < 1e-6) return { s, lateral };
      s += step;
    }
    const pose = this.at(s);
    return {
      s,
      lateral: (y - pose.y) * Math.cos(pose.heading) - (x - pose.x) * Math.sin(pose.heading),
    };
  }
}

/** The point `lateral` metres to the left of a place. */
export function place({ x, y, heading }: Pose, lateral: number): [number, number] {
  return [x - lateral * Math.sin(heading), y + lateral * Math.cos(heading)];
}

/** Quintic with value, first and second derivative at 0 and 1; returns the three of them at u. */
function hermite(p: number, q: number, vp: number, vq: number, ap: number, aq: number) {
  const d = q - p;
  const c3 = 10 * d - 6 * vp - 4 * vq - 1.5 * ap + 0.5 * aq;
  const c4 = -15 * d + 8 * vp + 7 * vq + 1.5 * ap - aq;
  const c5 = 6 * d - 3 * vp - 3 * vq - 0.5 * ap + 0.5 * aq;
  return (u: number): [number, number, number] => [
    p + u * (vp + u * (ap / 2 + u * (c3 + u * (c4 + u * c5)))),
    vp + u * (ap + u * (3 * c3 + u * (4 * c4 + 5 * u * c5))),
    ap + u * (6 * c3 + u * (12 * c4 + 20 * u * c5)),
  ];
}
