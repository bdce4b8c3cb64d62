// Plane geometry on doubles without any rounding: a double is a whole number of 2^-1074, which BigInt holds exactly.

export type Point = readonly [number, number];

type ExactPoint = readonly [bigint, bigint];

const kFloat = new DataView(new ArrayBuffer(8));

/** A finite double in units of 2^-1074. */
export function exact(value: number): bigint {
  kFloat.setFloat64(0, value);
  const bits = kFloat.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xfffffffffffffn;
  const size = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n ? -size : size;
}

const exactPoint = ([x, y]: Point): ExactPoint => [exact(x), exact(y)];
const sign = (v: bigint) => (v > 0n ? 1 : v < 0n ? -1 : 0);

function turnOf([ax, ay]: ExactPoint, [bx, by]: ExactPoint, [cx, cy]: ExactPoint): number {
  return sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));
}

function isBetween(a: bigint, b: bigint, v: bigint): boolean {
  return a < b ? a <= v && v <= b : b <= v && v <= a;
}

function isOn(a: ExactPoint, b: ExactPoint, p: ExactPoint): boolean {
  return turnOf(a, b, p) === 0 && isBetween(a[0], b[0], p[0]) && isBetween(a[1], b[1], p[1]);
}

function doMeet(a: ExactPoint, b: ExactPoint, c: ExactPoint, d: ExactPoint): boolean {
  if (isOn(a, b, c) || isOn(a, b, d) || isOn(c, d, a) || isOn(c, d, b)) return true;
  return turnOf(a, b, c) * turnOf(a, b, d) < 0 && turnOf(c, d, a) * turnOf(c, d, b) < 0;
}

/** 1: a, b, c turn left, -1: right, 0: they are in line. */
export function turn(a: Point, b: Point, c: Point): number {
  return turnOf(exactPoint(a), exactPoint(b), exactPoint(c));
}

/** Closed segments ab and cd have a common point. */
export function segmentsMeet(a: Point, b: Point, c: Point, d: Point): boolean {
  return doMeet(exactPoint(a), exactPoint(b), exactPoint(c), exactPoint(d));
}

/** An area of doubles, by the even-odd rule, for exact questions. */
export class ExactArea {
  readonly #ring: readonly ExactPoint[];

  constructor(ring: readonly Point[]) {
    this.#ring = ring.map(exactPoint);
  }

  /** 0: outside, 1: on the border, 2: inside. */
  locate(point: Point): 0 | 1 | 2 {
    return this.#locate(exactPoint(point));
  }

  /** The closed areas have a common point: their borders meet, or one holds the other. */
  meets(other: ExactArea): boolean {
    for (const [a, b] of this.#edges()) {
      for (const [c, d] of other.#edges()) if (doMeet(a, b, c, d)) return true;
    }
    return this.#locate(other.#ring[0]!) > 0 || other.#locate(this.#ring[0]!) > 0;
  }

  meetsSegment(from: Point, to: Point): boolean {
    const [c, d] = [exactPoint(from), exactPoint(to)];
    return this.#locate(c) > 0 || this.#edges().some(([a, b]) => doMeet(a, b, c, d));
  }

  #edges(): [ExactPoint, ExactPoint][] {
    return this.#ring.map((p, i) => [p, this.#ring[(i + 1) % this.#ring.length]!]);
  }

  #locate(p: ExactPoint): 0 | 1 | 2 {
    let inside = false;
    for (const [u, v] of this.#edges()) {
      if (isOn(u, v, p)) return 1;
      const [low, high] = u[1] < v[1] ? [u, v] : [v, u];
      if (low[1] <= p[1] && p[1] < high[1] && turnOf(low, high, p) > 0) inside = !inside;
    }
    return inside ? 2 : 0;
  }
}
