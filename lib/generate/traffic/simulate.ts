import type { NetLane } from '../network.js';
import type { World } from '../world.js';
import { brakingFor } from './approach.js';
import { closeness, idmAcceleration } from './driver.js';
import { LaneChanges, laneEnds } from './lane-changes.js';
import { type Neighbor, Occupancy, type Occupant } from './occupancy.js';
import { RightOfWay } from './right-of-way.js';
import { kDt, type Vehicle } from './vehicle.js';
import { Crossings, type Walker } from './walkers.js';

/** What is driven. */
export interface Traffic {
  /** At the beginning. */
  vehicles: Vehicle[];
  /** Who comes in at the border of the map, by time; each as soon as there is room. */
  arrivals: { time: number; make: () => Vehicle }[];
  walkers: readonly Walker[];
  /** What stands on a lane for good. */
  standing: readonly { lane: NetLane; occupant: Occupant }[];
}

const kCurveSeconds = 0.8; // in which the speed of a bend is taken up
const kLookSeconds = 0.5;
const kBendBraking = 1.1; // m/s^2 before bends
const kEndRoom = 14; // metres that are left to change lanes where a lane ends
const kReach = 130;

/**
 * Drives `traffic` from `-warmUp` to `seconds` and records every step from time 0 on.
 *
 * Yields after every step.
 *
 * @returns every vehicle that was there, in order of its coming.
 */
export function* simulate(
  world: World,
  traffic: Traffic,
  warmUp: number,
  seconds: number,
): Generator<void, Vehicle[]> {
  const { vehicles: all, walkers } = traffic;
  const occupancy = new Occupancy(world.network.lanes.length, traffic.standing);
  const rights = new RightOfWay(world.network.lanes.length, world.lights, occupancy);
  const crossings = new Crossings(world.crosswalks, walkers, world.lights);
  const changes = new LaneChanges(occupancy);
  const waiting = [...traffic.arrivals];
  const first = -Math.round(warmUp / kDt);
  const steps = Math.round(seconds / kDt);
  for (let k = first; k < steps; ++k) {
    const time = k * kDt;
    letIn(all, waiting, occupancy, time);
    const present = all.filter(({ gone }) => !gone);
    if (k >= 0) {
      for (const vehicle of present) vehicle.record(k);
      for (const walker of walkers) if (!walker.gone && walker.from <= time) walker.record(k);
    }
    occupancy.update(present);
    rights.update(present, time);
    crossings.update(present, time);
    for (const vehicle of present) {
      // Each thinks of it twice a second, not all at once.
      if ((k - first + vehicle.id) % 5 !== 0) continue;
      const before = vehicle.lane;
      changes.consider(vehicle);
      if (vehicle.lane !== before) occupancy.update(present);
    }
    const wanted = present.map((vehicle) =>
      accelerate(vehicle, occupancy, rights, crossings, changes, time),
    );
    for (const [i, vehicle] of present.entries()) vehicle.advance(wanted[i], wanted[i] < -4.5);
    yield;
  }
  return all;
}

/** Vehicles that come in now, each when the one before it has driven far enough. */
function letIn(
  all: Vehicle[],
  waiting: Traffic['arrivals'],
  occupancy: Occupancy,
  time: number,
): void {
  const taken = new Set<NetLane>();
  for (let i = 0; i < waiting.length; ++i) {
    if (waiting[i].time > time) continue;
    const vehicle = waiting[i].make();
    const ahead = occupancy.ahead(vehicle.path, vehicle.s, vehicle.size.length, null, kReach);
    const room =
      !ahead ||
      ahead.gap >
        vehicle.driver.gap +
          2 +
          vehicle.speed * 1.1 +
          Math.max(0, vehicle.speed ** 2 - ahead.occupant.speed ** 2) / 4;
    waiting.splice(i--, 1);
    // Who finds no room goes elsewhere.
    if (!room || taken.has(vehicle.lane)) continue;
    taken.add(vehicle.lane);
    all.push(vehicle);
  }
}

function accelerate(
  vehicle: Vehicle,
  occupancy: Occupancy,
  rights: RightOfWay,
  crossings: Crossings,
  changes: LaneChanges,
  time: number,
): number {
  const { driver, speed, desired } = vehicle;
  const next = occupancy.ahead(vehicle.path, vehicle.s, vehicle.size.length, vehicle, kReach);
  const rear = next && {
    rear: next.gap + vehicle.size.length / 2,
    speed: next.occupant.speed,
  };
  let z = Math.max(rights.closest(vehicle), crossings.closest(vehicle, time, rear));
  const follow = (ahead: Neighbor | null) => {
    if (ahead) z = Math.max(z, closeness(driver, speed, ahead.gap, ahead.occupant.speed));
  };
  follow(next);
  if (vehicle.straddles && vehicle.side) {
    const { from, fromS } = vehicle.side;
    follow(occupancy.ahead([from], fromS, vehicle.size.length, vehicle, kReach));
  }
  const end = laneEnds(vehicle) - vehicle.size.length / 2;
  if (Number.isFinite(end)) {
    // Whoever is too near to stop there in comfort uses up the room that is left.
    const soft = brakingFor(vehicle, end - kEndRoom) < 3;
    const gap = soft || end > kEndRoom ? end - kEndRoom : end - 2;
    z = Math.max(z, closeness(driver, speed, Math.max(0.3, gap) + driver.gap, 0));
  }
  const free = idmAcceleration(driver, speed, desired, z);
  const bend = Math.max(-3, (bendSpeed(vehicle) - speed) / kCurveSeconds);
  return Math.min(free, bend, vehicle.scripted(time) ?? free, changes.courtesy(vehicle));
}

/** m/s that the bends and limits ahead allow here, when one brakes softly for them. */
function bendSpeed(vehicle: Vehicle): number {
  const { driver, speed } = vehicle;
  const reach = (speed * speed) / (2 * kBendBraking) + kLookSeconds * speed + 10;
  let most = vehicle.sidewaysSpeed() ** 2;
  let start = -vehicle.s;
  for (const lane of vehicle.path) {
    if (start > reach) break;
    const { line } = lane;
    if (line.sharpest > 1e-3) {
      const from = Math.max(0, -start - 1);
      const to = Math.min(line.length, reach - start);
      for (let s = from; s <= to; s += 2) {
        const k = Math.abs(line.at(s).curvature);
        // Drivers look a little beyond where they are: braking takes its time to begin.
        const ahead = Math.max(0, start + s - kLookSeconds * speed);
        most = Math.min(
          most,
          driver.lateralAcceleration / Math.max(k, 1e-4) + 2 * kBendBraking * ahead,
        );
      }
    }
    if (start > 0) {
      const limit = Math.min(driver.topSpeed, driver.haste * lane.speedLimit);
      most = Math.min(most, limit * limit + 2 * kBendBraking * start);
    }
    start += line.length;
  }
  return Math.sqrt(most);
}
