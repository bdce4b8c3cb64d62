import type { ScenarioWindow } from '../scenario/types.js';

/** What the recorded driver did in the next 4 s. */
export type Manoeuvre =
  | 'left turn'
  | 'right turn'
  | 'lane change'
  | 'starting'
  | 'stopping'
  | 'lane keeping';

const kSlow = 1; // m/s
const kSeconds = 4;

/** The first that fits, in the order of {@link Manoeuvre}; turns are those of the command (more than 25 degrees). */
export function manoeuvreOf(window: ScenarioWindow): Manoeuvre {
  if (window.command === 'left') return 'left turn';
  if (window.command === 'right') return 'right turn';
  if (window.laneChange) return 'lane change';
  const { recording, ego, t0 } = window;
  const track = recording.tracks[ego];
  const now = t0 - track.start;
  const later = Math.min(now + Math.round(kSeconds / recording.dt), track.x.length - 1);
  const speedAt = (k: number) => Math.hypot(track.vx[k], track.vy[k]);
  const [before, after] = [speedAt(now), speedAt(later)];
  if (before < kSlow && after >= 2 * kSlow) return 'starting';
  if (after < kSlow && before >= 2 * kSlow) return 'stopping';
  return 'lane keeping';
}
