import type { Camera } from './camera.js';

/** Lines every 10 m over the part of the world in sight; the context is in metres. */
export function drawGrid(ctx: CanvasRenderingContext2D, camera: Camera, color: string): void {
  const corners = [
    camera.toWorld(0, 0),
    camera.toWorld(camera.width, 0),
    camera.toWorld(0, camera.height),
    camera.toWorld(camera.width, camera.height),
  ];
  const spacing = camera.scale < 2.5 ? 50 : 10;
  const low = (axis: 0 | 1): number =>
    Math.floor(Math.min(...corners.map((c) => c[axis])) / spacing) * spacing;
  const high = (axis: 0 | 1): number => Math.max(...corners.map((c) => c[axis]));
  ctx.beginPath();
  for (let x = low(0); x <= high(0); x += spacing) {
    ctx.moveTo(x, low(1));
    ctx.lineTo(x, high(1));
  }
  for (let y = low(1); y <= high(1); y += spacing) {
    ctx.moveTo(low(0), y);
    ctx.lineTo(high(0), y);
  }
  ctx.lineWidth = 1 / camera.scale;
  ctx.strokeStyle = color;
  ctx.stroke();
}

/** Adds the points x0, y0, x1, y1, ... to a path. */
export function trace(path: Path2D | CanvasRenderingContext2D, line: readonly number[]): void {
  for (let i = 0; i + 1 < line.length; i += 2) {
    const [x, y] = [line[i] as number, line[i + 1] as number];
    if (i === 0) path.moveTo(x, y);
    else path.lineTo(x, y);
  }
}
