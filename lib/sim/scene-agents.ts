import { isValidAt } from '../scenario/observe.js';
import { trackKind } from '../scenario/track-kind.js';
import type { Recording, Track } from '../scenario/types.js';
import type { SceneAgent, SceneAgentType, SceneSample } from './scene.js';
import { kRearAxleToCenter } from './scene-ego.js';
import { kSceneInterval, kSceneMoments } from './scene-limits.js';

const kTokens: Readonly<Record<SceneAgentType, string>> = {
  vehicle: 'veh',
  pedestrian: 'ped',
  bicycle: 'bic',
  traffic_cone: 'cone',
  barrier: 'bar',
  czone_sign: 'sign',
  generic_object: 'obj',
};

/**
 * Objects of a scene: every track but the ego's that comes within `radius` metres of the ego's rear axle between
 * 0 and 5 s.
 * Where the recording ends before 5 s, objects that are seen at its last step go on at their velocity.
 */
export function sceneAgents(
  recording: Recording,
  ego: number,
  t0: number,
  radius: number,
): SceneAgent[] {
  const near = sceneSamples(recording, recording.tracks[ego], t0).map((sample) => ({
    ...sample,
    x: sample.x - kRearAxleToCenter * Math.cos(sample.heading),
    y: sample.y - kRearAxleToCenter * Math.sin(sample.heading),
  }));
  const agents: SceneAgent[] = [];
  for (const track of recording.tracks) {
    if (track.id === ego) continue;
    const samples = sceneSamples(recording, track, t0);
    if (!samples.some((sample) => isNear(sample, near, radius))) continue;
    const type = trackKind(track.type);
    const token = `${kTokens[type]}${String(track.id).padStart(3, '0')}`;
    agents.push({ token, type, length: track.length, width: track.width, samples });
  }
  return agents;
}

/** A track at 0, 0.5 .. 5 s, where it is seen. */
export function sceneSamples(recording: Recording, track: Track, t0: number): SceneSample[] {
  const samples: SceneSample[] = [];
  const stride = Math.round(kSceneInterval / recording.dt);
  for (let moment = 0; moment < kSceneMoments; ++moment) {
    const step = t0 + moment * stride;
    // Nothing is recorded after the last step: what is seen then goes on.
    const seen = Math.min(step, recording.steps - 1);
    if (!isValidAt(track, seen)) continue;
    const k = seen - track.start;
    const [vx, vy] = [track.vx[k], track.vy[k]];
    const later = (step - seen) * recording.dt;
    samples.push({
      t: moment * kSceneInterval,
      x: track.x[k] + vx * later,
      y: track.y[k] + vy * later,
      heading: track.heading[k],
      vx,
      vy,
    });
  }
  return samples;
}

/** Whether an object is within `radius` of the ego at a moment at which both are seen, or after the ego is last seen. */
function isNear(sample: SceneSample, ego: readonly SceneSample[], radius: number): boolean {
  const at = ego.find(({ t }) => t === sample.t) ?? ego[ego.length - 1];
  return Math.hypot(sample.x - at.x, sample.y - at.y) <= radius;
}
