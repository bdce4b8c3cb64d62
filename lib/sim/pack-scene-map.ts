import { argumentError } from '../errors.js';
import { type NativeSceneMap, type NativeSimMap, native } from '../native.js';
import type { Ring, SceneMap } from './scene.js';

/** A map as native code holds it, with the way from ids to indices and back. */
export interface PackedSceneMap {
  native: NativeSimMap;
  map: SceneMap;
  /** Index by id. */
  blockIndex: ReadonlyMap<string, number>;
  laneIndex: ReadonlyMap<string, number>;
}

const packed = new WeakMap<SceneMap, PackedSceneMap>();

/**
 * The native copy of a map, made at the first call for an object and kept as long as the object lives: scenes that share
 * a map object share it. Links to what the map does not hold are left out.
 *
 * @throws WamFlowError `ERR_ARGUMENT` for ids that occur twice or belong to nothing, `ERR_NOT_FINITE`, `ERR_SCENARIO`.
 */
export function packSceneMap(map: SceneMap): PackedSceneMap {
  if (typeof map !== 'object' || map === null) throw argumentError('scene.map', 'a map', map);
  let result = packed.get(map);
  if (!result) {
    result = pack(map);
    packed.set(map, result);
  }
  return result;
}

function pack(map: SceneMap): PackedSceneMap {
  for (const name of ['roadblocks', 'lanes', 'intersections', 'carparks'] as const) {
    if (!Array.isArray(map[name])) throw argumentError(`map.${name}`, 'an array', map[name]);
  }
  const { roadblocks, lanes, intersections, carparks } = map;
  const blockIndex = indexById(roadblocks, 'map.roadblocks');
  const laneIndex = indexById(lanes, 'map.lanes');
  const known = (ids: readonly string[], index: ReadonlyMap<string, number>) =>
    ids.map((id) => index.get(id) ?? -1).filter((i) => i >= 0);
  const member = (id: string, index: ReadonlyMap<string, number>, path: string) => {
    const i = index.get(id);
    if (i === undefined) throw argumentError(path, 'an id of this map', id);
    return i;
  };

  const rings = new FlatLists();
  const allRings: [string, readonly { polygon: Ring }[]][] = [
    ['roadblocks', roadblocks],
    ['lanes', lanes],
    ['intersections', intersections],
    ['carparks', carparks],
  ];
  for (const [name, items] of allRings) {
    items.forEach(({ polygon }, i) => {
      rings.addRows(polygon, 2, `map.${name}[${i}].polygon`);
    });
  }
  const baselines = new FlatLists();
  lanes.forEach(({ baseline }, i) => {
    baselines.addRows(baseline, 3, `map.lanes[${i}].baseline`);
  });
  const blockLanes = flatIndices(
    roadblocks.map((block, i) =>
      block.laneIds.map((id, k) => member(id, laneIndex, `map.roadblocks[${i}].laneIds[${k}]`)),
    ),
  );
  const blockIncoming = flatIndices(roadblocks.map((block) => known(block.incoming, blockIndex)));
  const blockOutgoing = flatIndices(roadblocks.map((block) => known(block.outgoing, blockIndex)));
  const laneIncoming = flatIndices(lanes.map((lane) => known(lane.incoming, laneIndex)));
  const laneOutgoing = flatIndices(lanes.map((lane) => known(lane.outgoing, laneIndex)));
  const values: NativeSceneMap = {
    intersections: intersections.length,
    carparks: carparks.length,
    rings: rings.values(),
    ringStarts: rings.starts(),
    blockConnector: Int32Array.from(roadblocks, (block) => (block.isConnector ? 1 : 0)),
    blockLanes: blockLanes.values,
    blockLaneStarts: blockLanes.starts,
    blockIncoming: blockIncoming.values,
    blockIncomingStarts: blockIncoming.starts,
    blockOutgoing: blockOutgoing.values,
    blockOutgoingStarts: blockOutgoing.starts,
    laneBlock: Int32Array.from(lanes, (lane, i) =>
      member(lane.roadblockId, blockIndex, `map.lanes[${i}].roadblockId`),
    ),
    laneConnector: Int32Array.from(lanes, (lane) => (lane.isConnector ? 1 : 0)),
    laneSpeedLimit: Float64Array.from(lanes, (lane) => lane.speedLimit ?? -1),
    baselines: baselines.values(),
    baselineStarts: baselines.starts(),
    laneIncoming: laneIncoming.values,
    laneIncomingStarts: laneIncoming.starts,
    laneOutgoing: laneOutgoing.values,
    laneOutgoingStarts: laneOutgoing.starts,
  };
  return { native: native().createSimMap(values), map, blockIndex, laneIndex };
}

function indexById(items: readonly { id: string }[], path: string): Map<string, number> {
  const index = new Map<string, number>();
  items.forEach(({ id }, i) => {
    if (index.has(id)) throw argumentError(`${path}[${i}].id`, 'an id that none before it has', id);
    index.set(id, i);
  });
  return index;
}

function flatIndices(lists: readonly (readonly number[])[]) {
  const starts = new Int32Array(lists.length + 1);
  lists.forEach((list, i) => {
    starts[i + 1] = starts[i]! + list.length;
  });
  return { values: Int32Array.from(lists.flat()), starts };
}

/** Lists of rows of numbers, flat. */
class FlatLists {
  readonly #values: number[] = [];
  readonly #starts: number[] = [0];

  addRows(rows: readonly (readonly number[])[], width: number, path: string): void {
    if (!Array.isArray(rows)) throw argumentError(path, 'an array of points', rows);
    for (const [i, row] of rows.entries()) {
      if (!Array.isArray(row) || row.length < width) {
        throw argumentError(`${path}[${i}]`, `${width} numbers`, row);
      }
      for (let k = 0; k < width; k++) {
        if (typeof row[k] !== 'number')
          throw argumentError(`${path}[${i}][${k}]`, 'a number', row[k]);
        this.#values.push(row[k]);
      }
    }
    this.#starts.push(this.#starts.at(-1)! + rows.length);
  }

  values(): Float64Array {
    return Float64Array.from(this.#values);
  }

  starts(): Int32Array {
    return Int32Array.from(this.#starts);
  }
}
