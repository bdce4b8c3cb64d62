import { futureFromWindow, isValidAt } from '../scenario/observe.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { checkComfort } from '../sim/drive.js';
import { PdmScorer } from '../sim/pdm-scorer.js';
import type { PdmScores } from '../sim/pdm-scores.js';
import { kRearAxleToCenter } from '../sim/scene-ego.js';
import { type ClosedLoopDrive, kScoredSteps, kStateSize } from './closed-loop-drive.js';
import { type Box, boxesOverlap } from './geometry.js';
import { displacement, type Trajectory } from './metrics.js';
import { rearAxlePoses } from './rear-axle.js';
import { windowScene } from './window-scene.js';

/** Figures of 4 s that an open-loop plan has as well; rates and scores in [0, 1], metres. */
export interface ScoredFigures {
  /** NaN where traffic reacts: version 1 has no such traffic. */
  pdms: number;
  /** Version 2 with the human filter, without extended comfort. */
  epdms: number;
  /** Sub-scores of version 2, unfiltered. */
  noAtFaultCollisions: number;
  drivableAreaCompliance: number;
  egoProgress: number;
  timeToCollisionWithinBound: number;
  /** Mean distance to the recorded positions at 0.5 .. 4 s. */
  ade: number;
}

/** Figures of a whole drive; the first four are 0 or 1. */
export interface DriveFigures {
  /** A collision at fault by the rules of NC. */
  collisionAtFault: number;
  /** The box touches another that it did not touch at the beginning, whosever fault. */
  collision: number;
  /** A corner leaves the drivable area. */
  offRoad: number;
  /** A bound of version 2's comfort is broken. */
  discomfort: number;
  /** Distance to the recorded position at the end, metres. */
  finalDistance: number;
  /** Metres driven. */
  distance: number;
}

/** What a drive of a window got. */
export interface DriveVerdict {
  closed: ScoredFigures & DriveFigures;
  /** The first plan alone, as an open-loop planner is scored. */
  open: ScoredFigures;
  /** Comfort signals whose bound was broken. */
  discomforts: string[];
}

/** NAVSIM's ego. */
const kEgoSize = { length: 5.176, width: 2.297 };

/** Judges drives of one window: the first 4 s by the PDM score, all of it for collisions, road and comfort. */
export class DriveJudge {
  /** Metres that the recorded driver drove in `steps`. */
  readonly humanDistance: number;
  /** Version 2's scorer with traffic that reacts; null: it does what was recorded. */
  readonly reactive: PdmScorer | null;
  readonly #window: ScenarioWindow;
  readonly #recorded: Float64Array;
  readonly #v1: PdmScorer | null;
  readonly #v2: PdmScorer;

  /** @param steps of a drive. @throws as `sceneFromWindow` and {@link PdmScorer}. */
  constructor(window: ScenarioWindow, traffic: 'replay' | 'reactive', steps: number) {
    const scene = windowScene(window);
    this.#window = window;
    this.#recorded = futureFromWindow(window).poses;
    this.#v1 = traffic === 'replay' ? new PdmScorer(scene, { version: 'v1' }) : null;
    this.#v2 = new PdmScorer(scene, { traffic });
    this.reactive = traffic === 'reactive' ? this.#v2 : null;
    const { x, y, start } = window.recording.tracks[window.ego];
    const now = window.t0 - start;
    this.humanDistance = pathLength(x, y, now, now + steps);
  }

