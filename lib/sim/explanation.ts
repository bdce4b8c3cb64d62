import { kComfortSignals } from './comfort-signals.js';
import type { PdmVersion } from './pdm-scorer.js';
import type { PdmScene, SceneAgentType } from './scene.js';
import {
  type Finding,
  findingOf,
  kColumn,
  type kFindings,
  kSubScores,
  type SubScore,
  stepsOf,
} from './score-rows.js';

/** Corners of the ego box, by native code. */
const kCorners = ['front-left', 'rear-left', 'rear-right', 'front-right'] as const;
/** Kinds of collisions, by native code. */
const kCollisions = ['none', 'stopped-ego', 'stopped-track', 'rear', 'front', 'lateral'] as const;

/** States before the rollout that version 2 checks comfort with; the one at -0.1 s is missing. */
const kHistory = 14;

/** Why one sub-score of a trajectory is below 1. Fields that do not apply are null. */
export interface Explanation {
  metric: SubScore;
  /** The sub-score. */
  score: number;
  /** The human filter sets it to 1: the recorded driver fails it too. */
  forgiven: boolean;
  /** First step at fault (0.1 s), and its time in seconds from the present. Comfort may fail before step 0. */
  step: number | null;
  timeS: number | null;
  /** What is hit or about to be hit. */
  object: { token: string; type: SceneAgentType } | null;
  /** Kind of a collision. */
  collision: 'front' | 'lateral' | 'stopped-track' | null;
  /** Seconds that the ego was projected ahead (time to collision). */
  lookAheadS: number | null;
  /** Id of the red lane connector. */
  laneId: string | null;
  /** First corner off the drivable area. */
  corner: (typeof kCorners)[number] | null;
  /** Comfort: name of the signal. */
  signal: string | null;
  /** What was measured and the bound that it breaks, in `unit`. */
  value: number | null;
  bound: number | null;
  unit: string | null;
  /** One sentence for people. */
  text: string;
}

type Details = Partial<Omit<Explanation, 'metric' | 'score' | 'forgiven' | 'step' | 'timeS'>> & {
  text: string;
};

/** Explains rows of results of one scene. */
export class Explainer {
  readonly #scene: PdmScene;
  readonly #version: PdmVersion;

  constructor(scene: PdmScene, version: PdmVersion) {
    this.#scene = scene;
    this.#version = version;
  }

  /** An entry for each sub-score below 1, in the order of {@link kSubScores}. */
  explain(row: Float64Array): Explanation[] {
    const filters = this.#version === 'v2' && this.#scene.humanTrajectory !== null;
    return kSubScores.flatMap((metric, k): Explanation[] => {
      const score = row[kColumn.subScores + k]!;
      if (!(score < 1)) return [];
      const forgiven = filters && row[kColumn.filteredSubScores + k] === 1;
      if (metric === 'egoProgress') {
        return [{ ...kNothing, metric, score, forgiven, ...progress(row, score, this.#version) }];
      }
      const finding = findingOf(row, metric);
      const at = this.#moment(metric, finding);
      return [
        {
          ...kNothing,
          metric,
          score,
          forgiven,
          ...at,
          ...this.#details(metric, finding, at.timeS, row),
        },
      ];
    });
  }

  #moment(metric: (typeof kFindings)[number], { step }: Finding): { step: number; timeS: number } {
    const hasHistory = metric === 'comfort' && this.#version === 'v2';
    if (!hasHistory) return { step, timeS: step / 10 };
    const own = step - kHistory;
    return { step: own, timeS: own < 0 ? (own - 1) / 10 : own / 10 };
  }

  #details(
    metric: (typeof kFindings)[number],
    finding: Finding,
    timeS: number,
    row: Float64Array,
  ): Details {
    const when = `at ${timeS.toFixed(1)} s`;
    const { step, detail, value } = finding;
    switch (metric) {
      case 'noAtFaultCollisions':
        return this.#collision(finding, when, row);
      case 'timeToCollisionWithinBound':
        return this.#timeToCollision(finding, when, row);
      case 'drivableAreaCompliance': {
        const corner = kCorners[detail] ?? null;
        const text = `drivable area: ${when} the ${corner} corner of the ego box is off the drivable area`;
        return { corner, text };
      }
      case 'trafficLightCompliance': {
        const laneId = this.#scene.map.lanes[detail]?.id ?? null;
        const text = `traffic light: ${when} the ego box is on lane connector ${laneId} while its light is red`;
        return { laneId, text };
      }
      case 'drivingDirectionCompliance': {
        const bound = value < 6 ? 2 : 6;
        const uncounted = this.#version === 'v1' ? '; version 1 does not count it' : '';
        const text =
          `driving direction: in the second up to ${(step / 10).toFixed(1)} s the ego centre moves ` +
          `${value.toFixed(2)} m off the lanes of the route (half marks from 2 m, none from 6 m)${uncounted}`;
        return { value, bound, unit: 'm', text };
      }
      case 'laneKeeping': {
        const text =
          `lane keeping: ${when} the ego centre has been more than 0.5 m from the centreline for 2 s ` +
          `outside intersections, at most ${value.toFixed(2)} m`;
        return { value, bound: 0.5, unit: 'm', text };
      }
      case 'comfort': {
        const { name, lower, upper, unit } = kComfortSignals[detail]!;
        const bound = value >= upper ? upper : lower;
        const text = `comfort: ${when} ${name} is ${value.toFixed(2)} ${unit} (bound ${bound})`;
        return { signal: name, value, bound, unit, text };
      }
    }
  }

  #object(index: number): { token: string; type: SceneAgentType } {
    const { token, type } = this.#scene.agents[index]!;
    return { token, type };
  }

