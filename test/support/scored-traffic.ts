import type { PdmScene } from '../../lib/sim/scene.js';
import { randomFloats } from './reference.js';
import { drive, movingObject, type StraightRoad, straightRoad } from './straight-road.js';

/**
 * The straight road with objects of all kinds on and beside it. The lead's rear does not pass the red light at a step of
 * 0.1 s: at a tie rounding would decide which of the two is nearer, and a turned scene would not score the same.
 */
export function busyRoad(road: StraightRoad = {}): PdmScene {
  const agents = [
    movingObject('lead', { x: 55.3, y: 1.75, speed: 5 }),
    movingObject('beside', { x: 22, y: 5.25, speed: 9 }),
    movingObject('oncoming', { x: 120, y: 8.75, speed: -8 }),
    movingObject('walker', { x: 70, y: 1, speed: 1, type: 'pedestrian', length: 0.6 }),
    movingObject('cone', { x: 64, y: 4, speed: 0, type: 'traffic_cone', length: 0.5 }),
  ];
  return straightRoad({ agents, light: 'red', middle: 60, ...road });
}

/** N different drives [N, 8, 3]: kept, swerving, slow, fast, off the road. */
export function variedDrives(n: number, seed = 1): Float64Array {
  const random = randomFloats(n * 3, seed);
  const values = new Float64Array(n * 24);
  for (let i = 0; i < n; i++) {
    const [speed, side, from] = [random[3 * i]!, random[3 * i + 1]!, random[3 * i + 2]!];
    const poses = drive((t) => [6 * speed * t, 6 * side * Math.sin((t / 4) * (1 + from))]);
    values.set(poses.flat(), i * 24);
  }
  return values;
}
