import type { ScenarioLane, ScenarioMap } from '../../scenario/types.js';
import type { Path } from './path.js';

const kPointSpacing = 2; // metres between the points of a stored lane

/** Where a lane of a road lies. */
export interface RoadOptions {
  /** Id of the first lane; ids go on by 1 from right to left, by 10 from section to section. */
  firstId: number;
  /** Lanes from right to left: arc length of the reference at which each ends, Infinity for the whole road. */
  laneEnds: readonly number[];
  /** Lane width in metres. */
  width: number;
  /** m/s. */
  speedLimit: number;
  /** Arc lengths of the reference where the map begins, where a lane is followed by the next, and where it ends. */
  cuts: readonly number[];
}

/** Metres from the reference line to the centre of a lane; lanes are counted from the right, 0 is on the reference. */
export function laneOffset(index: number, width: number): number {
  return index * width;
}

/**
 * Lanes of one direction beside a reference line, which is the centre of the rightmost. Each lane is cut in sections
 * that succeed each other.
 */
export function makeRoad(reference: Path, options: RoadOptions): ScenarioLane[] {
  const { firstId, laneEnds, width, speedLimit, cuts } = options;
  const id = (section: number, index: number) => firstId + 10 * section + index;
  const exists = (section: number, index: number) =>
    section >= 0 &&
    section + 1 < cuts.length &&
    index >= 0 &&
    index < laneEnds.length &&
    cuts[section + 1] <= laneEnds[index];
  const idOrNull = (section: number, index: number) =>
    exists(section, index) ? id(section, index) : null;
  const lanes: ScenarioLane[] = [];
  for (let section = 0; section + 1 < cuts.length; ++section) {
    for (let index = 0; index < laneEnds.length; ++index) {
      if (!exists(section, index)) continue;
      const left = idOrNull(section, index + 1);
      const right = idOrNull(section, index - 1);
      const lateral = laneOffset(index, width);
      lanes.push({
        ...laneShape(reference, cuts[section], cuts[section + 1], lateral, width),
        id: id(section, index),
        type: 'urban',
        successors: [idOrNull(section + 1, index)].filter((next) => next !== null),
        predecessors: [idOrNull(section - 1, index)].filter((last) => last !== null),
        leftNeighbor: left,
        leftSameDirection: left !== null,
        rightNeighbor: right,
        rightSameDirection: right !== null,
        speedLimit,
        stopLine: null,
        markings: [left === null ? 'solid' : 'dashed', right === null ? 'solid' : 'dashed'],
      });
    }
  }
  return lanes;
}

/** Centre and borders of a stretch of road, points about 2 m apart, whole centimetres. */
export function laneShape(
  path: Path,
  from: number,
  to: number,
  lateral: number,
  width: number,
): Pick<ScenarioLane, 'center' | 'left' | 'right'> {
  const pieces = Math.max(1, Math.round((to - from) / kPointSpacing));
  const line = (beside: number) =>
    Array.from({ length: pieces + 1 }, (_, i): [number, number] => {
      const [x, y] = path.beside(from + ((to - from) * i) / pieces, beside);
      return [centimetres(x), centimetres(y)];
    });
  return {
    center: line(lateral),
    left: line(lateral + width / 2),
    right: line(lateral - width / 2),
  };
}

/** A map whose drivable area is its lanes. */
export function makeMap(id: string, location: string, lanes: readonly ScenarioLane[]): ScenarioMap {
  return {
    id,
    location,
    lanes,
    drivableArea: lanes.map((lane) => ({
      exterior: [...lane.right, ...[...lane.left].reverse()],
      holes: [],
    })),
  };
}

/** Rounds metres to what scenario files store. */
export function centimetres(value: number): number {
  return Math.round(value * 100) / 100;
}
