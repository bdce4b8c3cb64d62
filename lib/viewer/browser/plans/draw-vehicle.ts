import type { CaseVehicle, PlanCase, Pose } from '../../case.js';
import { drawBody, traceBody } from '../draw-body.js';
import { horizon } from '../geometry.js';
import { poseAt } from './geometry.js';
import type { Palette } from './palette.js';

type Context = CanvasRenderingContext2D;

/** Every other road user: tail of its past, recorded way ahead, ghost where it ends, body at `time`. */
export function drawTraffic(
  ctx: Context,
  item: PlanCase,
  time: number,
  pixel: number,
  palette: Palette,
): void {
  for (const agent of item.agents) {
    drawTail(ctx, agent.history, pixel, palette.vehicleLine);
    drawAhead(ctx, agent, time, pixel, palette);
  }
  for (const agent of item.agents) {
    const present = agent.history.at(-1) as Pose;
    const pose = poseAt(present, agent.future, time);
    // Beyond its recording it stays, faint, where it was last seen.
    ctx.globalAlpha = pose ? 1 : 0.35;
    const shown = pose ?? agent.future.at(-1) ?? present;
    drawBody(ctx, shown, agent, pixel, palette.vehicle, palette.vehicleLine);
    ctx.globalAlpha = 1;
  }
}

/** The ego at `pose`, which is of the planned point. */
export function drawEgo(
  ctx: Context,
  item: PlanCase,
  pose: Pose,
  pixel: number,
  palette: Palette,
): void {
  drawBody(ctx, centerOf(item, pose), item.ego, pixel, palette.ego, palette.ground);
}

/** Outline of the ego's box at `pose`, which is of the planned point. */
export function drawGhost(ctx: Context, item: PlanCase, pose: Pose, width: number): void {
  ctx.beginPath();
  traceBody(ctx, centerOf(item, pose), item.ego);
  ctx.lineWidth = width;
  ctx.stroke();
}

/** Past way, fading towards the oldest pose. */
export function drawTail(
  ctx: Context,
  history: readonly Pose[],
  pixel: number,
  color: string,
): void {
  ctx.strokeStyle = color;
  ctx.lineWidth = Math.max(0.3, 1.5 * pixel);
  // Pieces of different alpha must not overlap.
  ctx.lineCap = 'butt';
  for (let i = 1; i < history.length; i++) {
    const [a, b] = [history[i - 1] as Pose, history[i] as Pose];
    ctx.globalAlpha = (0.55 * i) / history.length;
    ctx.beginPath();
    ctx.moveTo(a[0], a[1]);
    ctx.lineTo(b[0], b[1]);
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

function drawAhead(
  ctx: Context,
  agent: CaseVehicle,
  time: number,
  pixel: number,
  palette: Palette,
): void {
  const end = agent.future.at(-1);
  const present = agent.history.at(-1) as Pose;
  if (!end || Math.hypot(end[0] - present[0], end[1] - present[1]) < 0.5) return;
  ctx.beginPath();
  ctx.moveTo(present[0], present[1]);
  for (const pose of agent.future) ctx.lineTo(pose[0], pose[1]);
  ctx.strokeStyle = palette.vehicleLine;
  ctx.globalAlpha = 0.5;
  ctx.lineWidth = Math.max(0.12, pixel);
  ctx.stroke();
  if (time < horizon) {
    ctx.beginPath();
    traceBody(ctx, end, agent);
    ctx.globalAlpha = 0.4;
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

function centerOf(item: PlanCase, pose: Pose): Pose {
  const offset = item.ego.centerOffset;
  return [pose[0] + offset * Math.cos(pose[2]), pose[1] + offset * Math.sin(pose[2]), pose[2]];
}
