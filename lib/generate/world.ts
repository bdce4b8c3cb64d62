import type { LightColor } from '../observation.js';
import type { Line, Pose } from './line.js';
import type { Edge, NetLane, Network } from './network.js';

/** The kinds of road that are generated. */
export const kRoadKinds = [
  'straight',
  'curve',
  'merge',
  'split',
  'lane-drop',
  'roundabout',
  'junction',
  'signals',
  'street',
] as const;
export type RoadKind = (typeof kRoadKinds)[number];

/** A way through the network, edge by edge, from the border of the map to the border. */
export interface Route {
  edges: readonly Edge[];
  /** Share of the traffic that takes it, relative to the others. */
  weight: number;
}

/** Where people cross the road. */
export interface Crosswalk {
  /** From beyond one kerb to beyond the other. */
  line: Line;
  /** Arc lengths of both kerbs on it. */
  kerbs: readonly [number, number];
  crossings: readonly Crossing[];
  /** Indices of the lights that must be red while people cross; empty where there is none. */
  lights: readonly number[];
}

/** Where a crosswalk and a lane meet: arc lengths on each. */
export interface Crossing {
  lane: NetLane;
  s: number;
  walk: number;
}

/** One traffic light. */
export interface Light {
  lanes: readonly NetLane[];
  /** Colour at a time in seconds; times before the recording begins are negative. */
  colorAt: (time: number) => LightColor;
}

/** Something that never moves. */
export interface StaticObject extends Pose {
  type: 'traffic_cone' | 'barrier' | 'car' | 'van' | 'truck';
  length: number;
  width: number;
}

/** A place at the side of the road for a parked vehicle. */
export interface ParkingPlace extends Pose {
  length: number;
}

/** Corners, counter-clockwise or clockwise, not closed, metres. */
export type Ring = readonly (readonly [number, number])[];

/** A road with everything that stands on it, before traffic is put there. */
export interface World {
  kind: RoadKind;
  network: Network;
  routes: readonly Route[];
  /** Drivable beside and between the lanes: shoulders, parking strips, the middle of junctions. */
  areas: readonly Ring[];
  lights: readonly Light[];
  crosswalks: readonly Crosswalk[];
  parking: readonly ParkingPlace[];
  /** Lanes on which a vehicle may stop in the second row, with the arc length. */
  secondRow: readonly { lane: NetLane; s: number }[];
  objects: readonly StaticObject[];
  /** Lines beside the road that people walk along. */
  sidewalks: readonly Line[];
  /** Lines outside the lanes that cyclists ride along. */
  bikeways: readonly Line[];
  /** Vehicles per lane and second at the borders of the map. */
  inflow: number;
}

/** The part of a {@link World} that many roads do not have. */
export function bareWorld(kind: RoadKind, network: Network): World {
  return {
    kind,
    network,
    routes: [],
    areas: [],
    lights: [],
    crosswalks: [],
    parking: [],
    secondRow: [],
    objects: [],
    sidewalks: [],
    bikeways: [],
    inflow: 0.2,
  };
}

/** The area between two lines beside a reference line. */
export function strip(line: Line, right: number, left: number, from = 0, to = line.length): Ring {
  return [...line.points(right, 2, from, to), ...line.points(left, 2, from, to).reverse()];
}

/** The place where two lines meet, by arc length on each; null when they do not. */
export function intersection(a: Line, b: Line): { a: number; b: number } | null {
  const step = 1;
  for (let s = 0; s < a.length; s += step) {
    const p = a.at(s);
    const q = a.at(Math.min(a.length, s + step));
    for (let t = 0; t < b.length; t += step) {
      const u = b.at(t);
      const v = b.at(Math.min(b.length, t + step));
      const [rx, ry, sx, sy] = [q.x - p.x, q.y - p.y, v.x - u.x, v.y - u.y];
      const cross = rx * sy - ry * sx;
      if (Math.abs(cross) < 1e-9) continue;
      const f = ((u.x - p.x) * sy - (u.y - p.y) * sx) / cross;
      const g = ((u.x - p.x) * ry - (u.y - p.y) * rx) / cross;
      if (f >= 0 && f < 1 && g >= 0 && g < 1) {
        return { a: s + f * step, b: t + g * step };
      }
    }
  }
  return null;
}
