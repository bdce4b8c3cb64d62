import type { SubScore } from '../../../sim/score-rows.js';
import type { ScoreCase } from '../../score-case.js';

/** A column of the table. */
export interface Metric {
  key: SubScore;
  short: string;
  name: string;
}

const kMetrics: readonly Metric[] = [
  { key: 'noAtFaultCollisions', short: 'NC', name: 'No at-fault collisions' },
  { key: 'drivableAreaCompliance', short: 'DAC', name: 'Drivable area compliance' },
  { key: 'drivingDirectionCompliance', short: 'DDC', name: 'Driving direction compliance' },
  { key: 'trafficLightCompliance', short: 'TLC', name: 'Traffic light compliance' },
  { key: 'egoProgress', short: 'EP', name: 'Ego progress' },
  { key: 'timeToCollisionWithinBound', short: 'TTC', name: 'Time to collision within bound' },
  { key: 'laneKeeping', short: 'LK', name: 'Lane keeping' },
  { key: 'comfort', short: 'HC', name: 'History comfort' },
];

/** Sub-scores that a version has, in the order in which they are printed. */
export function metricsOf(version: ScoreCase['version']): readonly Metric[] {
  if (version === 'v2') return kMetrics;
  return kMetrics
    .filter(({ key }) => key !== 'trafficLightCompliance' && key !== 'laneKeeping')
    .map((metric) => {
      if (metric.key === 'comfort') return { ...metric, short: 'C', name: 'Comfort' };
      if (metric.key !== 'drivingDirectionCompliance') return metric;
      return { ...metric, name: `${metric.name} (does not count in version 1)` };
    });
}

/** Abbreviation of a sub-score. */
export function shortOf(version: ScoreCase['version'], key: SubScore): string {
  return metricsOf(version).find((metric) => metric.key === key)?.short ?? '';
}
