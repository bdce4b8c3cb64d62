import type { CasePlan, PlanCase, Pose } from '../../case.js';
import { drawGhost } from './draw-vehicle.js';
import { constantVelocity, planAt } from './geometry.js';
import { type Palette, stepColor } from './palette.js';
import type { Layer } from './state.js';

type Context = CanvasRenderingContext2D;

const kOrigin: Pose = [0, 0, 0];

/** The plan at `refinement` with what it is compared to; the context is in metres. */
export function drawPlan(
  ctx: Context,
  item: PlanCase,
  plan: CasePlan,
  refinement: number,
  hidden: ReadonlySet<Layer>,
  pixel: number,
  palette: Palette,
): void {
  const last = plan.refinements.length - 1;
  const poses = planAt(plan.refinements, refinement);
  ctx.lineCap = 'round';
  ctx.lineJoin = 'round';
  if (!hidden.has('samples')) {
    // The samples are those of the last step: they come in while it does.
    const share = last === 0 ? 1 : Math.max(0, refinement - (last - 1));
    drawSamples(ctx, plan, 0.3 * share, pixel, palette.last);
  }
  if (!hidden.has('inertia')) {
    line(ctx, constantVelocity(item), palette.inertia, Math.max(0.16, 1.5 * pixel), [0.1, 1]);
  }
  if (!hidden.has('guesses')) {
    for (let k = 0; k < refinement && k < last; k++) {
      ctx.globalAlpha = 0.75;
      const color = stepColor(k, last + 1, palette.first, palette.last);
      line(ctx, plan.refinements[k] ?? [], color, Math.max(0.1, 1.2 * pixel));
      ctx.globalAlpha = 1;
    }
  }
  if (!hidden.has('plan')) {
    const color = stepColor(refinement, last + 1, palette.first, palette.last);
    drawBand(ctx, poses, item.ego.width, color);
    line(ctx, poses, color, Math.max(0.26, 2.6 * pixel));
    dots(ctx, poses, Math.max(0.36, 3.4 * pixel), palette.ground, color, pixel);
    const end = poses.at(-1);
    ctx.strokeStyle = color;
    if (end) drawGhost(ctx, item, end, Math.max(0.14, 1.5 * pixel));
  }
  // On top of the plan: it is thin and dashed, and where both agree one wants to see it.
  if (!hidden.has('human')) {
    line(ctx, item.ego.future, palette.human, Math.max(0.15, 1.6 * pixel), [0.9, 0.9]);
    const end = item.ego.future.at(-1);
    if (end) dots(ctx, [end], Math.max(0.3, 3 * pixel), palette.human, palette.ground, pixel);
  }
}

function drawSamples(
  ctx: Context,
  plan: CasePlan,
  alpha: number,
  pixel: number,
  color: string,
): void {
  if (alpha <= 0) return;
  ctx.globalAlpha = alpha;
  for (const sample of plan.samples) line(ctx, sample, color, Math.max(0.14, 1.2 * pixel));
  ctx.globalAlpha = 1;
}

function line(
  ctx: Context,
  poses: readonly Pose[],
  color: string,
  width: number,
  dash: number[] = [],
): void {
  if (poses.length === 0) return;
  ctx.beginPath();
  ctx.moveTo(kOrigin[0], kOrigin[1]);
  for (const pose of poses) ctx.lineTo(pose[0], pose[1]);
  ctx.setLineDash(dash);
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.stroke();
  ctx.setLineDash([]);
}

/** The strip that the ego's width sweeps, so that one sees whether it fits between the others. */
function drawBand(ctx: Context, poses: readonly Pose[], width: number, color: string): void {
  ctx.beginPath();
  ctx.moveTo(kOrigin[0], kOrigin[1]);
  for (const pose of poses) ctx.lineTo(pose[0], pose[1]);
  ctx.globalAlpha = 0.2;
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.stroke();
  ctx.globalAlpha = 1;
}

function dots(
  ctx: Context,
  poses: readonly Pose[],
  radius: number,
  fill: string,
  stroke: string,
  pixel: number,
): void {
  ctx.fillStyle = fill;
  ctx.strokeStyle = stroke;
  ctx.lineWidth = Math.max(0.16, 1.6 * pixel);
  for (const pose of poses) {
    ctx.beginPath();
    ctx.arc(pose[0], pose[1], radius, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
  }
}
