import type { Border, CaseLane, PlanCase } from '../../case.js';
import type { Camera } from '../camera.js';
import { trace } from '../draw-lines.js';
import type { Palette } from './palette.js';

type Context = CanvasRenderingContext2D;

/** The paths of a case's road, built once. */
interface Road {
  surface: Path2D;
  route: Path2D;
  borders: Record<Border, Path2D>;
  centers: Path2D;
}

const kRoads = new WeakMap<PlanCase, Road>();

/** Lanes, borders, stop lines; the context is in metres. */
export function drawRoad(
  ctx: Context,
  item: PlanCase,
  camera: Camera,
  palette: Palette,
  showRoute: boolean,
): void {
  const road = roadOf(item);
  const pixel = 1 / camera.scale;
  ctx.lineCap = 'butt';
  ctx.lineJoin = 'round';
  ctx.fillStyle = palette.road;
  ctx.strokeStyle = palette.road;
  ctx.fill(road.surface);
  // Neighbouring lanes share a border only up to rounding: a thin stroke closes the seams.
  ctx.lineWidth = Math.max(0.3, pixel);
  ctx.stroke(road.surface);
  if (showRoute) {
    ctx.fillStyle = palette.route;
    ctx.fill(road.route);
  }
  ctx.lineWidth = Math.max(0.06, 0.8 * pixel);
  ctx.strokeStyle = palette.divider;
  ctx.globalAlpha = 0.45;
  ctx.setLineDash([1.2, 2.4]);
  ctx.stroke(road.centers);
  ctx.globalAlpha = 1;
  ctx.lineWidth = Math.max(0.14, pixel);
  ctx.setLineDash([3, 4.5]);
  ctx.stroke(road.borders.dashed);
  ctx.setLineDash([]);
  ctx.strokeStyle = palette.edge;
  ctx.stroke(road.borders.edge);
  ctx.strokeStyle = palette.opposite;
  ctx.stroke(road.borders.opposite);
  for (const lane of item.lanes) drawStopLine(ctx, lane, palette, pixel);
}

function drawStopLine(ctx: Context, lane: CaseLane, palette: Palette, pixel: number): void {
  const line = lane.stopLine;
  if (!line && !lane.light) return;
  const color =
    lane.light === 'red' || lane.light === 'yellow' || lane.light === 'green'
      ? palette[lane.light]
      : palette.edge;
  if (line) {
    ctx.beginPath();
    trace(ctx, line);
    ctx.lineWidth = Math.max(0.45, 2 * pixel);
    ctx.strokeStyle = color;
    ctx.stroke();
  }
  if (!lane.light || lane.light === 'unknown') return;
  const [x, y] = lane.center.slice(-2) as [number, number];
  ctx.beginPath();
  ctx.arc(x, y, Math.max(0.75, 4 * pixel), 0, 2 * Math.PI);
  ctx.fillStyle = color;
  ctx.fill();
  ctx.lineWidth = Math.max(0.2, 1.5 * pixel);
  ctx.strokeStyle = palette.ground;
  ctx.stroke();
}

function roadOf(item: PlanCase): Road {
  const known = kRoads.get(item);
  if (known) return known;
  const borders = {
    edge: new Path2D(),
    dashed: new Path2D(),
    opposite: new Path2D(),
    none: new Path2D(),
  };
  const road: Road = {
    surface: new Path2D(),
    route: new Path2D(),
    borders,
    centers: new Path2D(),
  };
  for (const lane of item.lanes) {
    // Left border forward, right border back: all lanes wind the same way, so overlaps stay filled.
    for (const path of lane.onRoute ? [road.surface, road.route] : [road.surface]) {
      trace(path, lane.left);
      for (let i = lane.right.length - 2; i >= 0; i -= 2) {
        path.lineTo(lane.right[i] as number, lane.right[i + 1] as number);
      }
      path.closePath();
    }
    trace(borders[lane.leftBorder], lane.left);
    trace(borders[lane.rightBorder], lane.right);
    trace(road.centers, lane.center);
  }
  kRoads.set(item, road);
  return road;
}
