import type { ScoreCase } from '../../score-case.js';
import type { Camera } from '../camera.js';
import { drawGrid } from '../draw-lines.js';
import { beginDrawing } from '../stage.js';
import { drawAgents } from './draw-agents.js';
import { drawFailures, drawStretches } from './draw-failures.js';
import { drawLights, drawMap } from './draw-map.js';
import { drawChosen, drawEgo, drawOthers } from './draw-trajectories.js';
import { drawFlags, flagsOf } from './flags.js';
import { readPalette } from './palette.js';
import type { Flag } from './place-flags.js';
import { chosenOf, type View } from './state.js';

/** Draws the whole picture for `view`; returns the flags on it. */
export function drawScene(
  canvas: HTMLCanvasElement,
  item: ScoreCase,
  view: View,
  camera: Camera,
): Flag[] {
  const palette = readPalette();
  const ctx = beginDrawing(canvas, camera, palette.ground);
  if (!ctx) return [];
  const pixel = 1 / camera.scale;
  const chosen = chosenOf(item, view);
  drawGrid(ctx, camera, palette.grid);
  drawMap(ctx, item, pixel, palette, !view.hidden.has('route'));
  drawLights(ctx, item, view.time, pixel, palette);
  if (!view.hidden.has('traffic')) drawAgents(ctx, item, chosen, view.time, pixel, palette);
  drawOthers(ctx, item, view, pixel, palette);
  drawChosen(ctx, item, view, pixel, palette);
  const marked = view.hidden.has('failures') ? null : chosen;
  if (marked) drawStretches(ctx, marked, view.failure, pixel, palette);
  drawEgo(ctx, item, view, pixel, palette);
  if (!marked) return [];
  drawFailures(ctx, item, marked, view.failure, pixel, palette);
  const ratio = canvas.width / camera.width;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  const flags = flagsOf(ctx, item, marked, view.failure, camera);
  drawFlags(ctx, flags, marked, view.failure, palette);
  return flags;
}
