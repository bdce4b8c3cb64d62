import type { Command } from '../observation.js';
import { Fields } from './fields.js';
import { laneId } from './parse-map.js';
import { kWaypoints, type Recording, type ScenarioWindow } from './types.js';

const kCommands: ReadonlySet<unknown> = new Set<Command>(['left', 'straight', 'right', 'unknown']);

/** One window row of format 1, joined with its recording. Throws ERR_SCENARIO. */
export function parseWindow(
  where: string,
  row: unknown,
  recordings: ReadonlyMap<string, Recording>,
): ScenarioWindow {
  const fields = new Fields(where, row);
  const id = fields.name('id');
  const recording = recordings.get(fields.name('recording_id'));
  if (!recording) throw fields.fail('recording_id', 'the id of a recording in these files');
  if (fields.has('map_id') && fields.name('map_id') !== recording.map.id) {
    throw fields.fail('map_id', `${JSON.stringify(recording.map.id)}, the map of its recording`);
  }
  if (recording.tracks.length === 0) throw fields.fail('ego', 'a recording that has a track');
  const ego = fields.integer('ego', 0, recording.tracks.length - 1);
  const t0 = fields.integer('t0', 0, recording.steps - 1);
  const track = recording.tracks[ego];
  const end = track.start + track.x.length;
  if (t0 < track.start || t0 >= end) {
    throw fields.fail('t0', `a step at which track ${ego} is valid (${track.start} to ${end - 1})`);
  }
  const command = fields.get('command');
  if (!kCommands.has(command)) throw fields.fail('command', 'left, straight, right or unknown');
  return {
    id,
    recording,
    split: fields.text('split', recording.split),
    ego,
    t0,
    history: fields.integer('history', 0, t0 - track.start),
    future: fields.integer('future', 0, end - 1 - t0),
    command: command as Command,
    route: parseRoute(fields, recording),
    laneChange: (fields.get('lane_change') ?? null) === null ? null : fields.flag('lane_change'),
    turnDeg: fields.numberOrNull('turn_deg', -3600, 3600),
    v0: fields.numberOrNull('v0', 0, 200),
    path4s: fields.numberOrNull('path_4s', 0, 1000),
    agents40m: fields.numberOrNull('agents_40m', 0, 1e6),
    ...((fields.get('expert') ?? null) === null ? {} : { expert: parseExpert(fields) }),
  };
}

function parseExpert(fields: Fields): [number, number, number][] {
  return fields.list('expert', kWaypoints, kWaypoints).map((value, i) => {
    const pose = value as unknown[];
    const good =
      Array.isArray(pose) && pose.length === 3 && pose.every((v) => Math.abs(v as number) <= 1e4);
    if (!good || !pose.every((v) => typeof v === 'number')) {
      throw fields.fail(`expert[${i}]`, 'three numbers [x, y, heading] within 1e4', value);
    }
    return pose as [number, number, number];
  });
}

function parseRoute(fields: Fields, recording: Recording): (number | string)[] {
  const lanes = recording.map.lanes;
  return fields.list('route_lanes', 0, 10_000).map((value, i) => {
    const id = laneId(fields, `route_lanes[${i}]`, value);
    if (!lanes.some((lane) => lane.id === id)) {
      throw fields.fail(`route_lanes[${i}]`, `the id of a lane of map ${recording.map.id}`, id);
    }
    return id;
  });
}
