import { Line } from '../line.js';
import { type Edge, face, type LaneKind, linkAll, type Network } from '../network.js';
import type { Random } from '../random.js';

/** Cross-section of a road, drawn at random within what is built. Metres, m/s. */
export interface Section {
  kind: LaneKind;
  laneWidth: number;
  speedLimit: number;
  /** Between the two directions. */
  median: number;
  /** Paved, to the right of the outermost lane. */
  shoulder: number;
}

const kUrbanLimits = [8.33, 11.11, 13.41, 13.89, 16.67];
const kRuralLimits = [19.44, 22.22, 25];
const kHighwayLimits = [24.59, 27.78, 29.06, 33.33, 36.11];

/** A road in a town. */
export function urbanSection(random: Random): Section {
  return {
    kind: 'urban',
    laneWidth: random.range(2.8, 3.6),
    speedLimit: random.pick(kUrbanLimits),
    median: random.chance(0.3) ? random.range(0.5, 4) : 0,
    shoulder: random.range(0.2, 2),
  };
}

/** A country road: one or two lanes each way. */
export function ruralSection(random: Random): Section {
  return {
    kind: 'urban',
    laneWidth: random.range(3.1, 3.75),
    speedLimit: random.pick(kRuralLimits),
    median: 0,
    shoulder: random.range(0.3, 1.8),
  };
}

/** One carriageway of a motorway. */
export function highwaySection(random: Random): Section {
  return {
    kind: 'highway',
    laneWidth: random.range(3.4, 3.8),
    speedLimit: random.pick(kHighwayLimits),
    median: 0,
    shoulder: random.range(2, 3.2),
  };
}

/** Lateral places of `n` lanes to the right of a reference line, from right to left. */
export function rightOf(section: Section, n: number): number[] {
  return Array.from(
    { length: n },
    (_, i) => -(section.median / 2 + section.laneWidth * (n - i - 0.5)),
  );
}

/** Distance from the reference line to the border of the outermost of `n` lanes. */
export function halfWidth(section: Section, n: number): number {
  return section.median / 2 + section.laneWidth * n;
}

/** Lanes along `reference`, followed by each other at `cuts` (arc lengths, both ends included). */
export function addRoad(
  network: Network,
  reference: Line,
  cuts: readonly number[],
  section: Section,
  laterals: readonly number[],
): Edge[] {
  const { kind, laneWidth: width, speedLimit } = section;
  const edges = cuts
    .slice(1)
    .map((cut, i) =>
      network.addCarriageway(reference, cuts[i], cut, { kind, speedLimit, width, laterals }),
    );
  for (const [i, edge] of edges.entries()) if (i > 0) linkAll(edges[i - 1], edge);
  return edges;
}

/** The same road in both directions, `n` lanes to the right of the middle and `back` lanes to the left. */
export function addTwoWayRoad(
  network: Network,
  reference: Line,
  cuts: readonly number[],
  section: Section,
  n: number,
  back: number,
): { forward: Edge[]; backward: Edge[] } {
  const forward = addRoad(network, reference, cuts, section, rightOf(section, n));
  const mirrored = cuts.map((cut) => reference.length - cut).reverse();
  const laterals = rightOf(section, back);
  const backward = addRoad(network, reference.reversed(), mirrored, section, laterals);
  if (section.median === 0) {
    for (const [i, edge] of forward.entries()) face(edge, backward[backward.length - 1 - i]);
  }
  return { forward, backward };
}

/** Arc lengths that cut a road into pieces of 80 m to 200 m; rounded so that both directions share them. */
export function randomCuts(random: Random, length: number): number[] {
  const cuts = [0];
  for (;;) {
    const next = cuts[cuts.length - 1] + random.range(80, 200);
    if (next > length - 60) return [...cuts, length];
    cuts.push(next);
  }
}

/** A line with bends that one drives at the limit in comfort, `length` metres long. */
export function bentLine(
  random: Random,
  length: number,
  speedLimit: number,
  bends: 'none' | 'slight' | 'clear',
): Line {
  const start = { x: 0, y: 0, heading: random.range(-Math.PI, Math.PI) };
  if (bends === 'none') return Line.fromCurvature(start, [{ length, curvature: 0 }]);
  // 2.2 m/s^2 at the limit is what drivers take at most; clear bends are below the limit's radius now and then.
  const least = Math.max(
    22,
    (speedLimit * speedLimit) / random.range(1.6, bends === 'clear' ? 4 : 2.2),
  );
  const sections: { length: number; curvature: number }[] = [];
  let left = length;
  let side = random.chance(0.5) ? 1 : -1;
  while (left > 0) {
    const straight = Math.min(left, random.range(30, 110));
    sections.push({ length: straight, curvature: 0 });
    left -= straight;
    if (left < 50) continue;
    const radius = least * (bends === 'clear' ? random.range(1, 2.2) : random.range(4, 12));
    const turn = bends === 'clear' ? random.range(0.35, 1.7) : random.range(0.05, 0.4);
    const arc = Math.min(left, Math.max(30, radius * turn));
    sections.push({ length: arc, curvature: side / radius });
    left -= arc;
    side = random.chance(0.75) ? -side : side;
  }
  return Line.fromCurvature(start, sections, Math.min(60, Math.max(24, 2 * speedLimit)));
}
