import type { Line } from './line.js';

/** The kinds of lanes; they become `ScenarioLane.type`. `junction` and `roundabout` lanes may cross others. */
export type LaneKind = 'urban' | 'highway' | 'ramp' | 'junction' | 'roundabout';

/** How right of way is given at the end of a lane that leads into a conflict area. */
export type Control = 'signal' | 'priority' | 'yield' | 'stop';

/** What a lane through a junction or roundabout is: the arms it joins, for the rules of priority. */
export interface Movement {
  from: number;
  to: number;
  turn: 'left' | 'through' | 'right';
}

/** A lane while a scene is made: its centre is a smooth line, its links are references. */
export interface NetLane {
  /** Index in `Network.lanes`. */
  index: number;
  kind: LaneKind;
  line: Line;
  /** Metres. */
  width: number;
  /** m/s. */
  speedLimit: number;
  edge: Edge;
  successors: NetLane[];
  predecessors: NetLane[];
  left: NetLane | null;
  right: NetLane | null;
  /** The lane on the left that runs the other way. */
  oncoming: NetLane | null;
  /** Set where the end of the lane is the line at which vehicles wait for their right of way. */
  control: Control | null;
  /** Index of the light that hangs at the end of the lane. */
  light: number | null;
  movement: Movement | null;
  conflicts: Conflict[];
  /** Arc length at which the lane is closed by cones; Infinity where it is not. */
  closedAt: number;
}

/** Parallel lanes of one direction, from right to left. */
export interface Edge {
  lanes: NetLane[];
}

/** Where two lanes come so close that only one vehicle can be there. Arc lengths in metres. */
export interface Conflict {
  other: NetLane;
  /** `merge`: both end in one lane; `diverge`: both begin at the end of one lane. */
  kind: 'cross' | 'merge' | 'diverge';
  /** On the lane that holds this. */
  begin: number;
  end: number;
  otherBegin: number;
  otherEnd: number;
  /** Whether traffic of the other lane goes first. */
  yields: boolean;
}

/** What lanes of one carriageway have in common. */
export interface Carriageway {
  kind: LaneKind;
  speedLimit: number;
  width: number;
  /** Distance of each lane's centre to the left of the reference line, from right to left, metres. */
  laterals: readonly number[];
}

/** Lanes and how they are linked. */
export class Network {
  readonly lanes: NetLane[] = [];

  /** A lane of an edge of its own. */
  addLane(line: Line, rest: Pick<NetLane, 'kind' | 'width' | 'speedLimit'>): NetLane {
    const edge: Edge = { lanes: [] };
    return this.#add(edge, line, rest);
  }

  /** Parallel lanes beside `reference` between two of its arc lengths, linked as neighbours. */
  addCarriageway(reference: Line, from: number, to: number, of: Carriageway): Edge {
    const edge: Edge = { lanes: [] };
    for (const lateral of of.laterals) {
      const lane = this.#add(edge, reference.beside(lateral, from, to), of);
      const right = edge.lanes.at(-2);
      if (right) {
        lane.right = right;
        right.left = lane;
      }
    }
    return edge;
  }

  #add(edge: Edge, line: Line, rest: Pick<NetLane, 'kind' | 'width' | 'speedLimit'>): NetLane {
    const lane: NetLane = {
      index: this.lanes.length,
      kind: rest.kind,
      line,
      width: rest.width,
      speedLimit: rest.speedLimit,
      edge,
      successors: [],
      predecessors: [],
      left: null,
      right: null,
      oncoming: null,
      control: null,
      light: null,
      movement: null,
      conflicts: [],
      closedAt: Number.POSITIVE_INFINITY,
    };
    this.lanes.push(lane);
    edge.lanes.push(lane);
    return lane;
  }
}

/** Makes `next` a successor of `lane`. */
export function link(lane: NetLane, next: NetLane): void {
  lane.successors.push(next);
  next.predecessors.push(lane);
}

/** Links the lanes of one edge to those of the next with the same place, counted from the right. */
export function linkAll(edge: Edge, next: Edge, shift = 0): void {
  for (const [i, lane] of edge.lanes.entries()) {
    const after = next.lanes[i + shift];
    if (after) link(lane, after);
  }
}

/** Makes the leftmost lanes of two edges that run against each other side by side neighbours. */
export function face(a: Edge, b: Edge): void {
  const [left, right] = [a.lanes[a.lanes.length - 1], b.lanes[b.lanes.length - 1]];
  left.oncoming = right;
  right.oncoming = left;
}

const kStep = 0.75; // metres between the samples that are compared
const kParallel = 0.4; // radians: below, lanes run side by side
const kParallelReach = 2.4; // metres between centres at which vehicles side by side would touch
const kCrossingReach = 3.1;

/**
 * Finds every pair among `lanes` that comes too close, and stores the conflict on both.
 *
 * @param yields whether traffic on the first lane gives way to traffic on the second.
 */
export function findConflicts(
  lanes: readonly NetLane[],
  yields: (lane: NetLane, other: NetLane) => boolean,
): void {
  const sampled = lanes.map((lane) => {
    const n = Math.max(2, Math.ceil(lane.line.length / kStep));
    return Array.from({ length: n + 1 }, (_, i) => {
      const s = (lane.line.length * i) / n;
      return { s, ...lane.line.at(s) };
    });
  });
  for (const [i, a] of lanes.entries()) {
    for (let k = i + 1; k < lanes.length; ++k) {
      const b = lanes[k];
      if (a.successors.includes(b) || b.successors.includes(a)) continue;
      const near = closeStretch(sampled[i], sampled[k]);
      if (!near) continue;
      const merge = a.successors.some((next) => b.successors.includes(next));
      const diverge = a.predecessors.some((last) => b.predecessors.includes(last));
      const kind = merge ? 'merge' : diverge ? 'diverge' : 'cross';
      const [aEnd, bEnd] = merge ? [a.line.length, b.line.length] : [near.aEnd, near.bEnd];
      const [aBegin, bBegin] = kind === 'diverge' ? [0, 0] : [near.aBegin, near.bBegin];
      const pair = { kind, begin: aBegin, end: aEnd, otherBegin: bBegin, otherEnd: bEnd } as const;
      a.conflicts.push({ ...pair, other: b, yields: kind !== 'diverge' && yields(a, b) });
      b.conflicts.push({
        kind,
        other: a,
        begin: bBegin,
        end: bEnd,
        otherBegin: aBegin,
        otherEnd: aEnd,
        yields: kind !== 'diverge' && yields(b, a),
      });
    }
  }
}

interface Sample {
  s: number;
  x: number;
  y: number;
  heading: number;
}

/** Arc lengths between which two lanes are too close, on each of them; null when they never are. */
function closeStretch(a: readonly Sample[], b: readonly Sample[]) {
  let [aBegin, aEnd, bBegin, bEnd] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const p of a) {
    for (const q of b) {
      const square = (p.x - q.x) ** 2 + (p.y - q.y) ** 2;
      if (square > kCrossingReach ** 2) continue;
      const parallel = Math.abs(Math.cos(p.heading - q.heading)) > Math.cos(kParallel);
      if (parallel && square > kParallelReach ** 2) continue;
      aBegin = Math.min(aBegin, p.s);
      aEnd = Math.max(aEnd, p.s);
      bBegin = Math.min(bBegin, q.s);
      bEnd = Math.max(bEnd, q.s);
    }
  }
  return aEnd < aBegin ? null : { aBegin, aEnd, bBegin, bEnd };
}
