import type { Edge, NetLane } from '../network.js';
import type { Random } from '../random.js';
import type { Route, StaticObject, World } from '../world.js';
import { drawDriver, drawKind, drawSize, type Size, type VehicleKind } from './driver.js';
import { isAllowed } from './route.js';
import type { Traffic } from './simulate.js';
import { type Braking, Vehicle } from './vehicle.js';
import { Walker } from './walkers.js';

const kSlots = [-1.2, -0.4, 0.4, 1.2]; // metres beside the middle of a crosswalk

/** Traffic of a world, and the vehicles that stand at its sides. */
export interface Population extends Traffic {
  parked: StaticObject[];
}

/** Puts vehicles and people on a road, and decides who comes later. */
export function populate(
  random: Random,
  world: World,
  warmUp: number,
  seconds: number,
): Population {
  const maker = new Maker(random, world, seconds);
  const standing = parkedInSecondRow(random, world);
  const vehicles: Vehicle[] = [];
  for (const lane of world.network.lanes) {
    if (lane.kind === 'junction' || lane.kind === 'roundabout') continue;
    vehicles.push(...fill(random, world, maker, lane, standing));
  }
  const arrivals: Traffic['arrivals'] = [];
  const entries = new Set(world.routes.flatMap(({ edges }) => edges[0].lanes));
  for (const lane of entries) {
    for (let time = -warmUp; ; ) {
      time += Math.max(1.2, -Math.log(1 - random.next()) / world.inflow);
      if (time > seconds - 4) break;
      arrivals.push({ time, make: () => maker.make(lane, null) as Vehicle });
    }
  }
  arrivals.sort((a, b) => a.time - b.time);
  return {
    vehicles,
    arrivals,
    walkers: drawWalkers(random, world, warmUp, seconds),
    standing: standing.map(({ lane, s, object }) => ({
      lane,
      occupant: { vehicle: null, s, length: object.length, speed: 0, acceleration: 0 },
    })),
    parked: [...standing.map(({ object }) => object), ...parkedAtKerb(random, world)],
  };
}

/** Makes vehicles with numbers of their own. */
class Maker {
  readonly #random: Random;
  readonly #world: World;
  readonly #seconds: number;
  #count = 0;

  constructor(random: Random, world: World, seconds: number) {
    this.#random = random;
    this.#world = world;
    this.#seconds = seconds;
  }

  /** A vehicle on a lane; at the border of the map when `s` is null. Null when no route leads over the lane. */
  make(lane: NetLane, s: number | null): Vehicle | null {
    const random = this.#random;
    const ways = this.#world.routes
      .map((route) => ({ route, at: route.edges.indexOf(lane.edge) }))
      .filter(({ at, route }) => at >= 0 && this.#canTake(lane, route, at, s));
    if (ways.length === 0) return null;
    const { route, at } = random.weighted(ways, ({ route: { weight } }) => weight);
    const slow = lane.speedLimit < 17;
    let kind = drawKind(
      random,
      (name) => name !== 'bicycle' || (slow && lane === lane.edge.lanes[0]),
    );
    let size = drawSize(random, kind);
    if (!fits(size, route.edges)) {
      kind = 'car';
      size = drawSize(random, kind);
    }
    const driver = drawDriver(random, kind);
    const where = s ?? size.length / 2 + 0.3;
    const bend = Math.sqrt(driver.lateralAcceleration / Math.max(1e-4, lane.line.sharpest));
    const most = Math.min(driver.topSpeed, driver.haste * lane.speedLimit, bend);
    return new Vehicle({
      id: this.#count++,
      kind,
      size,
      driver,
      route: route.edges,
      braking: this.#braking(kind),
      at,
      lane,
      s: where,
      speed: most * random.range(0.8, 1),
    });
  }

  #canTake(lane: NetLane, { edges }: Route, at: number, s: number | null): boolean {
    if (isAllowed(lane, edges, at)) return true;
    // A lane change is needed: only where there is room for it.
    const room = Math.min(lane.closedAt, lane.line.length) - (s ?? 0);
    return (
      lane.edge.lanes.length > 1 && room > 90 + 4 * lane.speedLimit * 0.6 && lane.control === null
    );
  }

