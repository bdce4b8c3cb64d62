import { argumentError, WamFlowError } from './errors.js';
import { kCommandCode, kLightCode, type NativeMap } from './native.js';
import type { AgentObservation, LightColor, MotionState, Observation } from './observation.js';
import { badNumber, kMaxPosition, laneIndex, packMap } from './pack-map.js';

/** Agents of one observation at most; the model itself sees the nearest few. */
export const kMaxAgents = 100_000;
/** States of one observation at most, all histories together. */
export const kMaxStates = 1_000_000;

const kMaxSpeed = 1000; // m/s
const kMaxHeading = 1e6; // rad
const kMaxSize = 1000; // metres
const kMaxAge = 86_400; // seconds
/** How far from 0 the last time of a history may lie: differences of clock readings are not exact. */
const kPresentTolerance = 1e-6;
const kStateNumbers = 6;

/**
 * Observations as the arrays that the engine takes, see native/scene/observation.h. The arrays are reused from call to
 * call and only grow.
 */
export class ObservationPacker {
  /** One an observation. */
  readonly maps: NativeMap[] = [];
  /** [observations, 3]: numbers of meta, values and lanes that belong to each. */
  sizes = new Int32Array(3);
  meta = new Int32Array(256);
  values = new Float64Array(8192);
  lanes = new Int32Array(256);
  #meta = 0;
  #values = 0;
  #lanes = 0;

  /** Forgets what was packed. */
  clear(): void {
    this.maps.length = 0;
    this.#meta = this.#values = this.#lanes = 0;
  }

