import { crossingLanes } from './lane-crossings.js';
import type { LaneId, LaneShape } from './lane-shapes.js';

/** Lane types that say it themselves. */
const kInside: ReadonlySet<string> = new Set(['intersection', 'junction', 'roundabout']);
const kTurn = (30 * Math.PI) / 180;

/**
 * Lanes inside an intersection: those whose type says so, those after a stop line, those that turn by 30 degrees or more
 * where ways part or meet, those that cross another, and the lateral neighbours of any in the same direction.
 */
export function connectorLanes(shapes: ReadonlyMap<LaneId, LaneShape>): Set<LaneId> {
  const connectors = crossingLanes(shapes.values());
  for (const { lane, turn } of shapes.values()) {
    const afterStopLine = lane.predecessors.some((id) => shapes.get(id)?.lane.stopLine);
    const turns = Math.abs(turn) >= kTurn && isBetween(lane) && !isBend(lane, shapes);
    if (afterStopLine || turns || kInside.has(lane.type)) connectors.add(lane.id);
  }
  const pending = [...connectors];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    for (const neighbor of sameDirectionNeighbors(shapes.get(id)!)) {
      if (connectors.has(neighbor) || !shapes.has(neighbor)) continue;
      connectors.add(neighbor);
      pending.push(neighbor);
    }
  }
  return connectors;
}

/** Lateral neighbours of the same direction. */
export function sameDirectionNeighbors({ lane }: LaneShape): LaneId[] {
  const neighbors: LaneId[] = [];
  if (lane.leftNeighbor !== null && lane.leftSameDirection) neighbors.push(lane.leftNeighbor);
  if (lane.rightNeighbor !== null && lane.rightSameDirection) neighbors.push(lane.rightNeighbor);
  return neighbors;
}

function isBetween({ predecessors, successors }: LaneShape['lane']): boolean {
  return predecessors.length > 0 && successors.length > 0;
}

/** The one way from the lane before to the one way on: a bend of the road, and no intersection. */
function isBend(lane: LaneShape['lane'], shapes: ReadonlyMap<LaneId, LaneShape>): boolean {
  const links = (id: LaneId, side: 'predecessors' | 'successors') =>
    shapes.get(id)?.lane[side].length ?? 0;
  return (
    lane.predecessors.every((id) => links(id, 'successors') === 1) &&
    lane.successors.every((id) => links(id, 'predecessors') === 1)
  );
}
