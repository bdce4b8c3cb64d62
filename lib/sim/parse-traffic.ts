import { type Fields, kMaxCoordinate } from '../scenario/fields.js';
import type {
  SceneAgent,
  SceneAgentType,
  SceneEgo,
  SceneLane,
  SceneLights,
  SceneSample,
} from './scene.js';
import {
  kMaxAcceleration,
  kMaxAgents,
  kMaxBoxSize,
  kMaxHeading,
  kMaxLanes,
  kMaxSpeed,
  kMinBoxSize,
  kPastStates,
  kSceneInterval,
  kSceneMoments,
} from './scene-limits.js';

/** Kinds of objects by their name in files; true for those that never move. */
const kTypes: ReadonlyMap<unknown, boolean> = new Map<SceneAgentType, boolean>([
  ['vehicle', false],
  ['pedestrian', false],
  ['bicycle', false],
  ['traffic_cone', true],
  ['barrier', true],
  ['czone_sign', true],
  ['generic_object', true],
]);

// Recorded frames are not exactly 0.5 s apart.
const kMaxPastJitterUs = 250_000;

/** The ego at the present. */
export function parseEgo(ego: Fields): SceneEgo {
  return parseEgoState(ego, 0);
}

function parseEgoState(ego: Fields, earliestUs: number): SceneEgo {
  return {
    timeUs: ego.integer('time_us', earliestUs, Number.MAX_SAFE_INTEGER),
    x: ego.number('x', -kMaxCoordinate, kMaxCoordinate),
    y: ego.number('y', -kMaxCoordinate, kMaxCoordinate),
    heading: ego.number('heading', -kMaxHeading, kMaxHeading),
    vx: ego.number('vx', -kMaxSpeed, kMaxSpeed),
    vy: ego.number('vy', -kMaxSpeed, kMaxSpeed),
    ax: ego.number('ax', -kMaxAcceleration, kMaxAcceleration),
    ay: ego.number('ay', -kMaxAcceleration, kMaxAcceleration),
  };
}

/** Nothing, or the states at -1.5, -1, -0.5 and 0 s. */
export function parsePast(scene: Fields, now: SceneEgo): SceneEgo[] {
  const values = scene.optionalList('ego_past', kPastStates);
  if (values.length !== 0 && values.length !== kPastStates)
    throw scene.fail('ego_past', `an array of 0 or ${kPastStates} items`);
  return values.map((value, i) => {
    const fields = scene.at('ego_past', i, value);
    // A clock that starts at the present was negative before.
    const state = parseEgoState(fields, -Number.MAX_SAFE_INTEGER);
    const at = now.timeUs - (kPastStates - 1 - i) * kSceneInterval * 1e6;
    if (Math.abs(state.timeUs - at) > kMaxPastJitterUs) {
      throw fields.fail('time_us', `about ${at}, ${(now.timeUs - at) / 1e6} s before the present`);
    }
    return state;
  });
}

/** The objects of a scene; yields between them. Throws ERR_SCENARIO. */
export function* parseAgents(scene: Fields): Generator<void, SceneAgent[]> {
  const agents: SceneAgent[] = [];
  const tokens = new Set<string>();
  for (const [i, value] of scene.list('agents', 0, kMaxAgents).entries()) {
    const fields = scene.at('agents', i, value);
    const agent = parseAgent(fields);
    if (tokens.has(agent.token))
      throw fields.fail('token', 'a token that no agent before it has', agent.token);
    tokens.add(agent.token);
    agents.push(agent);
    yield;
  }
  return agents;
}

/** Lights of lane connectors at 0, 0.5 .. s. Throws ERR_SCENARIO. */
export function parseLights(scene: Fields, lanes: readonly SceneLane[]): SceneLights[] {
  const values = scene.optionalList('traffic_lights', kSceneMoments);
  if (values.length === 0) return [];
  // A light shows on a lane connector of this map, or it shows on nothing.
  const connectors = new Set(lanes.filter((lane) => lane.isConnector).map((lane) => lane.id));
  const lights = values.map((value, i) => {
    const fields = scene.at('traffic_lights', i, value);
    const red = lightIds(fields, 'red').filter((id) => connectors.has(id));
    const closed = new Set(red);
    const green = lightIds(fields, 'green').filter((id) => connectors.has(id) && !closed.has(id));
    return { t: parseMoment(fields), red, green };
  });
  lights.sort((a, b) => a.t - b.t);
  for (const [i, { t }] of lights.entries()) {
    if (t !== i * kSceneInterval) {
      const expected = `one item for every ${kSceneInterval} s from 0 s on, each once`;
      throw scene.fail('traffic_lights', expected, `times ${lights.map((at) => at.t).join(', ')}`);
    }
  }
  return lights;
}

function parseAgent(agent: Fields): SceneAgent {
  const type = agent.get('type');
  const isStatic = kTypes.get(type);
  if (isStatic === undefined) throw agent.fail('type', `one of ${[...kTypes.keys()].join(', ')}`);
  const samples = agent
    .list('samples', 1, kSceneMoments)
    .map((value, i) => parseSample(agent.at('samples', i, value), isStatic));
  // The order of a list of timed samples says nothing.
  samples.sort((a, b) => a.t - b.t);
  for (const [i, { t }] of samples.entries()) {
    if (i > 0 && samples[i - 1].t === t)
      throw agent.fail('samples', 'one sample a moment', `two at ${t} s`);
  }
  return {
    token: agent.name('token'),
    type: type as SceneAgentType,
    length: agent.number('length', kMinBoxSize, kMaxBoxSize),
    width: agent.number('width', kMinBoxSize, kMaxBoxSize),
    samples,
  };
}

function parseSample(sample: Fields, isStatic: boolean): SceneSample {
  const velocity = (name: string) =>
    isStatic && !sample.has(name) ? 0 : sample.number(name, -kMaxSpeed, kMaxSpeed);
  return {
    t: parseMoment(sample),
    x: sample.number('x', -kMaxCoordinate, kMaxCoordinate),
    y: sample.number('y', -kMaxCoordinate, kMaxCoordinate),
    heading: sample.number('heading', -kMaxHeading, kMaxHeading),
    vx: velocity('vx'),
    vy: velocity('vy'),
  };
}

/** Seconds from the present, on the 0.5 s grid. */
function parseMoment(fields: Fields): number {
  const last = (kSceneMoments - 1) * kSceneInterval;
  const t = fields.get('t');
  const step = typeof t === 'number' ? Math.round(t / kSceneInterval) : Number.NaN;
  if (
    !(step >= 0 && step < kSceneMoments) ||
    Math.abs((t as number) - step * kSceneInterval) > 1e-6
  )
    throw fields.fail('t', `seconds from 0 to ${last} in steps of ${kSceneInterval}`);
  return step * kSceneInterval;
}

function lightIds(fields: Fields, name: string): string[] {
  const ids = fields.optionalList(name, kMaxLanes).map((id, i) => {
    if (typeof id !== 'string')
      throw fields.fail(`${name}[${i}]`, 'the id of a lane connector', id);
    return id;
  });
  return [...new Set(ids)];
}
