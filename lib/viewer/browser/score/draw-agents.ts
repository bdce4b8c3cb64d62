import type { Pose } from '../../case.js';
import type { ScoreAgent, ScoreCase, ScoredTrajectory } from '../../score-case.js';
import { drawBody, traceBody } from '../draw-body.js';
import { horizon } from '../geometry.js';
import { agentFor, type BoxSize, cornersOf } from './geometry.js';
import type { Palette } from './palette.js';

type Context = CanvasRenderingContext2D;

/** Every object: its way, and its box at `time` while `trajectory` is driven. */
export function drawAgents(
  ctx: Context,
  item: ScoreCase,
  trajectory: ScoredTrajectory | null,
  time: number,
  pixel: number,
  palette: Palette,
): void {
  item.agents.forEach((agent, index) => {
    drawWay(ctx, item, trajectory, agent, index, pixel, palette);
  });
  item.agents.forEach((agent, index) => {
    const pose = agentFor(item, trajectory, index, time);
    if (pose) {
      drawAgent(ctx, agent, pose, pixel, palette);
      return;
    }
    // No longer seen: it stays, faint, where it was last.
    const last = agent.poses.at(-1);
    if (!last || time < (agent.t.at(-1) ?? 0)) return;
    ctx.globalAlpha = 0.3;
    drawAgent(ctx, agent, last, pixel, palette);
    ctx.globalAlpha = 1;
  });
}

/** Outline of a box, square: this is what is judged. */
export function drawOutline(
  ctx: Context,
  pose: Pose,
  size: BoxSize,
  color: string,
  width: number,
  dash: number[] = [],
): void {
  ctx.beginPath();
  cornersOf(pose, size).forEach(([x, y], i) => {
    if (i === 0) ctx.moveTo(x, y);
    else ctx.lineTo(x, y);
  });
  ctx.closePath();
  ctx.setLineDash(dash);
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.stroke();
  ctx.setLineDash([]);
}

function drawAgent(
  ctx: Context,
  agent: ScoreAgent,
  pose: Pose,
  pixel: number,
  palette: Palette,
): void {
  switch (agent.type) {
    case 'vehicle':
      drawBody(ctx, pose, agent, pixel, palette.vehicle, palette.vehicleLine);
      return;
    case 'pedestrian':
    case 'bicycle':
      drawBlock(ctx, pose, agent, pixel, palette.person, palette.personLine);
      drawNose(ctx, pose, agent, palette.personLine);
      return;
    default:
      drawBlock(ctx, pose, agent, pixel, palette.object, palette.objectLine);
      drawCross(ctx, pose, agent, pixel, palette.objectLine);
  }
}

function drawBlock(
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
  ctx.strokeStyle = line;
  ctx.lineWidth = Math.max(0.08, 1.2 * pixel);
  ctx.stroke();
}

/** A line to the front: where someone on foot or on a bicycle points. */
function drawNose(ctx: Context, pose: Pose, { length }: BoxSize, color: string): void {
  ctx.beginPath();
  ctx.moveTo(pose[0], pose[1]);
  const reach = length / 2;
  ctx.lineTo(pose[0] + reach * Math.cos(pose[2]), pose[1] + reach * Math.sin(pose[2]));
  ctx.strokeStyle = color;
  ctx.stroke();
}

/** The diagonals: a thing that never moves. */
function drawCross(ctx: Context, pose: Pose, size: BoxSize, pixel: number, color: string): void {
  const [a, b, c, d] = cornersOf(pose, size);
  ctx.beginPath();
  ctx.moveTo(a[0], a[1]);
  ctx.lineTo(c[0], c[1]);
  ctx.moveTo(b[0], b[1]);
  ctx.lineTo(d[0], d[1]);
  ctx.strokeStyle = color;
  ctx.lineWidth = Math.max(0.05, 0.8 * pixel);
  ctx.stroke();
}

function drawWay(
  ctx: Context,
  item: ScoreCase,
  trajectory: ScoredTrajectory | null,
  agent: ScoreAgent,
  index: number,
  pixel: number,
  palette: Palette,
): void {
  const way: Pose[] = [];
  for (let time = 0; time <= horizon; time += 0.5) {
    const pose = agentFor(item, trajectory, index, time);
    if (pose) way.push(pose);
  }
  const [first, last] = [way[0], way.at(-1)];
  if (!first || !last || Math.hypot(last[0] - first[0], last[1] - first[1]) < 0.5) return;
  ctx.beginPath();
  for (const pose of way) ctx.lineTo(pose[0], pose[1]);
  ctx.strokeStyle = agent.type === 'vehicle' ? palette.vehicleLine : palette.personLine;
  ctx.globalAlpha = 0.45;
  ctx.lineWidth = Math.max(0.1, pixel);
  ctx.stroke();
  ctx.beginPath();
  traceBody(ctx, last, agent);
  ctx.globalAlpha = 0.25;
  ctx.stroke();
  ctx.globalAlpha = 1;
}
