import { Network } from '../network.js';
import type { Random } from '../random.js';
import { bareWorld, type Crosswalk, type ParkingPlace, strip, type World } from '../world.js';
import { crosswalkOver } from './arms.js';
import { addTwoWayRoad, bentLine, halfWidth, type Section } from './carriageway.js';

const kParkingWidth = 2.3; // metres
const kClear = 9; // metres on either side of a crosswalk where nobody may park

/** A street in a town: parked vehicles on its sides, people crossing, now and then a vehicle in the second row. */
export function streetRoad(random: Random): World {
  const section: Section = {
    kind: 'urban',
    laneWidth: random.range(2.85, 3.5),
    speedLimit: random.pick([8.33, 11.11, 13.41, 13.89]),
    median: 0,
    shoulder: 0,
  };
  const n = random.weighted([1, 2, 3], (lanes) => [3, 4, 1][lanes - 1]);
  const length = 200 + 10 * section.speedLimit;
  const bends = random.chance(0.3) ? 'slight' : 'none';
  const reference = bentLine(random, length, section.speedLimit, bends);
  const network = new Network();
  const cuts = [0, length * random.range(0.35, 0.65), length];
  const { forward, backward } = addTwoWayRoad(network, reference, cuts, section, n, n);
  const strips = [random.chance(0.85), random.chance(0.75)];
  const half = halfWidth(section, n);
  const edge = strips.map((parking) => half + (parking ? kParkingWidth : 0.4));
  const lanes = [...forward, ...backward].flatMap((e) => e.lanes);
  const places = [0.25, 0.5, 0.75].filter(() => random.chance(0.5));
  const crosswalks: Crosswalk[] = places.map((share) =>
    crosswalkOver(
      reference,
      length * (share + random.range(-0.06, 0.06)),
      edge[0],
      edge[1],
      lanes,
      [],
    ),
  );
  const crossedAt = crosswalks.map(({ line }) => {
    const middle = line.at(line.length / 2);
    return reference.project(middle.x, middle.y, length / 2).s;
  });
  const opposite = reference.reversed();
  const sides = [reference, opposite];
  const parking = sides.flatMap((line, side): ParkingPlace[] => {
    if (!strips[side]) return [];
    const closed = crossedAt.map((s) => (side === 0 ? s : length - s));
    const kerb = half + kParkingWidth / 2 + 0.1;
    return parkingPlaces(random, length, closed).map(({ s, space }) => {
      const [x, y] = line.pointBeside(s, -kerb);
      const heading = line.at(s).heading + random.normal(0, 0.012);
      return { x, y, heading, length: space };
    });
  });
  const secondRow =
    n >= 2 && random.chance(0.6)
      ? [forward, backward]
          .filter(() => random.chance(0.6))
          .map((edges) => {
            const lane = random.pick(edges).lanes[0];
            return { lane, s: lane.line.length * random.range(0.35, 0.75) };
          })
          .filter(
            ({ lane }) => !crosswalks.some((walk) => walk.crossings.some((c) => c.lane === lane)),
          )
      : [];
  return {
    ...bareWorld('street', network),
    routes: [
      { edges: forward, weight: 1 },
      { edges: backward, weight: 1 },
    ],
    areas: [strip(reference, -edge[0], edge[1])],
    crosswalks,
    parking,
    secondRow,
    sidewalks: sides.map((line, side) => line.beside(-edge[side] - random.range(1, 2.5))),
    inflow: random.range(0.06, 0.25),
  };
}

/** Middles and lengths of places along a kerb, with gaps as drivers leave them. */
function parkingPlaces(random: Random, length: number, closed: readonly number[]) {
  const places: { s: number; space: number }[] = [];
  const taken = random.range(0.3, 0.95);
  for (let s = random.range(2, 10); s < length - 12; ) {
    const space = random.range(5.6, 7.4);
    const middle = s + space / 2;
    const free = closed.every((at) => Math.abs(at - middle) > kClear + space / 2);
    if (free && random.chance(taken)) places.push({ s: middle, space });
    s += space;
  }
  return places;
}
