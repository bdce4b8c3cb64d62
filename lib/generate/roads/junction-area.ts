import type { NetLane } from '../network.js';
import type { Ring } from '../world.js';
import type { Arm } from './arms.js';
import { halfWidth } from './carriageway.js';

/** The pavement of a junction: from arm to arm counter-clockwise, round the corners where vehicles turn right. */
export function junctionArea(arms: readonly Arm[], inner: readonly NetLane[]): Ring {
  const ring: (readonly [number, number])[] = [];
  for (const [k, arm] of arms.entries()) {
    const { reference, section, lanesIn, lanesOut } = arm;
    const { shoulder } = section;
    ring.push(reference.pointBeside(0, -halfWidth(section, lanesOut) - shoulder));
    ring.push(reference.pointBeside(0, halfWidth(section, lanesIn) + shoulder));
    const next = (k + 1) % arms.length;
    const corner = inner.find(({ movement }) => movement?.from === k && movement.to === next);
    if (corner?.movement?.turn !== 'right') continue;
    // The shoulders go on round the corner, and a little more: long vehicles cut it.
    const other = arms[next].section.shoulder;
    const n = Math.max(2, Math.round(corner.line.length / 2));
    for (let i = 1; i < n; ++i) {
      const u = i / n;
      const aside = corner.width / 2 + (1 - u) * shoulder + u * other + 0.6 * Math.sin(Math.PI * u);
      ring.push(corner.line.pointBeside(u * corner.line.length, -aside));
    }
  }
  return ring;
}
