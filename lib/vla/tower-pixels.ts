import type { JanusVisionConfig } from './janus-config.js';

/**
 * Pixels as the tower takes them. A tower with `pixel_mean` and `pixel_std` was trained on pictures from 0 to 1 and
 * normalises them itself; `letterbox` gives -1 to 1, which all others take as they are.
 *
 * @param pixels [images, 3, size, size], from -1 to 1
 * @returns the same array where there is nothing to do
 */
export function towerPixels(vision: JanusVisionConfig, pixels: Float32Array): Float32Array {
  const { pixel_mean: mean, pixel_std: std, image_size: size } = vision;
  if (!mean || !std) return pixels;
  const plane = size * size;
  const out = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i += 1) {
    const channel = Math.floor(i / plane) % 3;
    out[i] = (pixels[i]! * 0.5 + 0.5 - mean[channel]!) / std[channel]!;
  }
  return out;
}
