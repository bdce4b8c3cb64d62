import type { Pose } from '../../case.js';
import type { ScoreCase, ScoredTrajectory } from '../../score-case.js';
import { drawBody } from '../draw-body.js';
import { horizon } from '../geometry.js';
import { drawOutline } from './draw-agents.js';
import { egoBox, rolloutAt } from './geometry.js';
import { type Palette, stopsOf } from './palette.js';
import { scoreColor } from './score-color.js';
import { chosenOf, type View } from './state.js';

type Context = CanvasRenderingContext2D;

const kStart: Pose = [0, 0, 0];

/** Every line but the chosen one: PDM-Closed and its proposals, the other trajectories, the recorded driver. */
export function drawOthers(
  ctx: Context,
  item: ScoreCase,
  view: View,
  pixel: number,
  palette: Palette,
): void {
  const stops = stopsOf(palette);
  const { reference } = item;
  ctx.lineCap = 'round';
  ctx.lineJoin = 'round';
  if (!view.hidden.has('proposals')) {
    for (const { poses, score } of reference.proposals) {
      ctx.globalAlpha = 0.9;
      line(ctx, poses, scoreColor(score, stops), Math.max(0.08, 1.2 * pixel), [0.1, 0.8]);
    }
  }
  if (!view.hidden.has('others')) {
    // The worst last: they are those that one asks about.
    const order = item.trajectories.map((_, i) => i).filter((i) => i !== view.chosen);
    order.sort((a, b) => scoreOf(item, b) - scoreOf(item, a));
    for (const i of order) {
      const { rollout, score } = item.trajectories[i] as ScoredTrajectory;
      const color = scoreColor(score, stops);
      ctx.globalAlpha = 0.75;
      line(ctx, rollout, color, Math.max(0.1, 1.6 * pixel));
      ctx.globalAlpha = 1;
      const end = rollout.at(-1);
      if (end) dot(ctx, end, Math.max(0.22, 2.6 * pixel), color, palette.ground, pixel);
    }
  }
  ctx.globalAlpha = 1;
  if (!view.hidden.has('reference')) {
    line(ctx, reference.rollout, palette.inertia, Math.max(0.12, 1.6 * pixel), [0.1, 1]);
    const { pose, size } = egoBox(item.ego, rolloutAt(reference.rollout, view.time));
    drawOutline(ctx, pose, size, palette.inertia, Math.max(0.08, pixel), [0.3, 0.5]);
  }
  if (!view.hidden.has('human')) {
    line(ctx, [kStart, ...item.human], palette.human, Math.max(0.1, 1.3 * pixel), [0.9, 0.9]);
  }
}

/** The chosen trajectory: the strip that its rollout sweeps, what was driven, what was planned. */
export function drawChosen(
  ctx: Context,
  item: ScoreCase,
  view: View,
  pixel: number,
  palette: Palette,
): void {
  const chosen = chosenOf(item, view);
  if (chosen && !view.hidden.has('chosen')) {
    const color = scoreColor(chosen.score, stopsOf(palette));
    ctx.lineCap = 'butt';
    ctx.globalAlpha = 0.2;
    line(ctx, chosen.rollout, color, item.ego.width);
    ctx.globalAlpha = 1;
    ctx.lineCap = 'round';
    line(ctx, chosen.rollout, palette.ground, Math.max(0.42, 5.4 * pixel));
    line(ctx, chosen.rollout, color, Math.max(0.26, 3 * pixel));
    if (view.time < horizon) {
      const end = egoBox(item.ego, rolloutAt(chosen.rollout, horizon));
      drawOutline(ctx, end.pose, end.size, color, Math.max(0.1, 1.2 * pixel));
    }
  }
  if (chosen && !view.hidden.has('planned')) {
    ctx.globalAlpha = 0.8;
    line(ctx, [kStart, ...chosen.poses], palette.ego, Math.max(0.06, 0.9 * pixel), [0.25, 0.4]);
    ctx.globalAlpha = 1;
    for (const pose of chosen.poses) {
      diamond(ctx, pose, Math.max(0.3, 3.6 * pixel), palette.ground, palette.ego, pixel);
    }
  }
}

/** The ego where the chosen trajectory has it at the time. */
export function drawEgo(
  ctx: Context,
  item: ScoreCase,
  view: View,
  pixel: number,
  palette: Palette,
): void {
  const chosen = chosenOf(item, view);
  const { pose, size } = egoBox(item.ego, chosen ? rolloutAt(chosen.rollout, view.time) : kStart);
  drawBody(ctx, pose, size, pixel, palette.ego, palette.ground);
}

function scoreOf(item: ScoreCase, i: number): number {
  return item.trajectories[i]?.score ?? 0;
}

function line(
  ctx: Context,
  poses: readonly Pose[],
  color: string,
  width: number,
  dash: number[] = [],
): void {
  ctx.beginPath();
  for (const pose of poses) ctx.lineTo(pose[0], pose[1]);
  ctx.setLineDash(dash);
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.stroke();
  ctx.setLineDash([]);
}

function dot(
  ctx: Context,
  pose: Pose,
  radius: number,
  fill: string,
  rim: string,
  pixel: number,
): void {
  ctx.beginPath();
  ctx.arc(pose[0], pose[1], radius, 0, 2 * Math.PI);
  ctx.fillStyle = fill;
  ctx.fill();
  ctx.strokeStyle = rim;
  ctx.lineWidth = Math.max(0.08, pixel);
  ctx.stroke();
}

function diamond(
  ctx: Context,
  [x, y]: Pose,
  radius: number,
  fill: string,
  rim: string,
  pixel: number,
): void {
  ctx.beginPath();
  ctx.moveTo(x + radius, y);
  ctx.lineTo(x, y + radius);
  ctx.lineTo(x - radius, y);
  ctx.lineTo(x, y - radius);
  ctx.closePath();
  ctx.fillStyle = fill;
  ctx.fill();
  ctx.strokeStyle = rim;
  ctx.lineWidth = Math.max(0.1, 1.3 * pixel);
  ctx.stroke();
}
