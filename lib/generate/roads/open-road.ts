import { Network } from '../network.js';
import type { Random } from '../random.js';
import { bareWorld, type RoadKind, strip, type World } from '../world.js';
import {
  addRoad,
  addTwoWayRoad,
  bentLine,
  halfWidth,
  highwaySection,
  randomCuts,
  rightOf,
  ruralSection,
  type Section,
  urbanSection,
} from './carriageway.js';

/** A straight or winding stretch of a town, country or motorway road. */
export function openRoad(random: Random, kind: RoadKind & ('straight' | 'curve')): World {
  const place = random.weighted(['town', 'country', 'motorway'] as const, (name) =>
    name === 'motorway' && kind === 'straight' ? 1.5 : 1,
  );
  const section = { town: urbanSection, country: ruralSection, motorway: highwaySection }[place](
    random,
  );
  const length = roadLength(section);
  const bends = kind === 'curve' ? 'clear' : random.chance(0.5) ? 'none' : 'slight';
  const reference = bentLine(random, length, section.speedLimit, bends);
  const lanes =
    place === 'country'
      ? random.integer(1, 2)
      : place === 'motorway'
        ? random.integer(2, 4)
        : random.integer(1, 3);
  const network = new Network();
  const cuts = randomCuts(random, length);
  const side = (n: number) => halfWidth(section, n) + section.shoulder;
  if (place === 'motorway') {
    const edges = addRoad(network, reference, cuts, section, rightOf(section, lanes));
    return {
      ...bareWorld(kind, network),
      routes: [{ edges, weight: 1 }],
      areas: [strip(reference, -side(lanes), 1)],
      inflow: random.range(0.15, 0.5),
    };
  }
  const back = Math.max(1, lanes - (random.chance(0.2) ? 1 : 0));
  const { forward, backward } = addTwoWayRoad(network, reference, cuts, section, lanes, back);
  const walk = side(lanes) + random.range(1, 2.5);
  const opposite = reference.reversed();
  const wide = section.shoulder > 1.5;
  const bike = (n: number) => -(halfWidth(section, n) + section.shoulder - 0.55);
  return {
    ...bareWorld(kind, network),
    routes: [
      { edges: forward, weight: 1 },
      { edges: backward, weight: 1 },
    ],
    areas: [strip(reference, -side(lanes), side(back))],
    sidewalks: place === 'town' ? [reference.beside(-walk), opposite.beside(-walk)] : [],
    bikeways: wide ? [reference.beside(bike(lanes)), opposite.beside(bike(back))] : [],
    inflow: random.range(0.08, 0.35),
  };
}

/** Long enough for windows at the speed of the road. */
export function roadLength(section: Section): number {
  return 230 + 11 * section.speedLimit;
}
