import type { PdmScene, SceneAgent, SceneSample } from './scene.js';
import { kSceneInterval } from './scene-limits.js';

/** s up to which version 2 of the score looks at samples. */
const kLastMoment = 4;

/**
 * The scene with a second sample for objects that are seen once. By NAVSIM's rules such an object is there all the time
 * and stands still, so that a vehicle which leaves the view just after the present, or enters it at the end, blocks the
 * road like a parked one. The second sample is half a second after the first (where that is the present) or before it,
 * at its velocity: the object is there for that half second only. Objects of which version 2 sees one sample count too.
 */
export function withoutGhosts(scene: PdmScene): PdmScene {
  return { ...scene, agents: scene.agents.map(seenTwice) };
}

function seenTwice(agent: SceneAgent): SceneAgent {
  const [first] = agent.samples;
  if (agent.samples.length > 1 && first.t < kLastMoment) return agent;
  const samples =
    first.t === 0
      ? [first, moved(first, kSceneInterval)]
      : [moved(first, -kSceneInterval), ...agent.samples];
  return { ...agent, samples };
}

/** A sample `seconds` later at its velocity. */
function moved(sample: SceneSample, seconds: number): SceneSample {
  const { t, x, y, vx, vy } = sample;
  return { ...sample, t: t + seconds, x: x + vx * seconds, y: y + vy * seconds };
}
