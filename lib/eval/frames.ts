import { wrapAngle } from '../scenario/observe.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { egoSequences } from './select-windows.js';

/** The frame of the same ego before a window, among those evaluated. */
export interface FrameBefore {
  index: number;
  /** Seconds since then. */
  elapsedS: number;
  /** The ego's pose now in its frame of then. */
  motion: [number, number, number];
}

/** Seconds between two frames of which the second may begin with the plan of the first; that of extended comfort. */
const kMaxGap = 0.55;

/** The frame before each window; null where there is none at most 0.55 s earlier. */
export function framesBefore(windows: readonly ScenarioWindow[]): (FrameBefore | null)[] {
  const before: (FrameBefore | null)[] = windows.map(() => null);
  for (const sequence of egoSequences(windows)) {
    for (let k = 1; k < sequence.length; ++k) {
      const [from, to] = [sequence[k - 1] as number, sequence[k] as number];
      const elapsedS = (windows[to].t0 - windows[from].t0) * windows[to].recording.dt;
      if (elapsedS <= 0 || elapsedS > kMaxGap) continue;
      before[to] = { index: from, elapsedS, motion: motionBetween(windows[from], windows[to]) };
    }
  }
  return before;
}

function motionBetween(from: ScenarioWindow, to: ScenarioWindow): [number, number, number] {
  const track = from.recording.tracks[from.ego];
  const [a, b] = [from.t0 - track.start, to.t0 - track.start];
  const [cos, sin] = [Math.cos(track.heading[a]), Math.sin(track.heading[a])];
  const [dx, dy] = [track.x[b] - track.x[a], track.y[b] - track.y[a]];
  return [cos * dx + sin * dy, cos * dy - sin * dx, wrapAngle(track.heading[b] - track.heading[a])];
}
