import type { LightColor } from '../observation.js';
import { Fields, kMaxCoordinate } from './fields.js';
import { laneId } from './parse-map.js';
import {
  kWaypointInterval,
  type Recording,
  type RemovedVehicle,
  type ScenarioMap,
  type Signal,
  type Track,
} from './types.js';

const kMaxSteps = 1_000_000;
const kMaxTracks = 100_000;
const kMaxSpeed = 200; // m/s

const kColors: ReadonlyMap<unknown, LightColor> = new Map<string, LightColor>([
  ['red', 'red'],
  ['yellow', 'yellow'],
  ['red_yellow', 'red'], // about to turn green: still closed
  ['green', 'green'],
  ['inactive', 'unknown'],
  ['unknown', 'unknown'],
]);

/** One recording row of format 1, joined with its map. Throws ERR_SCENARIO. */
export function parseRecording(
  where: string,
  row: unknown,
  maps: ReadonlyMap<string, ScenarioMap>,
): Recording {
  const fields = new Fields(where, row);
  fields.integer('format', 1, 1);
  const id = fields.name('recording_id');
  const map = maps.get(fields.name('map_id'));
  if (!map) throw fields.fail('map_id', 'the id of a map in these files');
  const dt = fields.number('dt', 0.01, kWaypointInterval);
  const stepsPerWaypoint = kWaypointInterval / dt;
  if (Math.abs(stepsPerWaypoint - Math.round(stepsPerWaypoint)) > 1e-6) {
    throw fields.fail('dt', `seconds that divide ${kWaypointInterval}`);
  }
  const steps = fields.integer('steps', 1, kMaxSteps);
  return {
    id,
    map,
    location: fields.text('location', map.location),
    split: fields.name('split'),
    source: fields.text('source', ''),
    sourceFiles: fields.optionalList('source_files', kMaxTracks).map((file, i) => {
      if (typeof file !== 'string') throw fields.fail(`source_files[${i}]`, 'text', file);
      return file;
    }),
    dt,
    steps,
    tracks: fields
      .list('tracks', 0, kMaxTracks)
      .map((track, i) => parseTrack(fields.at('tracks', i, track), i, steps)),
    signals: parseSignals(fields, map, steps),
    removedVehicles: fields
      .optionalList('removed_vehicles', kMaxTracks)
      .map((vehicle, i) => parseRemoved(fields.at('removed_vehicles', i, vehicle), steps)),
  };
}

function parseTrack(track: Fields, index: number, steps: number): Track {
  const start = track.integer('start', 0, steps - 1);
  const n = track.integer('n', 1, steps - start);
  return {
    id: track.integer('id', index, index),
    type: track.text('type', 'car'),
    length: track.number('length', 0.1, 100),
    width: track.number('width', 0.1, 20),
    start,
    x: track.numbers('x', n, kMaxCoordinate),
    y: track.numbers('y', n, kMaxCoordinate),
    heading: track.numbers('heading', n, 6.2832),
    vx: track.numbers('vx', n, kMaxSpeed),
    vy: track.numbers('vy', n, kMaxSpeed),
  };
}

function parseSignals(fields: Fields, map: ScenarioMap, steps: number): Signal[] {
  const rows = fields.optionalList('signals', kMaxTracks);
  if (rows.length === 0) return [];
  const known = new Set(map.lanes.map((lane) => lane.id));
  return rows.map((row, i) => {
    const signal = fields.at('signals', i, row);
    return {
      lanes: signal.list('lanes', 1, kMaxTracks).map((value, k) => {
        const id = laneId(signal, `lanes[${k}]`, value);
        if (!known.has(id))
          throw signal.fail(`lanes[${k}]`, `the id of a lane of map ${map.id}`, id);
        return id;
      }),
      states: signal.list('states', 0, kMaxSteps).map((state, k) => {
        const [from, to, name] = Array.isArray(state) && state.length === 3 ? state : [];
        const color = kColors.get(name);
        const inOrder =
          Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to && to <= steps;
        if (!inOrder || color === undefined) {
          const known = [...kColors.keys()].join(', ');
          const expected = `[from, to, colour] with 0 <= from < to <= ${steps} and one of ${known}`;
          throw signal.fail(
            `states[${k}]`,
            expected,
            Array.isArray(state) ? JSON.stringify(state) : state,
          );
        }
        return { from, to, color };
      }),
    };
  });
}

function parseRemoved(vehicle: Fields, steps: number): RemovedVehicle {
  return {
    step: vehicle.integer('step', 0, steps),
    x: vehicle.number('x', -kMaxCoordinate, kMaxCoordinate),
    y: vehicle.number('y', -kMaxCoordinate, kMaxCoordinate),
    heading: vehicle.number('heading', -6.2832, 6.2832),
    speed: vehicle.number('speed', 0, kMaxSpeed),
  };
}
