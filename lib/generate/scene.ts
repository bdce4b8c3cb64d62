import { WamFlowError } from '../errors.js';
import type { Recording, ScenarioMap, ScenarioWindow } from '../scenario/types.js';
import { makeMap } from './map.js';
import { Random } from './random.js';
import { record } from './record.js';
import { makeWorld } from './roads/make-world.js';
import { RoadError } from './roads/road-error.js';
import { populate } from './traffic/populate.js';
import { simulate } from './traffic/simulate.js';
import { trackViolations } from './validate/tracks.js';
import { type Violation, validateMap } from './validate/validate.js';
import { type CutOptions, cutWindows } from './windows.js';
import type { RoadKind } from './world.js';

/** One generated scene: a map, its traffic, and the windows cut from it. */
export interface GeneratedScene {
  map: ScenarioMap;
  recording: Recording;
  windows: ScenarioWindow[];
  /** Why earlier attempts at this scene were thrown away. */
  rejected: Violation[];
}

/** Which scene, and what it shall be. */
export interface SceneRequest {
  seed: number;
  /** Number of the scene, from 0. */
  index: number;
  kinds: readonly { kind: RoadKind; share: number }[];
  /** Share of the scenes that are of split `val`; the others are `train`. */
  valShare: number;
  cut: CutOptions;
}

// Streams of random numbers: what one part draws does not change what another does.
const kKindStream = 0;
const kRoadStream = 1;
const kTrafficStream = 2;
const kWindowStream = 3;

const kAttempts = 40;
const kWarmUp = 10; // seconds
const kLeastWindows = 1;

/**
 * Makes scene `index` of a seed. It is drawn again, with other random numbers, until nothing in it violates the rules
 * (docs/generator.md); the same request always ends in the same scene. Yields every few milliseconds.
 */
export function* sceneInSteps(request: SceneRequest): Generator<void, GeneratedScene> {
  const { seed, index } = request;
  const draw = (attempt: number, stream: number) =>
    new Random({ seed, scene: index, attempt, stream });
  const choice = draw(0, kKindStream);
  const { kind } = choice.weighted(request.kinds, ({ share }) => share);
  const split = choice.chance(request.valShare) ? 'val' : 'train';
  const rejected: Violation[] = [];
  for (let attempt = 0; attempt < kAttempts; ++attempt) {
    try {
      const world = makeWorld(kind, draw(attempt, kRoadStream));
      const id = `${kind}-${seed}-${index}`;
      const map = makeMap(`map-${id}`, world);
      yield;
      const [wrongMap] = validateMap(map);
      if (wrongMap) {
        rejected.push(wrongMap);
        continue;
      }
      yield;
      const random = draw(attempt, kTrafficStream);
      const seconds = Math.round(random.range(120, 200)) / 10;
      const traffic = populate(random, world, kWarmUp, seconds);
      yield;
      const vehicles = yield* simulate(world, traffic, kWarmUp, seconds);
      const steps = Math.round(seconds * 10);
      const recorded = record(
        { id, split },
        map,
        world,
        vehicles,
        traffic.walkers,
        traffic.parked,
        steps,
      );
      yield;
      const [wrong] = trackViolations(recorded.recording);
      if (wrong) {
        rejected.push(wrong);
        continue;
      }
      yield;
      const windows = cutWindows(draw(attempt, kWindowStream), recorded, request.cut);
      if (windows.length >= kLeastWindows) {
        return { map, recording: recorded.recording, windows, rejected };
      }
      rejected.push({ rule: 'no-window', where: id, detail: 'no vehicle was there long enough' });
    } catch (error) {
      if (!(error instanceof RoadError)) throw error;
      rejected.push({ rule: 'road-sizes', where: kind, detail: error.message });
    }
  }
  const last = rejected[rejected.length - 1];
  throw new WamFlowError(
    'ERR_INTERNAL',
    `scene ${index} of seed ${seed}: ${kAttempts} attempts failed, the last: ${last.detail}`,
  );
}

/** {@link sceneInSteps} in one go: about 0.1 s. */
export function generateScene(request: SceneRequest): GeneratedScene {
  const steps = sceneInSteps(request);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
