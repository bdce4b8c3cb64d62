// A scatter plot as SVG text: deterministic, without scripts or outside resources, legible on light and dark pages.

/** A point; `low` and `high` are the ends of its error bar. */
export interface ScatterPoint {
  x: number;
  y: number;
  low?: number;
  high?: number;
  label?: string;
}

export interface ScatterSeries {
  name: string;
  points: readonly ScatterPoint[];
  /** Join the points by a line. */
  line?: boolean;
}

export interface Scatter {
  title: string;
  /** x is on a log axis. */
  x: string;
  y: string;
  series: readonly ScatterSeries[];
}

const kWidth = 860;
const kHeight = 520;
const kPlot = { left: 64, right: 190, top: 44, bottom: 56 };
// Distinguishable with colour-blind eyes and on both backgrounds.
const kColors = [
  '#4477aa',
  '#ee6677',
  '#228833',
  '#ccbb44',
  '#aa3377',
  '#66ccee',
  '#888888',
  '#ee8866',
];
const kInk = '#888888';

/** Draws series in the order given; their names stand at the right. */
export function scatterSvg({ title, x, y, series }: Scatter): string {
  const points = series.flatMap((of) => of.points);
  const [minX, maxX] = extent(points.map((p) => Math.log10(p.x)));
  const [minY, maxY] = extent(points.flatMap((p) => [p.low ?? p.y, p.high ?? p.y]));
  const padX = Math.max(0.06 * (maxX - minX), 0.05);
  const padY = Math.max(0.06 * (maxY - minY), 1e-3);
  const width = kWidth - kPlot.left - kPlot.right;
  const height = kHeight - kPlot.top - kPlot.bottom;
  const atX = (value: number) =>
    kPlot.left + (width * (Math.log10(value) - minX + padX)) / (maxX - minX + 2 * padX);
  const atY = (value: number) =>
    kPlot.top + (height * (maxY + padY - value)) / (maxY - minY + 2 * padY);
  const parts = [
    `<rect x="${kPlot.left}" y="${kPlot.top}" width="${width}" height="${height}" fill="none" stroke="${kInk}"/>`,
    text(kPlot.left, 24, title, 'start', 16),
    text(kPlot.left + width / 2, kHeight - 14, x, 'middle'),
    `<g transform="rotate(-90 18 ${kPlot.top + height / 2})">${text(18, kPlot.top + height / 2, y, 'middle')}</g>`,
  ];
  for (const value of logTicks(10 ** (minX - padX), 10 ** (maxX + padX))) {
    const at = atX(value).toFixed(1);
    parts.push(
      `<line x1="${at}" x2="${at}" y1="${kPlot.top}" y2="${kPlot.top + height}" stroke="${kInk}" stroke-opacity="0.25"/>`,
      text(Number(at), kPlot.top + height + 18, String(value), 'middle'),
    );
  }
  for (const value of ticks(minY - padY, maxY + padY)) {
    const at = atY(value).toFixed(1);
    parts.push(
      `<line x1="${kPlot.left}" x2="${kPlot.left + width}" y1="${at}" y2="${at}" stroke="${kInk}" stroke-opacity="0.25"/>`,
      text(kPlot.left - 8, Number(at) + 4, String(value), 'end'),
    );
  }
  for (const [k, of] of series.entries()) {
    const color = kColors[k % kColors.length]!;
    if (of.line) {
      const path = of.points.map((p) => `${atX(p.x).toFixed(1)},${atY(p.y).toFixed(1)}`).join(' ');
      parts.push(`<polyline points="${path}" fill="none" stroke="${color}" stroke-width="1.5"/>`);
    }
    for (const p of of.points) {
      const [cx, cy] = [atX(p.x).toFixed(1), atY(p.y).toFixed(1)];
      if (p.low !== undefined && p.high !== undefined) {
        const [y1, y2] = [atY(p.low).toFixed(1), atY(p.high).toFixed(1)];
        parts.push(
          `<line x1="${cx}" x2="${cx}" y1="${y1}" y2="${y2}" stroke="${color}" stroke-opacity="0.5"/>`,
        );
      }
      parts.push(`<circle cx="${cx}" cy="${cy}" r="4.5" fill="${color}"/>`);
      if (p.label) parts.push(text(Number(cx) + 7, Number(cy) - 6, p.label, 'start', 11, color));
    }
    const row = kPlot.top + 14 + 20 * k;
    parts.push(
      `<circle cx="${kWidth - kPlot.right + 18}" cy="${row - 4}" r="4.5" fill="${color}"/>`,
      text(kWidth - kPlot.right + 30, row, of.name, 'start', 12, color),
    );
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${kWidth} ${kHeight}" role="img" ` +
    `aria-label="${escapeText(title)}" font-family="system-ui, sans-serif">\n${parts.join('\n')}\n</svg>\n`
  );
}

function text(x: number, y: number, of: string, anchor: string, size = 12, fill = kInk): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}" fill="${fill}">${escapeText(of)}</text>`;
}

function escapeText(of: string): string {
  return of.replace(
    /[&<>"]/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!,
  );
}

function extent(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

/** 1, 2 and 5 times powers of ten within the range. */
function logTicks(low: number, high: number): number[] {
  const out: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); ++power) {
    for (const digit of [1, 2, 5]) {
      const value = Number((digit * 10 ** power).toPrecision(1));
      if (value >= low && value <= high) out.push(value);
    }
  }
  return out;
}

/** Round numbers within the range, 4 to 9 of them. */
function ticks(low: number, high: number): number[] {
  const raw = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((of) => of >= raw)!;
  const out: number[] = [];
  for (let k = Math.ceil(low / step); k * step <= high; ++k)
    out.push(Number((k * step).toPrecision(6)));
  return out;
}
