import type { LightColor } from '../../observation.js';
import type { NetLane } from '../network.js';
import type { Random } from '../random.js';
import type { Light } from '../world.js';
import type { Arm } from './arms.js';

const kYellow = 3; // seconds

/** A stretch of the cycle in which some lanes have green, with yellow and all red after it. */
interface Phase {
  lanes: readonly NetLane[];
  green: number;
  allRed: number;
}

/** Lights of all arms: arms that face each other share a phase, left turns may have one of their own. */
export function makeSignals(random: Random, arms: readonly Arm[]): Light[] {
  const phases = makePhases(random, arms);
  const cycle = phases.reduce((sum, { green, allRed }) => sum + green + kYellow + allRed, 0);
  const offset = random.range(0, cycle);
  const lights: Light[] = [];
  let begin = 0;
  for (const { lanes, green, allRed } of phases) {
    const from = begin;
    begin += green + kYellow + allRed;
    // One light a lane and phase: lanes of one arm in one phase hang on one light.
    for (const arm of arms) {
      const own = lanes.filter((lane) => arm.in.lanes.includes(lane));
      if (own.length === 0) continue;
      for (const lane of own) {
        lane.light = lights.length;
        lane.control = 'signal';
      }
      const colorAt = (time: number): LightColor => {
        const into = (((time + offset - from) % cycle) + cycle) % cycle;
        return into < green ? 'green' : into < green + kYellow ? 'yellow' : 'red';
      };
      lights.push({ lanes: own, colorAt });
    }
  }
  return lights;
}

function makePhases(random: Random, arms: readonly Arm[]): Phase[] {
  const times = () => ({ green: random.range(7, 18), allRed: random.range(1, 2) });
  const sides = [0, 1].map((side) => arms.filter((_, k) => k % 2 === side));
  const split = random.chance(0.25);
  return sides.flatMap((group) => {
    if (split) return group.map((arm) => ({ lanes: arm.in.lanes, ...times() }));
    const lanes = group.flatMap((arm) => arm.in.lanes);
    const lefts = lanes.filter((lane) =>
      lane.successors.every(({ movement }) => movement?.turn === 'left'),
    );
    const rest = lanes.filter((lane) => !lefts.includes(lane));
    const ownPhase = lefts.length > 0 && rest.length > 0 && random.chance(0.6);
    return ownPhase
      ? [
          { lanes: lefts, ...times() },
          { lanes: rest, ...times() },
        ]
      : [{ lanes, ...times() }];
  });
}