  verdict(drive: ClosedLoopDrive): DriveVerdict {
    const steps = drive.states.length / kStateSize - 1;
    const first = drive.states.subarray(0, (kScoredSteps + 1) * kStateSize);
    const v2 = this.#v2.scoreRolloutsSync(first);
    const tail = steps > kScoredSteps ? this.#tail(drive, steps) : v2;
    const { x, y } = drive.recording.tracks[this.#window.ego];
    const last = x.length - 1;
    const human = this.#window.recording.tracks[this.#window.ego];
    const comfort = checkComfort(drive.states, 'v2');
    const fails = (scores: PdmScores, name: 'noAtFaultCollisions' | 'drivableAreaCompliance') =>
      scores.subScores[name][0] < 1;
    const either = (name: Parameters<typeof fails>[1]) =>
      Number(fails(v2, name) || fails(tail, name));
    return {
      closed: {
        ...this.#scored(this.#v1?.scoreRolloutsSync(first), v2, this.#driven(drive)),
        collisionAtFault: either('noAtFaultCollisions'),
        collision: Number(this.#touches(drive, steps)),
        offRoad: either('drivableAreaCompliance'),
        discomfort: Number(!comfort.comfortable),
        finalDistance: Math.hypot(x[last] - human.x[last], y[last] - human.y[last]),
        distance: pathLength(x, y, last - steps, last),
      },
      open: this.#open(drive.firstPlan),
      discomforts: comfort.signals.filter(({ within }) => !within).map(({ name }) => name),
    };
  }

  close(): void {
    void this.#v1?.close();
    void this.#v2.close();
  }

  #open(plan: Trajectory): ScoredFigures {
    const poses = rearAxlePoses(plan);
    return this.#scored(this.#v1?.scoreSync(poses), this.#v2.scoreSync(poses), plan);
  }

  #scored(v1: PdmScores | undefined, v2: PdmScores, plan: Trajectory): ScoredFigures {
    const { subScores } = v2;
    return {
      pdms: v1 ? v1.scores[0] : Number.NaN,
      epdms: (v2.filtered ?? v2).scores[0],
      noAtFaultCollisions: subScores.noAtFaultCollisions[0],
      drivableAreaCompliance: subScores.drivableAreaCompliance[0],
      egoProgress: subScores.egoProgress[0],
      timeToCollisionWithinBound: subScores.timeToCollisionWithinBound[0],
      ade: displacement(plan, this.#recorded).ade,
    };
  }

  /** Where the box centre was at the waypoint times, in the ego's frame at the beginning: [8, 3]. */
  #driven({ recording }: ClosedLoopDrive): Float64Array {
    const window = { ...this.#window, recording, future: kScoredSteps };
    return futureFromWindow(window).poses;
  }

  /** The last 4 s of a longer drive, judged in a scene that begins where the ego then was. */
  #tail({ states, recording }: ClosedLoopDrive, steps: number): PdmScores {
    const from = steps - kScoredSteps;
    const window = { ...this.#window, recording, t0: this.#window.t0 + from };
    const rollout = states.slice(from * kStateSize);
    const [x, y, heading, vx, vy, ax, ay] = rollout;
    const scene = windowScene(window);
    const ego = { timeUs: scene.ego.timeUs, x, y, heading, vx, vy, ax, ay };
    const scorer = new PdmScorer({ ...scene, ego, egoPast: [], humanTrajectory: null });
    const scores = scorer.scoreRolloutsSync(rollout);
    void scorer.close();
    return scores;
  }

  #touches({ states, recording }: ClosedLoopDrive, steps: number): boolean {
    const { ego, t0 } = this.#window;
    const boxes = Array.from({ length: steps + 1 }, (_, k) => egoBox(states, k));
    return recording.tracks.some((track, i) => {
      if (i === ego) return false;
      const meets = (k: number) =>
        isValidAt(track, t0 + k) && boxesOverlap(boxes[k], boxOf(track, t0 + k));
      return !meets(0) && boxes.some((_, k) => meets(k));
    });
  }
}

function egoBox(states: Float64Array, k: number): Box {
  const [x, y, heading] = states.subarray(k * kStateSize);
  return {
    x: x + kRearAxleToCenter * Math.cos(heading),
    y: y + kRearAxleToCenter * Math.sin(heading),
    heading,
    ...kEgoSize,
  };
}

function boxOf(track: ScenarioWindow['recording']['tracks'][number], step: number): Box {
  const k = step - track.start;
  const { length, width } = track;
  return { x: track.x[k], y: track.y[k], heading: track.heading[k], length, width };
}

/** Metres along a path from index `from` to index `to`. */
function pathLength(x: Float64Array, y: Float64Array, from: number, to: number): number {
  let length = 0;
  for (let k = from + 1; k <= to; ++k) length += Math.hypot(x[k] - x[k - 1], y[k] - y[k - 1]);
  return length;
}
