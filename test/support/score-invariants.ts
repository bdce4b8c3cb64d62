import type { PdmScores } from '../../lib/sim/pdm-scores.js';
import { kSubScores, type SubScore } from '../../lib/sim/score-rows.js';

/** Values that a sub-score may have; ego progress has any of [0, 1]. */
const kValues: Record<SubScore, readonly number[]> = {
  noAtFaultCollisions: [0, 0.5, 1],
  drivableAreaCompliance: [0, 1],
  trafficLightCompliance: [0, 1],
  drivingDirectionCompliance: [0, 0.5, 1],
  egoProgress: [],
  timeToCollisionWithinBound: [0, 1],
  laneKeeping: [0, 1],
  comfort: [0, 1],
};

/** Everything that results must be and these are not, one line each; empty for valid ones. */
export function scoreViolations(found: PdmScores): string[] {
  const bad: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) bad.push(what);
  };
  const isPart = (v: number) => v >= 0 && v <= 1;
  for (let i = 0; i < found.n; i++) {
    const sub = (name: SubScore) => found.subScores[name][i]!;
    for (const name of kSubScores) {
      const allowed = kValues[name];
      const value = sub(name);
      expect(allowed.length > 0 ? allowed.includes(value) : isPart(value), `${name}: ${value}`);
    }
    let product = sub('noAtFaultCollisions') * sub('drivableAreaCompliance');
    const five = 5 * sub('egoProgress') + 5 * sub('timeToCollisionWithinBound');
    let score = (five + 2 * sub('comfort')) / 12;
    if (found.version === 'v2') {
      product *= sub('trafficLightCompliance') * sub('drivingDirectionCompliance');
      score = (five + 2 * sub('laneKeeping') + 2 * sub('comfort')) / 14;
    }
    expect(found.multipliers[i] === product, `multiplier: ${found.multipliers[i]} for ${product}`);
    expect(Math.abs(found.scores[i]! - product * score) < 1e-12, `score: ${found.scores[i]}`);
    for (const progress of [found.progressM[i]!, found.referenceProgressM[i]!])
      expect(progress >= 0 && progress < 1e9, `progress: ${progress}`);
    expect(isPart(found.referenceMultipliers[i]!), 'multiplier of the reference');
    if (found.filtered) {
      expect(isPart(found.filtered.scores[i]!), 'filtered score');
      for (const name of kSubScores) {
        const value = found.filtered.subScores[name][i]!;
        expect(value === sub(name) || (sub(name) < 1 && value === 1), `filtered ${name}: ${value}`);
      }
    }
    for (const [name, steps] of Object.entries(found.firstSteps)) {
      const failed = sub(name as SubScore) < 1;
      expect(steps[i]! < 55 && (steps[i]! >= -1 || name === 'comfort'), `${name}: ${steps[i]}`);
      if (!failed) expect(steps[i] === -1, `${name}: a step without a failure`);
    }
  }
  expect(found.rollouts?.every(Number.isFinite) ?? true, 'rollouts: finite');
  return bad;
}
