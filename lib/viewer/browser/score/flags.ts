import type { ScoreCase, ScoredTrajectory } from '../../score-case.js';
import type { Camera } from '../camera.js';
import { anchorOf } from './draw-failures.js';
import { shortOf } from './metrics.js';
import type { Palette } from './palette.js';

/** Pixels. */
const kHeight = 20;
const kGap = 5;

/** A label beside the place of a failure, CSS pixels. */
export interface Flag {
  /** Index of the failure. */
  failure: number;
  text: string;
  /** The place that it names. */
  anchor: readonly [number, number];
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A rectangle, pixels. */
type Box = Pick<Flag, 'x' | 'y' | 'width' | 'height'>;

/**
 * A place for each flag near its anchor, clear of the others and of the edges where there is room.
 *
 * @param items in the order of their right to a good place
 * @param taken rectangles that stay free where possible
 */
export function placeFlags(
  items: readonly {
    failure: number;
    text: string;
    width: number;
    anchor: readonly [number, number];
  }[],
  screen: { width: number; height: number },
  taken: readonly Box[] = [],
): Flag[] {
  const placed: Flag[] = [];
  for (const { failure, text, width, anchor } of items) {
    const [ax, ay] = anchor;
    const candidates: [number, number][] = [];
    for (const away of [26, 50, 76, 104, 134]) {
      candidates.push(
        [ax - width / 2, ay - away - kHeight / 2],
        [ax - width / 2, ay + away - kHeight / 2],
      );
      candidates.push(
        [ax + away - 6, ay - away / 2 - kHeight / 2],
        [ax - away + 6 - width, ay - away / 2 - kHeight / 2],
      );
      candidates.push(
        [ax + away - 6, ay + away / 2 - kHeight / 2],
        [ax - away + 6 - width, ay + away / 2 - kHeight / 2],
      );
    }
    const box = (at: [number, number]): Box => ({ x: at[0], y: at[1], width, height: kHeight });
    const free = candidates.find(
      (at) =>
        inside(box(at), screen) && ![...placed, ...taken].some((other) => meets(box(at), other)),
    );
    placed.push({ failure, text, anchor, ...box(free ?? (candidates[0] as [number, number])) });
  }
  return placed;
}

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

/** The flag under a point; undefined: none. */
export function flagAt(flags: readonly Flag[], px: number, py: number): Flag | undefined {
  return flags.find(
    ({ x, y, width, height }) =>
      px >= x - kGap && px <= x + width + kGap && py >= y - kGap && py <= y + height + kGap,
  );
}

function meets(a: Box, b: Box): boolean {
  return (
    a.x < b.x + b.width + kGap &&
    b.x < a.x + a.width + kGap &&
    a.y < b.y + b.height + kGap &&
    b.y < a.y + a.height + kGap
  );
}

function inside({ x, y, width, height }: Box, screen: { width: number; height: number }): boolean {
  return x >= 4 && y >= 4 && x + width <= screen.width - 4 && y + height <= screen.height - 4;
}
