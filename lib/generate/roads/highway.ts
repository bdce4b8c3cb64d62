import { Line } from '../line.js';
import { link, linkAll, type NetLane, Network } from '../network.js';
import type { Random } from '../random.js';
import { bareWorld, type Ring, type StaticObject, strip, type World } from '../world.js';
import { addRoad, bentLine, highwaySection, type Section, urbanSection } from './carriageway.js';
import { roadLength } from './open-road.js';

/** A motorway or a fast town road. */
function fastSection(random: Random): Section {
  if (random.chance(0.7)) return highwaySection(random);
  return { ...urbanSection(random), speedLimit: random.pick([13.89, 16.67, 19.44]), median: 0 };
}

/** Places of `n` lanes from right to left; the rightmost is on the reference line. */
const lateralsOf = (section: Section, n: number) =>
  Array.from({ length: n }, (_, i) => i * section.laneWidth);

/** An on-ramp: a lane that comes from the right, runs beside the road for a while, and ends. */
export function mergeRoad(random: Random): World {
  const section = fastSection(random);
  const n = random.integer(2, 4);
  const length = roadLength(section) + 80;
  const reference = bentLine(random, length, section.speedLimit, 'slight');
  const begin = random.range(0.3, 0.42) * length;
  const end = begin + 60 + section.speedLimit * random.range(3.5, 7);
  const network = new Network();
  const laterals = lateralsOf(section, n);
  const [before] = addRoad(network, reference, [0, begin], section, laterals);
  const [beside] = addRoad(network, reference, [begin, end], section, [
    -section.laneWidth,
    ...laterals,
  ]);
  const [after] = addRoad(network, reference, [end, length], section, laterals);
  linkAll(before, beside, 1);
  linkAll(beside, after, -1);
  const ramp = addRamp(random, network, reference, begin, section, 'on');
  link(ramp, beside.lanes[0]);
  return {
    ...bareWorld('merge', network),
    routes: [
      { edges: [before, beside, after], weight: n },
      { edges: [ramp.edge, beside, after], weight: random.range(0.6, 1.6) },
    ],
    areas: [
      strip(
        reference,
        -section.laneWidth / 2 - section.shoulder,
        section.laneWidth * (n - 0.5) + 1,
      ),
      strip(reference, -section.laneWidth * 1.5 - section.shoulder, 0, begin, end),
      taper(reference, end, 40, section),
    ],
    inflow: random.range(0.2, 0.5),
  };
}

/** An off-ramp: a lane begins on the right, or the rightmost lane leaves. */
export function splitRoad(random: Random): World {
  const section = fastSection(random);
  const n = random.integer(2, 4);
  const length = roadLength(section) + 80;
  const reference = bentLine(random, length, section.speedLimit, 'slight');
  const end = random.range(0.55, 0.65) * length;
  const begin = end - (50 + section.speedLimit * random.range(3, 6));
  const exitOnly = random.chance(0.35);
  const network = new Network();
  const laterals = lateralsOf(section, n);
  const widened = [-section.laneWidth, ...laterals];
  const [before] = addRoad(network, reference, [0, begin], section, exitOnly ? widened : laterals);
  const [beside] = addRoad(network, reference, [begin, end], section, widened);
  const [after] = addRoad(network, reference, [end, length], section, laterals);
  linkAll(before, beside, exitOnly ? 0 : 1);
  linkAll(beside, after, -1);
  const ramp = addRamp(random, network, reference, end, section, 'off');
  link(beside.lanes[0], ramp);
  const wide = -section.laneWidth * 1.5 - section.shoulder;
  return {
    ...bareWorld('split', network),
    routes: [
      { edges: [before, beside, after], weight: n },
      { edges: [before, beside, ramp.edge], weight: random.range(0.5, 1.6) },
    ],
    areas: [
      strip(
        reference,
        -section.laneWidth / 2 - section.shoulder,
        section.laneWidth * (n - 0.5) + 1,
      ),
      strip(reference, wide, 0, exitOnly ? 0 : begin, end),
      ...(exitOnly ? [] : [taper(reference, begin, -40, section)]),
    ],
    inflow: random.range(0.2, 0.5),
  };
}

