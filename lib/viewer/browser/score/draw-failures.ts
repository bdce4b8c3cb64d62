import type { Pose } from '../../case.js';
import type { ScoreAgent, ScoreCase, ScoredTrajectory, ScoreFailure } from '../../score-case.js';
import { boxesOf, contactOf } from './contact.js';
import { drawOutline } from './draw-agents.js';
import { laneOutline } from './draw-map.js';
import { agentFor, cornersOf, egoBox, type Point, rolloutAt } from './geometry.js';
import type { Palette } from './palette.js';

type Context = CanvasRenderingContext2D;

/** Seconds between the projections of the time to collision. */
const kProjection = 0.3;

/** How a mark is drawn. */
interface Pen {
  ctx: Context;
  pixel: number;
  color: string;
  /** 1, or more for the one that was chosen. */
  weight: number;
}

/** Marks every place where `trajectory` lost marks but the stretches; `chosen` (an index) most strongly. */
export function drawFailures(
  ctx: Context,
  item: ScoreCase,
  trajectory: ScoredTrajectory,
  chosen: number | null,
  pixel: number,
  palette: Palette,
): void {
  eachFailure(ctx, trajectory, chosen, pixel, palette, (pen, failure, step) => {
    drawFailure(pen, item, trajectory, failure, step);
  });
}

/** The stretches of the rollout at fault, which go below the ego. */
export function drawStretches(
  ctx: Context,
  trajectory: ScoredTrajectory,
  chosen: number | null,
  pixel: number,
  palette: Palette,
): void {
  eachFailure(ctx, trajectory, chosen, pixel, palette, (pen, failure) => {
    for (const [from, to] of failure.stretches) drawStretch(pen, trajectory.rollout, from, to);
  });
}

/** Failures that have a place, the chosen one last and above the others. */
function eachFailure(
  ctx: Context,
  trajectory: ScoredTrajectory,
  chosen: number | null,
  pixel: number,
  palette: Palette,
  draw: (pen: Pen, failure: ScoreFailure, step: number) => void,
): void {
  const order = trajectory.failures.map((_, i) => i).filter((i) => i !== chosen);
  if (chosen !== null) order.push(chosen);
  for (const i of order) {
    const failure = trajectory.failures[i];
    if (!failure || failure.step === null) continue;
    const color = failure.forgiven ? palette.inertia : palette.fault;
    ctx.globalAlpha = chosen === null || i === chosen ? 1 : 0.55;
    draw({ ctx, pixel, color, weight: i === chosen ? 1.5 : 1 }, failure, failure.step);
    ctx.globalAlpha = 1;
  }
}

function drawFailure(
  pen: Pen,
  item: ScoreCase,
  trajectory: ScoredTrajectory,
  failure: ScoreFailure,
  step: number,
): void {
  const { ctx, pixel, color, weight } = pen;
  const thin = weight * Math.max(0.1, 1.4 * pixel);
  const lane = failure.lane === null ? undefined : laneOutline(item, failure.lane);
  if (lane) drawArea(pen, lane);
  const box = egoBox(item.ego, rolloutAt(trajectory.rollout, step / 10));
  drawOutline(ctx, box.pose, box.size, color, thin);
  if (failure.lookAheadS) drawProjection(pen, item, trajectory, failure, step);
  if (failure.agent !== null) {
    const agent = item.agents[failure.agent] as ScoreAgent;
    const pose = agentFor(item, trajectory, failure.agent, step / 10);
    if (pose) drawHit(pen, pose, agent);
    const contact = contactOf(item, trajectory, failure, step);
    if (contact) drawStar(pen, contact);
  }
  if (failure.corner !== null) {
    drawRing(pen, cornersOf(box.pose, box.size)[failure.corner]);
  }
}

/** Ego and object where they would be if the ego kept speed and heading: dashed, every 0.3 s up to the contact. */
function drawProjection(
  { ctx, pixel, color, weight }: Pen,
  item: ScoreCase,
  trajectory: ScoredTrajectory,
  failure: ScoreFailure,
  step: number,
): void {
  const last = failure.lookAheadS ?? 0;
  const width = weight * Math.max(0.08, 1.1 * pixel);
  const alpha = ctx.globalAlpha;
  for (let later = kProjection; later <= last + 1e-6; later += kProjection) {
    const boxes = boxesOf(item, trajectory, { ...failure, lookAheadS: later }, step);
    if (!boxes || failure.agent === null) return;
    ctx.globalAlpha = alpha * (later + 1e-6 >= last ? 1 : 0.5);
    drawOutline(ctx, boxes.ego.pose, boxes.ego.size, color, width, [0.45, 0.35]);
    const agent = item.agents[failure.agent] as ScoreAgent;
    if (boxes.other) drawOutline(ctx, boxes.other, agent, color, width, [0.45, 0.35]);
  }
  ctx.globalAlpha = alpha;
}

function drawHit({ ctx, pixel, color, weight }: Pen, pose: Pose, agent: ScoreAgent): void {
  const alpha = ctx.globalAlpha;
  drawOutline(ctx, pose, agent, color, weight * Math.max(0.14, 2 * pixel));
  ctx.globalAlpha = alpha * 0.3;
  ctx.fillStyle = color;
  ctx.fill();
  ctx.globalAlpha = alpha;
}

function drawStretch(
  { ctx, pixel, color, weight }: Pen,
  rollout: readonly Pose[],
  from: number,
  to: number,
): void {
  ctx.beginPath();
  // A run of one step is drawn as the way to the next.
  for (const pose of rollout.slice(from, Math.max(to, from + 1) + 1)) ctx.lineTo(pose[0], pose[1]);
  ctx.lineCap = 'butt';
  ctx.setLineDash([0.5, 0.35]);
  ctx.strokeStyle = color;
  ctx.lineWidth = weight * Math.max(0.34, 4.4 * pixel);
  ctx.stroke();
  ctx.setLineDash([]);
}

function drawArea({ ctx, pixel, color, weight }: Pen, path: Path2D): void {
  const alpha = ctx.globalAlpha;
  ctx.globalAlpha = alpha * 0.28;
  ctx.fillStyle = color;
  ctx.fill(path);
  ctx.globalAlpha = alpha;
  ctx.strokeStyle = color;
  ctx.lineWidth = weight * Math.max(0.14, 1.6 * pixel);
  ctx.stroke(path);
}

function drawRing({ ctx, pixel, color, weight }: Pen, [x, y]: Point): void {
  ctx.beginPath();
  ctx.arc(x, y, Math.max(0.55, 7 * pixel), 0, 2 * Math.PI);
  ctx.strokeStyle = color;
  ctx.lineWidth = weight * Math.max(0.14, 2 * pixel);
  ctx.stroke();
  ctx.beginPath();
  ctx.arc(x, y, Math.max(0.16, 2.4 * pixel), 0, 2 * Math.PI);
  ctx.fillStyle = color;
  ctx.fill();
}

/** A burst of eight points. */
function drawStar({ ctx, pixel, color }: Pen, [x, y]: Point): void {
  const radius = Math.max(0.8, 9 * pixel);
  ctx.beginPath();
  for (let i = 0; i < 16; i++) {
    const r = i % 2 === 0 ? radius : 0.45 * radius;
    const angle = (i * Math.PI) / 8;
    ctx.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
  }
  ctx.closePath();
  ctx.fillStyle = color;
  ctx.fill();
}
