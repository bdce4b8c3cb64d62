import type { NetLane } from '../network.js';
import { closeness, idmAcceleration } from './driver.js';
import type { Neighbor, Occupancy } from './occupancy.js';
import { isAllowed, towardsAllowed } from './route.js';
import type { Vehicle } from './vehicle.js';

const kReach = 120; // metres that drivers look ahead and behind
const kKeepRight = 0.08; // m/s^2 that the lane on the right is liked better by

/** Metres to where a vehicle has to have left its lane; Infinity where the lane leads on. */
export function laneEnds(vehicle: Vehicle): number {
  if (!vehicle.mustChange) return Number.POSITIVE_INFINITY;
  let start = -vehicle.s;
  for (const lane of vehicle.path) {
    if (lane.closedAt < lane.line.length) return start + lane.closedAt;
    start += lane.line.length;
  }
  return start;
}

/**
 * Lane changes by MOBIL (Kesting, Treiber, Helbing 2007): change when the own gain in acceleration beats the weighted
 * loss of others by a threshold, and nobody behind must brake hard. Where the lane ends or leads elsewhere, the gain
 * does not matter and the safe braking grows as the end comes near.
 */
export class LaneChanges {
  readonly #occupancy: Occupancy;

  constructor(occupancy: Occupancy) {
    this.#occupancy = occupancy;
  }

