import { setImmediate } from 'node:timers/promises';
import { WamFlowError } from '../errors.js';
import { kWaypoints, type ScenarioWindow } from '../scenario/types.js';
import { extendedComfort } from '../sim/drive.js';
import { PdmScorer, type PdmVersion } from '../sim/pdm-scorer.js';
import type { PdmScores } from '../sim/pdm-scores.js';
import type { Trajectory } from './metrics.js';
import { type PdmValues, pdmValues, setPdmValues } from './pdm-table.js';
import { centerPoses, posesFrom, rearAxlePoses } from './rear-axle.js';
import { egoSequences } from './select-windows.js';
import { windowScene } from './window-scene.js';

/** Plans of one planner: `[seed][window]`, poses [8, 3] of the box centre in the ego's present frame. */
export type PlanSet = readonly (readonly Trajectory[])[];

/** A window that could not be scored. */
export interface FailedWindow {
  window: string;
  code: string;
  message: string;
}

/** Result of {@link scorePlans}. */
export interface PdmPass {
  /** Of each plan set, in order. */
  values: PdmValues[];
  /** PDM-Closed re-scored as any planner; its version 1 and 2 may choose different proposals. */
  pdmClosed: PdmValues;
  /** Plan of the PDM-Closed of version 2 by window, as in {@link PlanSet}; null where the window could not be scored. */
  pdmClosedPlans: (Float64Array | null)[];
  /** Windows with a window of the same ego at most 0.55 s earlier: those that extended comfort is known of. */
  pairs: number;
  failed: FailedWindow[];
  /** Seconds that the pass took. */
  seconds: number;
}

/** Options of {@link scorePlans}. */
export interface PdmPassOptions {
  signal: AbortSignal | undefined;
  onWindow: () => void;
}

/** Seconds between a frame and the one that extended comfort compares it with; NAVSIM's rule. */
const kMaxGap = 0.55;
const kRolloutSize = 41 * 11;
/** PDM-Closed plans every 0.1 s; a waypoint is every fifth pose after the present. */
const kPosesPerWaypoint = 5;

/** Drives of one window in the order of the plans, PDM-Closed last. */
interface Drives {
  t0: number;
  rollouts: Float64Array;
}

/**
 * Scores all plans of all windows by both versions, in replayed traffic. A window's scenes are set up once and thrown
 * away after it.
 *
 * @throws what the scorer throws for bad plans. Rejects with the signal's reason when aborted.
 */
export async function scorePlans(
  windows: readonly ScenarioWindow[],
  sets: readonly PlanSet[],
  options: PdmPassOptions,
): Promise<PdmPass> {
  const pass: PdmPass = {
    values: sets.map(() => pdmValues(windows.length)),
    pdmClosed: pdmValues(windows.length),
    pdmClosedPlans: new Array<Float64Array | null>(windows.length).fill(null),
    pairs: 0,
    failed: [],
    seconds: 0,
  };
  const begin = performance.now();
  for (const sequence of egoSequences(windows)) {
    let before: Drives | null = null;
    for (const index of sequence) {
      await setImmediate();
      options.signal?.throwIfAborted();
      before = scoreWindow(windows[index], index, sets, pass, before);
      options.onWindow();
    }
  }
  pass.seconds = (performance.now() - begin) / 1000;
  return pass;
}

function scoreWindow(
  window: ScenarioWindow,
  index: number,
  sets: readonly PlanSet[],
  pass: PdmPass,
  before: Drives | null,
): Drives | null {
  const scorers = setUp(window, pass.failed);
  if (!scorers) return null;
  const plans = sets.flatMap((set) => set.map((ofSeed) => rearAxlePoses(ofSeed[index])));
  const { scores: v1 } = scoreWithClosed(scorers.v1, plans);
  const { scores: v2, closed } = scoreWithClosed(scorers.v2, plans);
  pass.pdmClosedPlans[index] = centerPoses(closed);

  const rollouts = v2.rollouts!;
  const gap = before ? (window.t0 - before.t0) * window.recording.dt : Number.POSITIVE_INFINITY;
  const comfort =
    before && gap > 0 && gap <= kMaxGap ? compare(rollouts, before.rollouts, gap) : null;
  if (comfort) ++pass.pairs;
  let row = 0;
  for (const [k, set] of sets.entries()) {
    const rows = set.map(() => row++);
    setPdmValues(pass.values[k], index, { v1, v2, rows, extendedComfort: comfort });
  }
  setPdmValues(pass.pdmClosed, index, { v1, v2, rows: [row], extendedComfort: comfort });
  return { t0: window.t0, rollouts };
}

function setUp(
  window: ScenarioWindow,
  failed: FailedWindow[],
): Record<PdmVersion, PdmScorer> | null {
  try {
    const scene = windowScene(window);
    return { v1: new PdmScorer(scene, { version: 'v1' }), v2: new PdmScorer(scene) };
  } catch (error) {
    if (!(error instanceof WamFlowError)) throw error;
    failed.push({ window: window.id, code: error.code, message: error.message });
    return null;
  }
}

/** Scores plans and, as the last of them, the scorer's own PDM-Closed. */
function scoreWithClosed(
  scorer: PdmScorer,
  plans: readonly Float64Array[],
): { scores: PdmScores; closed: Float64Array } {
  const closed = pdmClosedPlan(scorer);
  const scores = scorer.scoreSync([...plans, closed], { rollouts: scorer.version === 'v2' });
  void scorer.close();
  return { scores, closed };
}

/** What PDM-Closed would hand in: rear-axle poses [8, 3] in the ego's rear-axle frame. */
export function pdmClosedPlan({ reference, scene }: PdmScorer): Float64Array {
  return posesFrom(scene.ego, everyWaypoint(reference.pdmClosed.poses));
}

function everyWaypoint(poses: Float64Array): Float64Array {
  const out = new Float64Array(3 * kWaypoints);
  for (let i = 0; i < kWaypoints; ++i) {
    const k = 3 * kPosesPerWaypoint * (i + 1);
    out.set(poses.subarray(k, k + 3), 3 * i);
  }
  return out;
}

/** Extended comfort of each drive with the same planner's drive before it. */
function compare(now: Float64Array, before: Float64Array, gap: number): number[] {
  return Array.from({ length: now.length / kRolloutSize }, (_, k) => {
    const of = (all: Float64Array) => all.subarray(k * kRolloutSize, (k + 1) * kRolloutSize);
    return extendedComfort(of(now), of(before), gap).comfortable ? 1 : 0;
  });
}