  #collision({ step, object: index, detail }: Finding, when: string, row: Float64Array): Details {
    const object = this.#object(index);
    const collision = kCollisions[detail] as Explanation['collision'];
    const name = `${wordsOf(object.type)} ${object.token}`;
    const how = {
      front: `the front of the ego meets ${name}`,
      lateral: `the side of the ego meets ${name} while the ego is ${placeOf(row, step)}`,
      'stopped-track': `the ego box meets ${name}, which stands still`,
    }[collision ?? 'front'];
    return { object, collision, text: `collision: ${when} ${how}` };
  }

  #timeToCollision(
    { step, object: index, detail, value }: Finding,
    when: string,
    row: Float64Array,
  ): Details {
    const object = this.#object(index);
    const degrees = (value * 180) / Math.PI;
    const lookAheadS = detail / 10;
    const name = `${wordsOf(object.type)} ${object.token}`;
    const ahead = degrees < 30;
    const why = ahead
      ? 'bound 30'
      : `bound 150, as the ego is ${placeOf(row, step) ?? 'in an intersection'}`;
    const text =
      `time to collision: ${when}, projected ${lookAheadS.toFixed(1)} s ahead, the ego box meets ${name}, ` +
      `${degrees.toFixed(0)} degrees off its heading (${why})`;
    return { object, lookAheadS, value: degrees, bound: ahead ? 30 : 150, unit: 'degrees', text };
  }
}

const kNothing = {
  step: null,
  timeS: null,
  object: null,
  collision: null,
  lookAheadS: null,
  laneId: null,
  corner: null,
  signal: null,
  value: null,
  bound: null,
  unit: null,
} as const;

/** Which rule makes a contact from the side count; null when it is neither of these. */
function placeOf(row: Float64Array, step: number): string | null {
  if (stepsOf(row[kColumn.nonDrivable]!).includes(step)) return 'off the drivable area';
  if (stepsOf(row[kColumn.multipleLanes]!).includes(step)) return 'in several lanes';
  return null;
}

function progress(row: Float64Array, score: number, version: PdmVersion): Details {
  const own = row[kColumn.progress]!;
  const reference = row[kColumn.referenceProgress]!;
  const made = `${own.toFixed(1)} m along the route against ${reference.toFixed(1)} m of PDM-Closed`;
  const failed = version === 'v1' && row[kColumn.multiplier]! < 1;
  const why = failed ? '; version 1 counts it by the product of the multipliers' : '';
  const text = `ego progress: ${made} (${score.toFixed(2)})${why}`;
  return { value: own, bound: reference, unit: 'm', text };
}

function wordsOf(type: SceneAgentType): string {
  return type.replaceAll('_', ' ');
}
