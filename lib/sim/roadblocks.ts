import { sameDirectionNeighbors } from './lane-connectors.js';
import type { LaneId, LaneShape } from './lane-shapes.js';

// Each round splits groups whose ways before or after were split in the round before; real maps take two or three.
const kMaxRounds = 10;

/** Lanes of one roadblock, in the order of the map. */
export interface LaneGroup {
  isConnector: boolean;
  lanes: readonly LaneId[];
}

/**
 * Roadblocks: chains of lateral neighbours of the same direction. Connectors hang together only where they share a
 * roadblock before and a roadblock after.
 */
export function laneGroups(
  shapes: ReadonlyMap<LaneId, LaneShape>,
  connectors: ReadonlySet<LaneId>,
): LaneGroup[] {
  let groupOf = chains(shapes, connectors, () => true);
  for (let round = 0; round < kMaxRounds; ++round) {
    const before = groupOf;
    const groups = (ids: readonly LaneId[]) => ids.map((id) => before.get(id));
    const isTogether = (a: LaneShape, b: LaneShape) =>
      before.get(a.lane.id) === before.get(b.lane.id) &&
      (!connectors.has(a.lane.id) ||
        (doMeet(groups(a.lane.predecessors), groups(b.lane.predecessors)) &&
          doMeet(groups(a.lane.successors), groups(b.lane.successors))));
    groupOf = chains(shapes, connectors, isTogether);
    if (new Set(groupOf.values()).size === new Set(before.values()).size) break;
  }
  const lanes = new Map<LaneId, LaneId[]>();
  for (const id of shapes.keys()) {
    const group = groupOf.get(id)!;
    const members = lanes.get(group);
    if (members) members.push(id);
    else lanes.set(group, [id]);
  }
  return [...lanes.values()].map((members) => ({
    isConnector: connectors.has(members[0]),
    lanes: members,
  }));
}

/** By lane, the first lane of the chain of neighbours that it belongs to. */
function chains(
  shapes: ReadonlyMap<LaneId, LaneShape>,
  connectors: ReadonlySet<LaneId>,
  isTogether: (a: LaneShape, b: LaneShape) => boolean,
): Map<LaneId, LaneId> {
  // A neighbour may be named on one side only.
  const links = new Map<LaneId, LaneId[]>([...shapes.keys()].map((id) => [id, []]));
  for (const [id, shape] of shapes) {
    for (const neighbor of sameDirectionNeighbors(shape)) {
      const other = shapes.get(neighbor);
      if (!other || connectors.has(id) !== connectors.has(neighbor) || !isTogether(shape, other))
        continue;
      links.get(id)!.push(neighbor);
      links.get(neighbor)!.push(id);
    }
  }
  const first = new Map<LaneId, LaneId>();
  for (const start of shapes.keys()) {
    if (first.has(start)) continue;
    const pending = [start];
    first.set(start, start);
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      for (const next of links.get(id)!) {
        if (first.has(next)) continue;
        first.set(next, start);
        pending.push(next);
      }
    }
  }
  return first;
}

/** Whether two lists have an item in common, or are both empty. */
function doMeet(a: readonly unknown[], b: readonly unknown[]): boolean {
  return (a.length === 0 && b.length === 0) || a.some((item) => b.includes(item));
}
