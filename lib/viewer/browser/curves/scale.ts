// Axes: from values to positions, and where their marks are.

/** One axis. */
export interface Scale {
  /** 0 to 1 along the axis; values beyond `low` and `high` lie beyond. */
  share(value: number): number;
  /** Values of marks, within the axis. */
  marks: number[];
  isLog: boolean;
}

/** An even axis from `low` to `high` (widened where they are the same) with about `count` round marks. */
export function linearScale(low: number, high: number, count: number): Scale {
  const [from, to] = widened(low, high);
  const step = roundStep((to - from) / count);
  const first = Math.ceil(from / step - 1e-9);
  const marks: number[] = [];
  // Multiples of the step, to 12 digits: 3 * 0.1 is 0.3.
  for (let i = first; i * step <= to + 1e-9 * step; ++i)
    marks.push(Number((i * step).toPrecision(12)));
  return { share: (value) => (value - from) / (to - from), marks, isLog: false };
}

/** A logarithmic axis; `low` and `high` are positive. */
export function logScale(low: number, high: number, count: number): Scale {
  const [from, to] = low < high ? [low, high] : [low / 1.5, high * 1.5];
  const share = (value: number) =>
    value > 0 ? Math.log(value / from) / Math.log(to / from) : Number.NEGATIVE_INFINITY;
  const decades = Math.log10(to / from);
  // Under a decade the round numbers of an even axis say more than powers of ten.
  if (decades < 1) return { share, marks: linearScale(from, to, count).marks, isLog: true };
  const digits = decades < count / 2 ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.ceil(decades / count));
  const marks: number[] = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power += stride) {
    for (const digit of digits) {
      const value = Number(`${digit}e${power}`);
      if (value >= from * (1 - 1e-9) && value <= to * (1 + 1e-9)) marks.push(value);
    }
  }
  return { share, marks, isLog: true };
}

function widened(low: number, high: number): [number, number] {
  if (low < high) return [low, high];
  const by = low === 0 ? 1 : Math.abs(low) * 0.1;
  return [low - by, high + by];
}

/** The smallest of 1, 2, 5 times a power of ten that is at least `step`. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return [1, 2, 5, 10].map((digit) => digit * power).find((value) => value >= step * (1 - 1e-9))!;
}

/** A mark's text: `0.25`, `1.5k`, `2M`, `1e-4`. */
export function markText(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(6))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(6))}k`;
  if (size < 1e-3) return value.toExponential().replace('e+', 'e');
  return String(value);
}
