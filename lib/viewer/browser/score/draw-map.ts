import type { ScoreCase } from '../../score-case.js';
import { trace } from '../draw-lines.js';
import { lightsAt } from './geometry.js';
import type { Palette } from './palette.js';

type Context = CanvasRenderingContext2D;

/** The paths of a scene's road, built once. */
interface Road {
  areas: Record<'roadblock' | 'intersection' | 'carpark', Path2D>;
  lanes: Path2D;
  connectors: Path2D;
  route: Path2D;
  baselines: Path2D;
  centerline: Path2D;
  /** One a lane, for lights and failures. */
  each: Path2D[];
}

const kRoads = new WeakMap<ScoreCase, Road>();

/** Areas, lanes, route and centreline; the context is in metres. */
export function drawMap(
  ctx: Context,
  item: ScoreCase,
  pixel: number,
  palette: Palette,
  showRoute: boolean,
): void {
  const road = roadOf(item);
  ctx.lineJoin = 'round';
  ctx.lineCap = 'butt';
  fill(ctx, road.areas.carpark, palette.carpark);
  fill(ctx, road.areas.roadblock, palette.block);
  fill(ctx, road.areas.intersection, palette.intersection);
  fill(ctx, road.lanes, palette.lane);
  fill(ctx, road.connectors, palette.connector);
  if (showRoute) fill(ctx, road.route, palette.route);
  stroke(ctx, road.connectors, palette.divider, Math.max(0.06, 0.7 * pixel));
  stroke(ctx, road.lanes, palette.edge, Math.max(0.1, pixel));
  ctx.setLineDash([1.2, 2.4]);
  ctx.globalAlpha = 0.5;
  stroke(ctx, road.baselines, palette.divider, Math.max(0.06, 0.8 * pixel));
  ctx.globalAlpha = 1;
  if (showRoute) {
    ctx.setLineDash([2.4, 0.9, 0.4, 0.9]);
    stroke(ctx, road.centerline, palette.centerline, Math.max(0.14, 1.4 * pixel));
  }
  ctx.setLineDash([]);
}

/** Connectors whose light is red or green at `time`. */
export function drawLights(
  ctx: Context,
  item: ScoreCase,
  time: number,
  pixel: number,
  palette: Palette,
): void {
  const lights = lightsAt(item.lights, time);
  if (!lights) return;
  const { each } = roadOf(item);
  for (const [lanes, color, alpha] of [
    [lights.green, palette.green, 0.12],
    [lights.red, palette.red, 0.22],
  ] as const) {
    for (const lane of lanes) {
      const path = each[lane];
      if (!path) continue;
      ctx.globalAlpha = alpha;
      fill(ctx, path, color);
      ctx.globalAlpha = 0.7;
      stroke(ctx, path, color, Math.max(0.1, 1.2 * pixel));
    }
  }
  ctx.globalAlpha = 1;
}

/** The outline of a lane, by index. */
export function laneOutline(item: ScoreCase, lane: number): Path2D | undefined {
  return roadOf(item).each[lane];
}

function fill(ctx: Context, path: Path2D, color: string): void {
  ctx.fillStyle = color;
  ctx.fill(path);
}

function stroke(ctx: Context, path: Path2D, color: string, width: number): void {
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.stroke(path);
}

function roadOf(item: ScoreCase): Road {
  const known = kRoads.get(item);
  if (known) return known;
  const road: Road = {
    areas: { roadblock: new Path2D(), intersection: new Path2D(), carpark: new Path2D() },
    lanes: new Path2D(),
    connectors: new Path2D(),
    route: new Path2D(),
    baselines: new Path2D(),
    centerline: new Path2D(),
    each: [],
  };
  for (const { kind, ring } of item.areas) addRing(road.areas[kind], ring);
  for (const lane of item.lanes) {
    addRing(lane.isConnector ? road.connectors : road.lanes, lane.ring);
    if (lane.onRoute) addRing(road.route, lane.ring);
    trace(road.baselines, lane.baseline);
    const own = new Path2D();
    addRing(own, lane.ring);
    road.each.push(own);
  }
  trace(road.centerline, item.centerline);
  kRoads.set(item, road);
  return road;
}

/** Counter-clockwise whatever the file has, so that overlapping rings of one path stay filled. */
function addRing(path: Path2D, ring: readonly number[]): void {
  let area = 0;
  const n = ring.length;
  for (let i = 0; i < n; i += 2) {
    const [x0, y0] = [ring[i] as number, ring[i + 1] as number];
    area += x0 * (ring[(i + 3) % n] as number) - (ring[(i + 2) % n] as number) * y0;
  }
  if (area >= 0) trace(path, ring);
  else {
    const turned: number[] = [];
    for (let i = n - 2; i >= 0; i -= 2) turned.push(ring[i] as number, ring[i + 1] as number);
    trace(path, turned);
  }
  path.closePath();
}