  /** Lets a vehicle change if it wants to and can. */
  consider(vehicle: Vehicle): void {
    if (vehicle.side || vehicle.rest > 0 || vehicle.kind === 'bicycle') return;
    const { lane, route, at } = vehicle;
    if (lane.kind === 'junction' || lane.kind === 'roundabout' || vehicle.s < vehicle.size.length)
      return;
    if (vehicle.granted && vehicle.path[1] === vehicle.granted && lane.line.length - vehicle.s < 15)
      return;
    const end = laneEnds(vehicle);
    if (Number.isFinite(end) && !isAllowed(lane, route, at)) {
      const to = towardsAllowed(lane, route, at);
      if (to && this.#fits(vehicle, to, end)) this.#change(vehicle, to);
      return;
    }
    // By choice, only where there is room to come to an end before the lane does.
    if (lane.line.length - vehicle.s < vehicle.changeLength() + 12 && lane.control !== null) return;
    if (vehicle.speed < 2 && !this.#isBlocked(vehicle)) return;
    const options = [lane.left, lane.right].filter(
      (to) => to && isAllowed(to, route, at),
    ) as NetLane[];
    for (const to of options) {
      if (this.#gain(vehicle, to) < vehicle.driver.threshold) continue;
      if (!this.#fits(vehicle, to, Number.POSITIVE_INFINITY)) continue;
      this.#change(vehicle, to);
      return;
    }
  }

  /** Braking, at most soft, for somebody beside who has to come over; Infinity when there is nobody. */
  courtesy(vehicle: Vehicle): number {
    let wanted = Number.POSITIVE_INFINITY;
    for (const beside of [vehicle.lane.left, vehicle.lane.right]) {
      if (!beside) continue;
      const guess = (vehicle.s / vehicle.lane.line.length) * beside.line.length;
      for (const other of this.#occupancy.on(beside)) {
        const along = other.s - guess;
        if (!other.vehicle || along < 1 || along > 45) continue;
        const coming =
          other.vehicle.mustChange && !other.vehicle.side && laneEnds(other.vehicle) < 90;
        if (
          !coming ||
          towardsAllowed(other.vehicle.lane, other.vehicle.route, other.vehicle.at) !== vehicle.lane
        )
          continue;
        const gap = along - (other.length + vehicle.size.length) / 2;
        const z = closeness(vehicle.driver, vehicle.speed, Math.max(gap, 2), other.speed);
        const a = idmAcceleration(vehicle.driver, vehicle.speed, vehicle.desired, z);
        wanted = Math.min(wanted, Math.max(a, -1.2));
      }
    }
    return wanted;
  }

  #change(vehicle: Vehicle, to: NetLane): void {
    vehicle.change(to);
    vehicle.granted = null;
    vehicle.rest = 6;
  }

  /** Behind something that stands for good, or a bicycle. */
  #isBlocked(vehicle: Vehicle): boolean {
    const ahead = this.#occupancy.ahead(vehicle.path, vehicle.s, vehicle.size.length, vehicle, 40);
    return ahead !== null && ahead.gap < 30 && ahead.occupant.vehicle === null;
  }

  #around(
    vehicle: Vehicle,
    to: NetLane,
  ): { s: number; ahead: Neighbor | null; behind: Neighbor | null } {
    const { x, y } = vehicle.pose();
    const { s } = to.line.project(x, y, (vehicle.s / vehicle.lane.line.length) * to.line.length);
    const { length } = vehicle.size;
    const path = [to, ...to.successors.slice(0, 1)];
    return {
      s,
      ahead: this.#occupancy.ahead(path, s, length, vehicle, kReach),
      behind: this.#occupancy.behind(to, s, length, vehicle, kReach),
    };
  }

  #fits(vehicle: Vehicle, to: NetLane, end: number): boolean {
    const { s, ahead, behind } = this.#around(vehicle, to);
    if (s < vehicle.size.length / 2 || s > to.line.length - 2) return false;
    const length = vehicle.changeLength();
    if (!Number.isFinite(length)) return false;
    // The old lane has to be left before it ends, and a closed one before the cones.
    if (end < 0.62 * length + vehicle.size.length / 2) return false;
    if (to.closedAt < s + length + 30) return false;
    const urgency = Math.min(1, Math.max(0, 1 - (end - 40) / 150));
    const safe = vehicle.driver.safeBraking + (Number.isFinite(end) ? 1.5 * urgency : 0);
    if (ahead) {
      if (ahead.gap < 1.5 + 0.15 * vehicle.speed) return false;
      const a = this.#follow(vehicle, ahead);
      if (a < -safe) return false;
      // A standing vehicle is passed with room to the side.
      if (ahead.occupant.vehicle === null && ahead.gap < length + 15) return false;
    }
    const blocked = this.#occupancy.ahead(
      vehicle.path,
      vehicle.s,
      vehicle.size.length,
      vehicle,
      60,
    );
    if (blocked && blocked.occupant.vehicle === null && blocked.gap < 0.62 * length) return false;
    const follower = behind?.occupant.vehicle;
    if (!behind || !follower) return true;
    if (behind.gap < 1.5 + 0.3 * Math.max(0, follower.speed - vehicle.speed)) return false;
    const z = closeness(follower.driver, follower.speed, behind.gap, vehicle.speed);
    return idmAcceleration(follower.driver, follower.speed, follower.desired, z) > -safe;
  }

  #gain(vehicle: Vehicle, to: NetLane): number {
    const { driver, speed, desired } = vehicle;
    const here = this.#occupancy.ahead(
      vehicle.path,
      vehicle.s,
      vehicle.size.length,
      vehicle,
      kReach,
    );
    const { ahead, behind } = this.#around(vehicle, to);
    const own = (next: Neighbor | null) =>
      next ? this.#follow(vehicle, next) : idmAcceleration(driver, speed, desired, 0);
    let gain = own(ahead) - own(here);
    const follower = behind?.occupant.vehicle;
    if (behind && follower) {
      const z = closeness(follower.driver, follower.speed, behind.gap, speed);
      const after = idmAcceleration(follower.driver, follower.speed, follower.desired, z);
      gain += driver.politeness * Math.min(0, after - follower.acceleration);
    }
    return gain + (to === vehicle.lane.right ? kKeepRight : -kKeepRight);
  }

  #follow(vehicle: Vehicle, { gap, occupant }: Neighbor): number {
    const z = closeness(vehicle.driver, vehicle.speed, gap, occupant.speed);
    return idmAcceleration(vehicle.driver, vehicle.speed, vehicle.desired, z);
  }
}
