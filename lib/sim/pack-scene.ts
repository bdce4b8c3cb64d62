import { argumentError } from '../errors.js';
import type { NativeScene } from '../native.js';
import { kTrackKinds } from '../scenario/track-kind.js';
import type { PackedSceneMap } from './pack-scene-map.js';
import type { PdmScene, SceneAgentType, SceneEgo } from './scene.js';

/** Kinds of objects, by their native code. */
export const kObjectTypes: readonly SceneAgentType[] = kTrackKinds;

/** Numbers of a state of the ego: what a log knows, then steering and yaw rates. */
const kStateSize = 11;
const kSampleSize = 6;

/** Throws WamFlowError `ERR_ARGUMENT` naming the field; what the numbers mean is checked by native code. */
export function packScene(scene: PdmScene, { blockIndex, laneIndex }: PackedSceneMap): NativeScene {
  const { routeRoadblockIds, ego, egoPast, humanTrajectory, agents, trafficLights } = scene;
  for (const [name, value] of Object.entries({
    routeRoadblockIds,
    egoPast,
    agents,
    trafficLights,
  })) {
    if (!Array.isArray(value)) throw argumentError(`scene.${name}`, 'an array', value);
  }
  const route = Int32Array.from(routeRoadblockIds, (id, i) => {
    const block = blockIndex.get(id);
    if (block === undefined) {
      throw argumentError(`scene.routeRoadblockIds[${i}]`, 'the id of a roadblock of the map', id);
    }
    return block;
  });
  const past = new Float64Array(egoPast.length * kStateSize);
  egoPast.forEach((state, i) => {
    past.set(packEgo(state, `scene.egoPast[${i}]`), i * kStateSize);
  });
  return {
    route,
    ego: packEgo(ego, 'scene.ego'),
    timeUs: numberOf(ego.timeUs, 'scene.ego.timeUs'),
    past,
    human: Float64Array.from((humanTrajectory ?? []).flat()),
    ...packAgents(agents),
    ...packLights(trafficLights, laneIndex),
  };
}

function packEgo(ego: SceneEgo, path: string): Float64Array {
  if (typeof ego !== 'object' || ego === null) throw argumentError(path, 'a state', ego);
  const state = new Float64Array(kStateSize);
  (['x', 'y', 'heading', 'vx', 'vy', 'ax', 'ay'] as const).forEach((name, k) => {
    state[k] = numberOf(ego[name], `${path}.${name}`);
  });
  return state;
}

function packAgents(agents: PdmScene['agents']) {
  const count = agents.reduce((sum, { samples }) => sum + samples.length, 0);
  const objectTypes = new Int32Array(agents.length);
  const boxes = new Float64Array(agents.length * 2);
  const samples = new Float64Array(count * kSampleSize);
  const sampleStarts = new Int32Array(agents.length + 1);
  let at = 0;
  // By index: scenes may have ten thousand objects of eleven samples.
  for (let i = 0; i < agents.length; i++) {
    const agent = agents[i]!;
    const type = kObjectTypes.indexOf(agent.type);
    if (type < 0) {
      throw argumentError(`scene.agents[${i}].type`, kObjectTypes.join(', '), agent.type);
    }
    objectTypes[i] = type;
    boxes[2 * i] = agent.length;
    boxes[2 * i + 1] = agent.width;
    for (const { t, x, y, heading, vx, vy } of agent.samples) {
      samples[at] = Math.round(t * 1e6);
      samples[at + 1] = x;
      samples[at + 2] = y;
      samples[at + 3] = heading;
      samples[at + 4] = vx;
      samples[at + 5] = vy;
      at += kSampleSize;
    }
    sampleStarts[i + 1] = at / kSampleSize;
  }
  return { objectTypes, boxes, samples, sampleStarts };
}

/** A light shows on a lane of the map, or it shows on nothing. */
function packLights(
  lights: PdmScene['trafficLights'],
  laneIndex: ReadonlyMap<string, number>,
): Pick<NativeScene, 'lightTimes' | 'redLanes' | 'redLaneStarts'> {
  const redLanes: number[] = [];
  const starts = [0];
  for (const { red } of lights) {
    for (const id of red) {
      const lane = laneIndex.get(id);
      if (lane !== undefined) redLanes.push(lane);
    }
    starts.push(redLanes.length);
  }
  return {
    lightTimes: Float64Array.from(lights, ({ t }) => Math.round(t * 1e6)),
    redLanes: Int32Array.from(redLanes),
    redLaneStarts: Int32Array.from(starts),
  };
}

function numberOf(value: unknown, path: string): number {
  if (typeof value !== 'number') throw argumentError(path, 'a number', value);
  return value;
}
