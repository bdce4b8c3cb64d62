import type { Pose } from '../case.js';

type Context = CanvasRenderingContext2D;

/** Metres of a box around its centre. */
export interface BoxSize {
  length: number;
  width: number;
}

/** A body with a windscreen, so that one sees where it points; `pose` is of its centre. */
export function drawBody(
  ctx: Context,
  pose: Pose,
  size: BoxSize,
  pixel: number,
  fill: string,
  line: string,
): void {
  ctx.beginPath();
  traceBody(ctx, pose, size);
  ctx.fillStyle = fill;
  ctx.fill();
  ctx.lineWidth = Math.max(0.12, 1.2 * pixel);
  ctx.strokeStyle = line;
  ctx.stroke();
  const [l, w] = [size.length / 2, size.width / 2];
  ctx.beginPath();
  local(ctx, pose, 0.42 * l, 0.72 * w, true);
  local(ctx, pose, 0.18 * l, 0.62 * w);
  local(ctx, pose, 0.18 * l, -0.62 * w);
  local(ctx, pose, 0.42 * l, -0.72 * w);
  ctx.closePath();
  ctx.fillStyle = line;
  ctx.fill();
}

/** Adds the outline of a box with cut corners to the path. */
export function traceBody(ctx: Context, pose: Pose, size: BoxSize): void {
  const [l, w] = [size.length / 2, size.width / 2];
  const cut = Math.min(0.5, 0.35 * w);
  local(ctx, pose, l - cut, w, true);
  local(ctx, pose, l, w - cut);
  local(ctx, pose, l, cut - w);
  local(ctx, pose, l - cut, -w);
  local(ctx, pose, cut * 0.6 - l, -w);
  local(ctx, pose, -l, cut * 0.6 - w);
  local(ctx, pose, -l, w - cut * 0.6);
  local(ctx, pose, cut * 0.6 - l, w);
  ctx.closePath();
}

/** Adds the point (ahead, left) of a body at `pose` to the path. */
function local(ctx: Context, pose: Pose, ahead: number, left: number, move = false): void {
  const [c, s] = [Math.cos(pose[2]), Math.sin(pose[2])];
  const [x, y] = [pose[0] + c * ahead - s * left, pose[1] + s * ahead + c * left];
  if (move) ctx.moveTo(x, y);
  else ctx.lineTo(x, y);
}
