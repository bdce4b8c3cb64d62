import type { Bounds } from './geometry.js';

const kScaleRange = [0.6, 80] as const; // pixels per metre

/** Free space to keep when fitting, CSS pixels. */
export interface Insets {
  top: number;
  right: number;
  bottom: number;
  left: number;
}

/** Where the map is seen from: world metres (x ahead, y left) to CSS pixels. */
export class Camera {
  /** World point in the middle of the canvas. */
  x = 0;
  y = 0;
  /** Pixels per metre. */
  scale = 8;
  /** Angle on screen of the world's +x, counter-clockwise: 0 to the right, pi/2 up. */
  rotation = 0;
  width = 1;
  height = 1;

  /** a, b, c, d, e, f of a canvas transform. */
  matrix(): [number, number, number, number, number, number] {
    const c = Math.cos(this.rotation) * this.scale;
    const s = Math.sin(this.rotation) * this.scale;
    // Screen y points down, hence the signs.
    const e = this.width / 2 - c * this.x + s * this.y;
    const f = this.height / 2 + s * this.x + c * this.y;
    return [c, -s, -s, -c, e, f];
  }

  /** World point under a screen point. */
  toWorld(px: number, py: number): [number, number] {
    const [dx, dy] = [(px - this.width / 2) / this.scale, -(py - this.height / 2) / this.scale];
    const [c, s] = [Math.cos(this.rotation), Math.sin(this.rotation)];
    return [this.x + c * dx + s * dy, this.y - s * dx + c * dy];
  }

  /** Moves the map by screen pixels. */
  pan(dx: number, dy: number): void {
    const [ax, ay] = this.toWorld(0, 0);
    const [bx, by] = this.toWorld(dx, dy);
    this.x += ax - bx;
    this.y += ay - by;
  }

  /** Zooms by `factor`; the world point under (px, py) stays where it is. */
  zoomAt(px: number, py: number, factor: number): void {
    const before = this.toWorld(px, py);
    this.scale = Math.min(kScaleRange[1], Math.max(kScaleRange[0], this.scale * factor));
    const after = this.toWorld(px, py);
    this.x += before[0] - after[0];
    this.y += before[1] - after[1];
  }

  /** Shows `bounds` as large as the free part of the canvas allows, at `most` so many pixels per metre. */
  fit(bounds: Bounds, insets: Insets, most = 14): void {
    const upright = Math.abs(Math.sin(this.rotation)) > 0.5;
    const [along, across] = [bounds.x1 - bounds.x0, bounds.y1 - bounds.y0];
    const [w, h] = upright ? [across, along] : [along, across];
    const free = {
      width: Math.max(60, this.width - insets.left - insets.right),
      height: Math.max(60, this.height - insets.top - insets.bottom),
    };
    this.scale = Math.max(kScaleRange[0], Math.min(most, free.width / w, free.height / h));
    this.x = (bounds.x0 + bounds.x1) / 2;
    this.y = (bounds.y0 + bounds.y1) / 2;
    this.pan((insets.left - insets.right) / 2, (insets.top - insets.bottom) / 2);
  }
}
