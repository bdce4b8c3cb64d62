import { kWaypointInterval, kWaypoints, type ScenarioWindow } from '../scenario/types.js';
import { PdmScorer } from '../sim/pdm-scorer.js';
import type { PdmScene } from '../sim/scene.js';
import { sceneAgents } from '../sim/scene-agents.js';
import { sceneLights } from '../sim/scene-lights.js';
import { mapPartOf } from '../sim/scene-map.js';
import { sceneRoute } from '../sim/scene-route.js';
import { baselines } from './baselines.js';
import type { Moment, Policy } from './closed-loop-drive.js';
import { pdmClosedPlan } from './pdm-pass.js';
import { centerPoses, posesFrom } from './rear-axle.js';
import { roadBeyond } from './window-scene.js';

/** Metres around the ego in which PDM-Closed sees objects. */
const kAgentRadius = 70;

/**
 * The recorded driver: where it was at the next 4 s, seen from where the ego is now. What the bicycle model makes of it
 * is the best that an exact planner can do. After its last step the recorded vehicle goes on at its last velocity.
 */
export function humanPolicy(window: ScenarioWindow): Policy {
  const { recording, ego } = window;
  const track = recording.tracks[ego];
  const stride = Math.round(kWaypointInterval / recording.dt);
  return ({ window: { t0 }, observation }) => {
    const poses = new Float64Array(3 * kWaypoints);
    for (let i = 0; i < kWaypoints; ++i) {
      const k = t0 - track.start + (i + 1) * stride;
      const seen = Math.min(k, track.x.length - 1);
      const later = (k - seen) * recording.dt;
      const x = track.x[seen] + track.vx[seen] * later;
      const y = track.y[seen] + track.vy[seen] * later;
      poses.set([x, y, track.heading[seen]], 3 * i);
    }
    return posesFrom(observation.ego.history[observation.ego.history.length - 1], poses);
  };
}

/** Speed and heading of the moment. */
export const constantVelocityPolicy: Policy = ({ window }) =>
  baselines.find(({ name }) => name === 'constant velocity')!.plan(window);

/** PDM-Closed of version 2 on the scene of the moment: it knows the present of the others, and nothing of their future. */
export const pdmClosedPolicy: Policy = (moment) => {
  const scorer = new PdmScorer(sceneOf(moment));
  try {
    return centerPoses(pdmClosedPlan(scorer));
  } finally {
    void scorer.close();
  }
};

/** What there is at the moment, the ego as it drove. */
export function sceneOf({ window, observation, state }: Moment): PdmScene {
  const { recording, ego, t0, route } = window;
  const part = mapPartOf(roadBeyond(recording.map));
  const [x, y, heading, vx, vy, ax, ay] = state;
  const center = observation.ego.history[observation.ego.history.length - 1];
  return {
    id: `${window.id} at step ${t0}`,
    map: part.map,
    routeRoadblockIds: sceneRoute(part, route, center),
    ego: { timeUs: Math.round(t0 * recording.dt * 1e6), x, y, heading, vx, vy, ax, ay },
    egoPast: [],
    humanTrajectory: null,
    agents: sceneAgents(recording, ego, t0, kAgentRadius).flatMap(({ samples, ...agent }) =>
      samples[0].t === 0 ? [{ ...agent, samples: samples.slice(0, 1) }] : [],
    ),
    trafficLights: sceneLights(recording, t0, part).slice(0, 1),
  };
}