  /**
   * Checks an observation and appends it.
   *
   * @param path what error messages call it.
   * @throws WamFlowError `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_RANGE` naming the field.
   */
  add(observation: Observation, path: string): void {
    if (typeof observation !== 'object' || observation === null) {
      throw argumentError(path, 'an observation', observation);
    }
    const { ego, command, agents, route, lights } = observation;
    if (typeof ego !== 'object' || ego === null) {
      throw argumentError(`${path}.ego`, 'the ego vehicle', ego);
    }
    if (!Array.isArray(agents)) throw argumentError(`${path}.agents`, 'an array of agents', agents);
    if (agents.length > kMaxAgents) {
      throw argumentError(`${path}.agents`, `at most ${kMaxAgents} agents`, agents, 'ERR_RANGE');
    }
    if (typeof command !== 'string' || !Object.hasOwn(kCommandCode, command)) {
      throw argumentError(`${path}.command`, "'left', 'straight', 'right' or 'unknown'", command);
    }
    if (!Array.isArray(route)) throw argumentError(`${path}.route`, 'an array of lane ids', route);
    const map = packMap(observation.map, `${path}.map`);

    const n = this.maps.length;
    const metaStart = this.#meta;
    const valuesStart = this.#values;
    const lanesStart = this.#lanes;
    this.meta = grown(this.meta, this.#meta + 5 + agents.length);
    this.sizes = grown(this.sizes, 3 * (n + 1));
    const head = this.#meta;
    this.#meta += 5 + agents.length;

    const center = ego.centerOffset ?? 0;
    if (typeof center !== 'number' || !(Math.abs(center) <= kMaxSize)) {
      throw badNumber(`${path}.ego.centerOffset`, center, kMaxSize, 'metres');
    }
    this.values = grown(this.values, this.#values + 1);
    this.values[this.#values++] = center;
    const states = valuesStart + kMaxStates * kStateNumbers;
    const egoStates = this.#agent(ego, states, path, 'ego', -1);
    for (let i = 0; i < agents.length; i++) {
      this.meta[head + 5 + i] = this.#agent(agents[i], states, path, 'agents', i);
    }

    this.lanes = grown(this.lanes, this.#lanes + route.length);
    for (let i = 0; i < route.length; i++) {
      this.lanes[this.#lanes++] = laneIndex(map, route[i], `${path}.route[${i}]`);
    }
    const lightCount = lights === undefined ? 0 : this.#lights(lights, map, `${path}.lights`);
    this.meta[head] = kCommandCode[command];
    this.meta[head + 1] = egoStates;
    this.meta[head + 2] = agents.length;
    this.meta[head + 3] = route.length;
    this.meta[head + 4] = lightCount;
    this.sizes[3 * n] = this.#meta - metaStart;
    this.sizes[3 * n + 1] = this.#values - valuesStart;
    this.sizes[3 * n + 2] = this.#lanes - lanesStart;
    this.maps.push(map.native);
  }

  /** Length, width and history; returns the number of states. The path is put together only for an error. */
  #agent(agent: AgentObservation, limit: number, root: string, list: string, i: number): number {
    const path = () => (i < 0 ? `${root}.${list}` : `${root}.${list}[${i}]`);
    if (typeof agent !== 'object' || agent === null) throw argumentError(path(), 'an agent', agent);
    const { history, length, width } = agent;
    if (!isSize(length)) throw badSize(`${path()}.length`, length);
    if (!isSize(width)) throw badSize(`${path()}.width`, width);
    if (!Array.isArray(history)) {
      throw argumentError(`${path()}.history`, 'an array of states', history);
    }
    if (history.length === 0) {
      throw argumentError(`${path()}.history`, 'at least one state', history, 'ERR_SHAPE');
    }
    const end = this.#values + 2 + history.length * kStateNumbers;
    if (end > limit) {
      throw new WamFlowError(
        'ERR_RANGE',
        `${path()}.history: expected at most ${kMaxStates} states in all histories together`,
      );
    }
    this.values = grown(this.values, end);
    const { values } = this;
    let at = this.#values;
    values[at++] = length;
    values[at++] = width;
    let before = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < history.length; k++) {
      const state = history[k];
      if (typeof state !== 'object' || state === null) {
        throw badState(`${path()}.history[${k}]`, state);
      }
      // Each field is read once: most of the time goes into fetching these objects.
      const { t, x, y, heading, vx, vy } = state as MotionState;
      if (
        !within(t, kMaxAge) ||
        !within(x, kMaxPosition) ||
        !within(y, kMaxPosition) ||
        !within(heading, kMaxHeading) ||
        !within(vx, kMaxSpeed) ||
        !within(vy, kMaxSpeed)
      ) {
        throw badState(`${path()}.history[${k}]`, state);
      }
      if (!(t > before)) {
        throw argumentError(`${path()}.history[${k}].t`, `a time after ${before}`, t);
      }
      before = t;
      values[at] = t;
      values[at + 1] = x;
      values[at + 2] = y;
      values[at + 3] = heading;
      values[at + 4] = vx;
      values[at + 5] = vy;
      at += kStateNumbers;
    }
    if (Math.abs(before) > kPresentTolerance) {
      throw argumentError(
        `${path()}.history[${history.length - 1}].t`,
        '0, the present, in the last state',
        before,
      );
    }
    this.#values = at;
    return history.length;
  }

  #lights(
    lights: NonNullable<Observation['lights']>,
    map: ReturnType<typeof packMap>,
    path: string,
  ): number {
    if (!(lights instanceof Map)) {
      throw argumentError(path, 'a Map of light colours by lane id', lights);
    }
    this.lanes = grown(this.lanes, this.#lanes + 2 * lights.size);
    for (const [id, color] of lights) {
      if (!isColor(color)) {
        throw argumentError(`${path}(${id})`, "'red', 'yellow', 'green' or 'unknown'", color);
      }
      this.lanes[this.#lanes++] = laneIndex(map, id, `${path} key`);
      this.lanes[this.#lanes++] = kLightCode[color];
    }
    return lights.size;
  }
}

function isColor(value: unknown): value is LightColor {
  return typeof value === 'string' && value !== 'none' && Object.hasOwn(kLightCode, value);
}

/** `array`, or a larger one with the same beginning, that holds `size` numbers. */
function grown<T extends Int32Array | Float64Array>(array: T, size: number): T {
  if (size <= array.length) return array;
  const larger = new (array.constructor as new (n: number) => T)(Math.max(size, 2 * array.length));
  larger.set(array);
  return larger;
}

function isSize(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= kMaxSize;
}

function badSize(path: string, value: unknown): WamFlowError {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return badNumber(path, value, kMaxSize, 'metres');
  }
  return argumentError(path, `a size over 0 and up to ${kMaxSize} metres`, value, 'ERR_RANGE');
}

/** Whether it is a number in the range; comparisons with NaN are false. */
function within(value: unknown, limit: number): boolean {
  return typeof value === 'number' && value >= -limit && value <= limit;
}

function badState(path: string, state: unknown): WamFlowError {
  if (typeof state !== 'object' || state === null) {
    return argumentError(path, 'a state { t, x, y, heading, vx, vy }', state);
  }
  const { t, x, y, heading, vx, vy } = state as MotionState;
  if (!within(t, kMaxAge)) return badNumber(`${path}.t`, t, kMaxAge, 'seconds');
  if (!within(x, kMaxPosition)) return badNumber(`${path}.x`, x, kMaxPosition, 'metres');
  if (!within(y, kMaxPosition)) return badNumber(`${path}.y`, y, kMaxPosition, 'metres');
  if (!within(heading, kMaxHeading)) {
    return badNumber(`${path}.heading`, heading, kMaxHeading, 'radians');
  }
  if (!within(vx, kMaxSpeed)) return badNumber(`${path}.vx`, vx, kMaxSpeed, 'm/s');
  return badNumber(`${path}.vy`, vy, kMaxSpeed, 'm/s');
}