  #braking(kind: VehicleKind): Braking | null {
    const random = this.#random;
    const open = !['roundabout', 'junction', 'signals'].includes(this.#world.kind);
    if (!open || kind === 'bicycle' || !random.chance(0.05)) return null;
    return {
      at: random.range(1, this.#seconds - 3),
      deceleration: random.range(2, 4.6),
      speed: random.range(0, 6),
      hold: random.range(0.5, 3),
    };
  }
}

/** Whether a vehicle stays near its lane in the bends of all lanes that it may use. */
function fits({ length, width }: Size, edges: readonly Edge[]): boolean {
  return edges.every(({ lanes }) =>
    lanes.every((lane) => {
      const radius = 1 / Math.max(lane.line.sharpest, 1e-4);
      const swept = Math.hypot(radius + width / 2, length / 2) - radius;
      return swept < lane.width / 2 + (lane.kind === 'urban' ? 0.1 : 0.35);
    }),
  );
}

/** Vehicles that are on a lane at the beginning, from its end backwards. */
function fill(
  random: Random,
  world: World,
  maker: Maker,
  lane: NetLane,
  standing: readonly { lane: NetLane; s: number }[],
): Vehicle[] {
  const vehicles: Vehicle[] = [];
  const end = Math.min(lane.line.length, lane.closedAt - 70);
  const taken = standing.filter((other) => other.lane === lane).map(({ s }) => s);
  let s = end - random.range(8, 40);
  while (s > 12) {
    const blocked = taken.some((at) => s > at - 30 && s < at + 12);
    const vehicle = blocked ? null : maker.make(lane, s);
    if (vehicle) {
      const room = lane.control === null ? Infinity : lane.line.length - s - vehicle.size.length;
      const ahead = vehicles.at(-1);
      vehicle.speed = Math.min(
        vehicle.speed,
        Math.sqrt(2 * 1.2 * Math.max(0, room)),
        ahead ? ahead.speed + 2 : Infinity,
      );
      vehicles.push(vehicle);
    }
    const { speed, size } = vehicle ?? { speed: 8, size: { length: 5 } };
    const headway = -Math.log(1 - random.next()) / world.inflow;
    s -= size.length / 2 + 9 + speed * Math.max(1.1, Math.min(9, headway));
  }
  return vehicles;
}

function parkedInSecondRow(random: Random, world: World) {
  return world.secondRow.map(({ lane, s }) => {
    const kind = random.weighted(
      ['car', 'van', 'truck'] as const,
      (k) => ({ car: 2, van: 2, truck: 1 })[k],
    );
    const drawn = drawSize(random, kind);
    const size = { ...drawn, length: Math.min(drawn.length, 8.5) };
    const pose = lane.line.at(s);
    const [x, y] = lane.line.pointBeside(s, -(lane.width - size.width) / 2 + 0.15);
    const object: StaticObject = { type: kind, x, y, heading: pose.heading, ...size };
    return { lane, s, object };
  });
}

function parkedAtKerb(random: Random, world: World): StaticObject[] {
  return world.parking.map(({ x, y, heading, length: space }) => {
    const type = random.chance(0.15) ? 'van' : 'car';
    const drawn = drawSize(random, type);
    const length = Math.min(drawn.length, space - 0.7);
    return { type, x, y, heading, length: Math.round(length * 100) / 100, width: drawn.width };
  });
}

function drawWalkers(random: Random, world: World, warmUp: number, seconds: number): Walker[] {
  const walkers: Walker[] = [];
  for (const crosswalk of world.crosswalks) {
    const count = Math.min(random.integer(0, 4), random.integer(0, 4));
    for (const slot of random.shuffled(kSlots).slice(0, count)) {
      const reversed = random.chance(0.5);
      const line = reversed ? crosswalk.line.reversed() : crosswalk.line;
      const type = random.chance(0.2) ? 'bicycle' : 'pedestrian';
      const from = random.range(-warmUp, seconds - 5);
      const aside = reversed ? -slot : slot;
      walkers.push(new Walker(random, { type, line, s: 0.5, aside, crosswalk, reversed, from }));
    }
  }
  const busy = random.range(0, 1);
  const along = (line: Walker['line'], type: Walker['type'], spacing: number) => {
    for (
      let s = random.range(0, spacing);
      s < line.length - 10;
      s += random.range(0.5, 2) * spacing
    ) {
      const reversed = type === 'pedestrian' && random.chance(0.5);
      const way = reversed ? line.reversed() : line;
      const aside = type === 'pedestrian' ? random.range(-0.4, 0.4) : 0;
      const at = reversed ? line.length - s : s;
      walkers.push(
        new Walker(random, { type, line: way, s: at, aside, crosswalk: null, reversed, from: -1 }),
      );
    }
  };
  for (const line of world.sidewalks) if (busy > 0.25) along(line, 'pedestrian', 70 / busy);
  for (const line of world.bikeways) if (random.chance(0.6)) along(line, 'bicycle', 120);
  return walkers;
}
