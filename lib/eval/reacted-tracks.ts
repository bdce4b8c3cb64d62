import type { ScenarioWindow, Track } from '../scenario/types.js';
import type { PdmScorer } from '../sim/pdm-scorer.js';

const kStateSize = 11;
const kStates = 41;
/** x, y, heading, vx, vy. */
const kColumns = 5;

/**
 * Tracks of a window as reactive traffic moved them in the `done` steps since its present. Vehicles that take no part in
 * it, or are not there at the present, are not there afterwards; all that is no vehicle does what was recorded.
 *
 * @param states of the ego up to then, [done + 1 or more, 11]. Traffic never looks ahead, so what it did up to a step is
 *   the same whatever the ego does later.
 */
export function reactedTracks(
  window: ScenarioWindow,
  scorer: PdmScorer,
  states: Float64Array,
  done: number,
): readonly Track[] {
  const { recording, t0 } = window;
  if (done === 0) return recording.tracks;
  const rollout = new Float64Array(kStates * kStateSize);
  for (let k = 0; k < kStates; ++k) {
    const from = Math.min(k, done) * kStateSize;
    rollout.set(states.subarray(from, from + kStateSize), k * kStateSize);
  }
  const reacted = new Map(
    scorer.reactiveTracks(rollout).map(({ token, states: of }) => [token, of]),
  );
  const tokens = new Map(
    scorer.scene.agents.map(({ token, type }) => [trackId(token), { token, type }]),
  );
  return recording.tracks.map((track) => {
    const agent = tokens.get(track.id);
    if (agent && agent.type !== 'vehicle') return track;
    const known = Math.min(track.x.length, t0 - track.start + 1);
    if (known <= 0) return { ...track, ...firstSteps(track, 0) };
    const of = agent && reacted.get(agent.token);
    if (!of) return { ...track, ...firstSteps(track, known) };
    // Traffic has fewer states of what leaves it.
    const steps = Math.min(done, of.length / kColumns - 1);
    const moved = { ...track, ...firstSteps(track, known, steps) };
    for (let k = 1; k <= steps; ++k) {
      const row = of.subarray(k * kColumns, (k + 1) * kColumns);
      [moved.x, moved.y, moved.heading, moved.vx, moved.vy].forEach((values, c) => {
        values[known - 1 + k] = row[c];
      });
    }
    return moved;
  });
}

/** Number of the track behind a token of the adapter: `veh007`. */
function trackId(token: string): number {
  return Number(token.replace(/^\D+/, ''));
}

/** The first `known` values of a track, with room for `more`. */
function firstSteps(track: Track, known: number, more = 0) {
  const cut = (values: Float64Array) => {
    const out = new Float64Array(known + more);
    out.set(values.subarray(0, known));
    return out;
  };
  return {
    x: cut(track.x),
    y: cut(track.y),
    heading: cut(track.heading),
    vx: cut(track.vx),
    vy: cut(track.vy),
  };
}
