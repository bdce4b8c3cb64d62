import { Fields, kMaxCoordinate } from '../scenario/fields.js';
import { parseMap } from './parse-map.js';
import { parseAgents, parseEgo, parseLights, parsePast } from './parse-traffic.js';
import type { PdmScene, SceneMap, ScenePose } from './scene.js';
import { kMaxHeading, kMaxRoute, kMaxTrajectories, kScenePoses } from './scene-limits.js';

/** A proposal that came with a scene. */
export interface SceneTrajectory {
  /** Unique in its scene. */
  id: string;
  /** Free text. */
  label: string;
  /** 8 poses in the frame of the ego's rear axle at 0.5 .. 4 s. */
  poses: readonly ScenePose[];
}

/** A scene with the trajectories of its file. */
export interface ParsedScene {
  scene: PdmScene;
  trajectories: readonly SceneTrajectory[];
}

/**
 * Checks a scene in its JSON form (docs/pdm-adapter.md) and gives it the project's names: the object itself, or a file
 * `{ schema, input, expected }` that holds it as `input`.
 *
 * @param value what `JSON.parse` gave.
 * @param name what messages call it, for instance the name of its file.
 * @throws WamFlowError `ERR_SCENARIO` naming the field, what was expected and what came.
 */
export function parseScene(value: unknown, name = 'scene'): ParsedScene {
  const steps = sceneSteps(value, name);
  for (;;) {
    const { done, value: parsed } = steps.next();
    if (done) return parsed;
  }
}

/** `parseScene` in small pieces: yields between the parts of a scene, returns it at the end. */
export function* sceneSteps(value: unknown, name: string): Generator<void, ParsedScene> {
  const file = new Fields(name, value);
  const scene = file.has('input') ? file.object('input') : file;
  checkKind(scene);
  const id = scene.name('id');
  const map = yield* parseMap(scene.object('map'));
  const ego = parseEgo(scene.object('ego'));
  return {
    scene: {
      id,
      map,
      routeRoadblockIds: parseRoute(scene, map),
      ego,
      egoPast: parsePast(scene, ego),
      humanTrajectory: isAbsent(scene, 'human_trajectory')
        ? null
        : parsePoses(scene, 'human_trajectory'),
      agents: yield* parseAgents(scene),
      trafficLights: parseLights(scene, map.lanes),
    },
    trajectories: parseTrajectories(scene),
  };
}

/** 8 poses `[x, y, heading]`. */
export function parsePoses(fields: Fields, name: string): ScenePose[] {
  const limits = [kMaxCoordinate, kMaxCoordinate, kMaxHeading];
  const form = '[x, y, heading] in metres and radians';
  return fields.tuples(name, kScenePoses, kScenePoses, form, limits) as [number, number, number][];
}

function checkKind(scene: Fields): void {
  if (!scene.has('kind')) return;
  const kind = scene.get('kind');
  if (kind !== 'scene' && kind !== 'reactive')
    throw scene.fail('kind', 'scene or reactive (or no such field)');
}

function parseRoute(scene: Fields, map: SceneMap): string[] {
  const known = new Set(map.roadblocks.map((block) => block.id));
  return scene.list('route_roadblock_ids', 1, kMaxRoute).map((id, i) => {
    if (typeof id !== 'string' || !known.has(id))
      throw scene.fail(`route_roadblock_ids[${i}]`, 'the id of a roadblock of this map', id);
    return id;
  });
}

function parseTrajectories(scene: Fields): SceneTrajectory[] {
  const ids = new Set<string>();
  return scene.optionalList('trajectories', kMaxTrajectories).map((value, i) => {
    const fields = scene.at('trajectories', i, value);
    const id = fields.name('id');
    if (ids.has(id)) throw fields.fail('id', 'an id that no trajectory before it has', id);
    ids.add(id);
    return { id, label: fields.text('label', ''), poses: parsePoses(fields, 'poses') };
  });
}

function isAbsent(fields: Fields, name: string): boolean {
  const value = fields.get(name);
  return value === undefined || value === null;
}