/** The rightmost or leftmost lane ends, or is closed by cones. */
export function laneDropRoad(random: Random): World {
  const section = fastSection(random);
  const n = random.integer(2, 4);
  const length = roadLength(section) + 60;
  const reference = bentLine(random, length, section.speedLimit, 'slight');
  const end = random.range(0.5, 0.62) * length;
  const network = new Network();
  const laterals = lateralsOf(section, n);
  const right = random.chance(0.6);
  const closed = random.chance(0.4);
  const middle = end * random.range(0.35, 0.5);
  const kept = closed ? laterals : right ? laterals.slice(1) : laterals.slice(0, -1);
  const edges = addRoad(network, reference, [0, middle, end], section, laterals);
  const [after] = addRoad(network, reference, [end, length], section, kept);
  const [before, last] = edges;
  linkAll(last, after, right && !closed ? -1 : 0);
  const world: World = {
    ...bareWorld('lane-drop', network),
    routes: [{ edges: [before, last, after], weight: 1 }],
    areas: [
      strip(
        reference,
        -section.laneWidth / 2 - section.shoulder,
        section.laneWidth * (n - 0.5) + 1,
      ),
    ],
    inflow: random.range(0.18, 0.42),
  };
  if (!closed) return world;
  const lane = last.lanes[right ? 0 : n - 1];
  lane.closedAt = lane.line.length - random.range(45, 70);
  return { ...world, objects: closure(random, lane, right) };
}

/** A ramp that touches the road at an arc length: one lane, bending away from it. */
function addRamp(
  random: Random,
  network: Network,
  reference: Line,
  at: number,
  section: Section,
  way: 'on' | 'off',
): NetLane {
  const joint = reference.beside(-section.laneWidth, at - 1, at + 1).at(1);
  const [x, y] = reference.pointBeside(at, -section.laneWidth);
  const away = way === 'on' ? 1 : -1;
  const heading = joint.heading + (way === 'on' ? Math.PI : 0);
  const first = way === 'on' ? -joint.curvature : joint.curvature;
  const radius = random.range(90, 260);
  const turn = random.range(0.25, 0.6);
  const line = Line.fromCurvature(
    { x, y, heading },
    [
      { length: 30, curvature: first },
      { length: radius * turn, curvature: first + away / radius },
      { length: random.range(30, 60), curvature: 0 },
      { length: random.range(50, 100), curvature: (-away * random.range(0, 1)) / 150 },
    ],
    24,
  );
  return network.addLane(way === 'on' ? line.reversed() : line, {
    kind: 'ramp',
    width: section.laneWidth,
    speedLimit: Math.min(section.speedLimit, random.pick([13.89, 16.67, 19.44, 22.22])),
  });
}

/** Pavement that narrows beyond the end of a lane on the right (before its beginning when `length` is negative). */
function taper(reference: Line, at: number, length: number, section: Section): Ring {
  const wide = -section.laneWidth * 1.5;
  const narrow = -section.laneWidth / 2;
  return [
    reference.pointBeside(at, narrow),
    reference.pointBeside(at, wide),
    reference.pointBeside(at + length, narrow - 0.1),
    reference.pointBeside(at + length, narrow),
  ];
}

/** Cones across the lane and along its open side, with barriers behind them. */
function closure(random: Random, lane: NetLane, right: boolean): StaticObject[] {
  const inner = ((right ? 1 : -1) * lane.width) / 2;
  const objects: StaticObject[] = [];
  const put = (type: 'traffic_cone' | 'barrier', line: Line, s: number, lateral: number) => {
    const pose = line.at(s);
    const [x, y] = line.pointBeside(s, lateral);
    const [length, width] = type === 'barrier' ? [0.5, 1.8] : [0.4, 0.4];
    objects.push({ type, x, y, heading: pose.heading, length, width });
  };
  const begin = lane.closedAt;
  const slope = random.range(16, 24);
  for (let k = 0; k <= 5; ++k) {
    const share = k / 5;
    put('traffic_cone', lane.line, begin + slope * share, inner * (1.6 * share - 0.8));
  }
  for (let s = begin + slope + 5; s < lane.line.length; s += 6) {
    put('traffic_cone', lane.line, s, inner * 0.82);
  }
  put('barrier', lane.line, begin + slope + 2.5, -inner * 0.1);
  return objects;
}
