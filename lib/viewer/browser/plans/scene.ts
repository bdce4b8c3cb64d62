import type { PlanCase, Pose } from '../../case.js';
import type { Camera } from '../camera.js';
import { drawGrid } from '../draw-lines.js';
import { beginDrawing } from '../stage.js';
import { drawPlan } from './draw-plan.js';
import { drawRoad } from './draw-road.js';
import { drawEgo, drawTail, drawTraffic } from './draw-vehicle.js';
import { planAt, poseAt } from './geometry.js';
import { readPalette } from './palette.js';
import { caseOf, type View } from './state.js';

/** Draws the whole picture for `view`. */
export function drawScene(
  canvas: HTMLCanvasElement,
  cases: readonly PlanCase[],
  view: View,
  camera: Camera,
): void {
  const palette = readPalette();
  const ctx = beginDrawing(canvas, camera, palette.ground);
  if (!ctx) return;
  const item = caseOf(cases, view);
  const plan = item.plans[view.planIndex];
  const pixel = 1 / camera.scale;
  drawGrid(ctx, camera, palette.grid);
  drawRoad(ctx, item, camera, palette, !view.hidden.has('route'));
  if (!view.hidden.has('traffic')) drawTraffic(ctx, item, view.time, pixel, palette);
  drawTail(ctx, item.ego.history, pixel, palette.ego);
  const present: Pose = [0, 0, 0];
  let pose: Pose | null = present;
  if (plan) {
    drawPlan(ctx, item, plan, view.refinement, view.hidden, pixel, palette);
    pose = poseAt(present, planAt(plan.refinements, view.refinement), view.time);
  }
  drawEgo(ctx, item, pose ?? present, pixel, palette);
}
