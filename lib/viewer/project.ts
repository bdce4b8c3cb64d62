import type { SeenCamera } from './seen-case.js';

/** Nearer than this to the plane of the camera a point has no place in the picture. */
const kNearM = 0.5;

/**
 * Where a point of the road lies in a picture of this camera, pixels from its upper left corner; null when it is behind
 * the camera.
 *
 * @param x metres ahead of the ego's point
 * @param y metres to its left
 */
export function projectGround(
  camera: SeenCamera,
  { width, height }: { width: number; height: number },
  x: number,
  y: number,
): [number, number] | null {
  const focal = width / 2 / Math.tan((camera.fovDeg * Math.PI) / 360);
  const pitch = (camera.pitchDeg * Math.PI) / 180;
  const ahead = x - camera.forwardM;
  const depth = ahead * Math.cos(pitch) + camera.heightM * Math.sin(pitch);
  if (depth < kNearM) return null;
  const down = camera.heightM * Math.cos(pitch) - ahead * Math.sin(pitch);
  return [width / 2 - (focal * y) / depth, height / 2 + (focal * down) / depth];
}
