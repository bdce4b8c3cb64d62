import type { ScoreCase, ScoredTrajectory } from '../../score-case.js';
import type { Camera } from '../camera.js';
import { anchorOf } from './contact.js';
import { shortOf } from './metrics.js';
import type { Palette } from './palette.js';
import { type Flag, placeFlags } from './place-flags.js';

/** The flags of a trajectory as the camera sees them, the chosen failure's first. */
export function flagsOf(
  ctx: CanvasRenderingContext2D,
  item: ScoreCase,
  trajectory: ScoredTrajectory,
  chosen: number | null,
  camera: Camera,
): Flag[] {
  ctx.font = kFont;
  const [a, b, c, d, e, f] = camera.matrix();
  const items = trajectory.failures.flatMap((failure, index) => {
    const at = anchorOf(item, trajectory, failure);
    if (!at) return [];
    const anchor = [a * at[0] + c * at[1] + e, b * at[0] + d * at[1] + f] as const;
    if (anchor[0] < -40 || anchor[0] > camera.width + 40) return [];
    if (anchor[1] < -40 || anchor[1] > camera.height + 40) return [];
    const text = `${shortOf(item.version, failure.metric)} ${(failure.timeS ?? 0).toFixed(1)} s`;
    return [{ failure: index, text, width: ctx.measureText(text).width + 16, anchor }];
  });
  items.sort((p, q) => Number(q.failure === chosen) - Number(p.failure === chosen));
  // Name of the scene and buttons.
  const taken = [
    { x: 0, y: 0, width: 320, height: 56 },
    { x: camera.width - 60, y: 0, width: 60, height: 170 },
    { x: 0, y: camera.height - 44, width: camera.width, height: 44 },
  ];
  return placeFlags(items, camera, taken);
}

const kFont = '600 11.5px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** Draws flags; the context is in CSS pixels. */
export function drawFlags(
  ctx: CanvasRenderingContext2D,
  flags: readonly Flag[],
  trajectory: ScoredTrajectory,
  chosen: number | null,
  palette: Palette,
): void {
  ctx.font = kFont;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'center';
  for (const { failure, text, anchor, x, y, width, height } of [...flags].reverse()) {
    const forgiven = trajectory.failures[failure]?.forgiven ?? false;
    const color = forgiven ? palette.inertia : palette.fault;
    const active = failure === chosen;
    ctx.beginPath();
    ctx.moveTo(anchor[0], anchor[1]);
    ctx.lineTo(Math.min(x + width, Math.max(x, anchor[0])), y > anchor[1] ? y : y + height);
    ctx.strokeStyle = color;
    ctx.lineWidth = 1.4;
    ctx.stroke();
    ctx.beginPath();
    ctx.roundRect(x, y, width, height, 5);
    ctx.fillStyle = active ? color : palette.label;
    ctx.fill();
    ctx.lineWidth = 1.4;
    ctx.stroke();
    ctx.fillStyle = active ? palette.faultInk : color;
    ctx.fillText(text, x + width / 2, y + height / 2 + 0.5);
  }
}
