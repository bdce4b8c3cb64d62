import type { Conflict, NetLane } from '../network.js';
import type { Light } from '../world.js';
import { brakingFor, type Line, nextLine, patience, travelTime } from './approach.js';
import { closeness } from './driver.js';
import type { Occupancy } from './occupancy.js';
import { kDt, type Vehicle } from './vehicle.js';

/** A vehicle that is on a lane or comes to it. */
interface Approach {
  vehicle: Vehicle;
  /** Metres from its centre to the beginning of the lane; negative on the lane and after it. */
  distance: number;
  /** No line at which it has yet to wait lies between. */
  open: boolean;
}

const kStopGap = 1; // metres between bumper and line
const kShort = 0.8; // metres before a conflict at which vehicles stop for those in it
const kInside = 0.4; // metres into a conflict from which on a vehicle is in it: more than who stops before it
const kAskSeconds = 2.5;
const kFirmBraking = 5; // m/s^2: who would need more goes on

/**
 * Who may enter junctions and roundabouts. A vehicle asks before it comes to its line; it gets its lane through the
 * junction when its light allows, when it crosses or joins no one who goes first or is already there, and when there
 * is room behind the junction. What it then does, it does with an eye on those who got theirs earlier.
 */
export class RightOfWay {
  readonly #lights: readonly Light[];
  readonly #occupancy: Occupancy;
  readonly #approaching: Approach[][];
  #time = 0;

  constructor(lanes: number, lights: readonly Light[], occupancy: Occupancy) {
    this.#lights = lights;
    this.#occupancy = occupancy;
    this.#approaching = Array.from({ length: lanes }, () => []);
  }

  /** Looks at all vehicles anew and gives or takes back rights. */
  update(vehicles: readonly Vehicle[], time: number): void {
    this.#time = time;
    for (const list of this.#approaching) list.length = 0;
    for (const vehicle of vehicles) this.#register(vehicle);
    const asking: { vehicle: Vehicle; line: Line }[] = [];
    for (const vehicle of vehicles) {
      const line = nextLine(vehicle);
      if (!line) continue;
      if (vehicle.granted === line.connector) this.#reconsider(vehicle, line);
      if (vehicle.granted === line.connector) continue;
      const toLine = line.distance - vehicle.size.length / 2;
      vehicle.waited = vehicle.speed < 0.3 && toLine < 5 ? vehicle.waited + kDt : 0;
      const reach = Math.max(12, vehicle.speed ** 2 / 3.2 + vehicle.speed * kAskSeconds);
      if (toLine < reach) asking.push({ vehicle, line });
    }
    asking.sort((a, b) => a.line.distance - b.line.distance || a.vehicle.id - b.vehicle.id);
    for (const { vehicle, line } of asking) {
      if (!this.#mayGo(vehicle, line)) continue;
      vehicle.granted = line.connector;
      vehicle.grantedAt = time;
      for (const approach of this.#approaching[line.connector.index]) {
        if (approach.vehicle === vehicle) approach.open = true;
      }
    }
  }

  /** The largest closeness of lines, crossing vehicles and merging vehicles ahead. */
  closest(vehicle: Vehicle): number {
    const { driver, speed } = vehicle;
    const standing = (gap: number) => closeness(driver, speed, gap + driver.gap - kStopGap, 0);
    let z = 0;
    const line = nextLine(vehicle);
    const half = vehicle.size.length / 2;
    if (line && vehicle.granted !== line.connector) {
      const gap = line.distance - half;
      if (gap > -0.5 || vehicle.speed < 1) z = standing(gap);
    }
    let start = -vehicle.s;
    for (const lane of vehicle.path) {
      if (start > 60) break;
      const closed =
        line !== null && vehicle.granted !== line.connector && start >= line.distance - 1e-6;
      if (closed) break;
      for (const conflict of lane.conflicts) {
        z = Math.max(z, this.#atConflict(vehicle, start, conflict, standing));
      }
      start += lane.line.length;
    }
    return z;
  }

  #register(vehicle: Vehicle): void {
    let start = -vehicle.s;
    let open = true;
    if (vehicle.last && vehicle.last.conflicts.length > 0) {
      const distance = start - vehicle.last.line.length;
      this.#approaching[vehicle.last.index].push({ vehicle, distance, open });
    }
    const reach = 30 + 8 * vehicle.speed;
    for (const [i, lane] of vehicle.path.entries()) {
      if (start > reach) return;
      if (lane.conflicts.length > 0) {
        this.#approaching[lane.index].push({ vehicle, distance: start, open });
      }
      if (lane.control !== null && vehicle.granted !== vehicle.path[i + 1]) open = false;
      start += lane.line.length;
    }
  }

  /** A right that was given ends when the light changes in time, or when it cannot be used. */
  #reconsider(vehicle: Vehicle, line: Line): void {
    if (vehicle.heldBack) vehicle.granted = null;
    if (line.lane.light === null) return;
    const color = this.#lights[line.lane.light].colorAt(this.#time);
    if (color === 'green') return;
    const needed = brakingFor(vehicle, line.distance - vehicle.size.length / 2);
    if (needed < (color === 'yellow' ? 2.8 : 4)) vehicle.granted = null;
  }

  #mayGo(vehicle: Vehicle, line: Line): boolean {
    const { lane, connector, distance } = line;
    if (vehicle.heldBack) return false;
    if (lane.light !== null) {
      const color = this.#lights[lane.light].colorAt(this.#time);
      if (color === 'red') return false;
      if (color === 'yellow' && brakingFor(vehicle, distance - vehicle.size.length / 2) < 2.8)
        return false;
    }
    if (lane.control === 'stop' && vehicle.waited < 0.4) return false;
    if (!this.#isFirst(vehicle, lane)) return false;
    if (!this.#roomBehind(vehicle, connector)) return false;
    return connector.conflicts.every((conflict) => this.#clear(vehicle, line, conflict));
  }

  /** Whether nobody before it on its lane still waits for the right to go. */
  #isFirst(vehicle: Vehicle, lane: NetLane): boolean {
    return this.#occupancy
      .on(lane)
      .every(
        ({ vehicle: other, s }) =>
          other === null ||
          other === vehicle ||
          other.lane !== lane ||
          (vehicle.lane === lane && s <= vehicle.s) ||
          other.granted !== null,
      );
  }

  /** Whether the vehicle would not have to stand in the junction because of those beyond it. */
  #roomBehind(vehicle: Vehicle, connector: NetLane): boolean {
    if (connector.kind !== 'junction') return true;
    const out = connector.successors[0];
    const next = this.#occupancy.on(out)[0];
    if (!next || next.speed > 3) return true;
    let room = next.s - next.length / 2;
    for (const { vehicle: other, open, distance } of out.predecessors.flatMap(
      (lane) => this.#approaching[lane.index],
    )) {
      if (other !== vehicle && open && distance > -1e3 && other.lane !== out) {
        room -= other.size.length + other.driver.gap;
      }
    }
    return room > vehicle.size.length + 1;
  }

  #clear(vehicle: Vehicle, line: Line, conflict: Conflict): boolean {
    if (conflict.kind === 'diverge') return true;
    for (const approach of this.#approaching[conflict.other.index]) {
      const other = approach.vehicle;
      if (other === vehicle) continue;
      if (!approach.open && !(conflict.yields && this.#goesFirst(other, vehicle, line, approach)))
        continue;
      const free =
        conflict.kind === 'merge'
          ? this.#canJoin(vehicle, line.distance, conflict, approach)
          : this.#canCross(vehicle, line.distance, conflict, approach);
      if (!free) return false;
    }
    return true;
  }

  /** Whether somebody who has not got the right of way yet is to be waited for all the same. */
  #goesFirst(other: Vehicle, vehicle: Vehicle, own: Line, approach: Approach): boolean {
    const line = nextLine(other);
    if (!line || line.distance > approach.distance + 0.1) return true;
    // Who stands behind others comes later.
    if (other.speed < 2 && !this.#isFirst(other, line.lane)) return false;
    if (other.heldBack) return false;
    if (line.lane.light !== null) {
      return this.#lights[line.lane.light].colorAt(this.#time) !== 'red' && other.waited < 1.5;
    }
    if (line.lane.control === 'stop') {
      return (
        other.waited > vehicle.waited || (other.waited === vehicle.waited && other.id < vehicle.id)
      );
    }
    // Among equals, who has waited goes before who rolls up to the line slowly.
    const toLine = line.distance - other.size.length / 2;
    const equal = line.lane.control === own.lane.control && vehicle.waited > 3;
    if (equal && other.speed < 4 && brakingFor(other, toLine) < 2.5) return false;
    // Somebody who stands although it is their turn cannot go; and all may stand waiting for each other.
    return other.speed > 0.5 ? true : other.waited < 2 || vehicle.waited < 4;
  }

  #canCross(vehicle: Vehicle, distance: number, conflict: Conflict, approach: Approach): boolean {
    const other = approach.vehicle;
    const [half, otherHalf] = [vehicle.size.length / 2, other.size.length / 2];
    const otherOut = approach.distance + conflict.otherEnd + otherHalf;
    if (otherOut < 0) return true;
    const otherIn = approach.distance + conflict.otherBegin - otherHalf;
    const m = patience(vehicle);
    const leaves = travelTime(vehicle, distance + conflict.end + half);
    const arrives = travelTime(vehicle, distance + conflict.begin - half);
    if (leaves + m < travelTime(other, otherIn)) return true;
    const stuck = other.speed < 1 ? 3 : 0;
    return arrives > travelTime(other, otherOut) + stuck + 0.6;
  }

  #canJoin(vehicle: Vehicle, distance: number, conflict: Conflict, approach: Approach): boolean {
    const other = approach.vehicle;
    const mine = travelTime(vehicle, distance + conflict.end);
    const theirs = travelTime(other, approach.distance + conflict.otherEnd);
    const lengths = (vehicle.size.length + other.size.length) / 2;
    const m = patience(vehicle) + lengths / Math.max(4, other.speed);
    // Before the other, who must not have to brake; or after, and then the other is simply followed.
    const faster = Math.max(0, other.speed - Math.max(vehicle.speed, 6)) * 0.2;
    return mine + m + faster < theirs || theirs + 0.7 < mine;
  }

  /** Closeness of a conflict ahead for a vehicle that goes: others who are in the way. */
  #atConflict(
    vehicle: Vehicle,
    start: number,
    conflict: Conflict,
    standing: (gap: number) => number,
  ): number {
    const half = vehicle.size.length / 2;
    if (start + conflict.end + half < 0) return 0;
    let z = 0;
    for (const { vehicle: other, distance, open } of this.#approaching[conflict.other.index]) {
      if (other === vehicle || !open) continue;
      const otherHalf = other.size.length / 2;
      if (conflict.kind === 'cross') {
        const gap = start + conflict.begin - half - kShort;
        if (gap < -kShort || distance + conflict.otherEnd + otherHalf < 0) continue;
        const inside = distance + conflict.otherBegin - otherHalf < -kInside;
        const earlier =
          other.grantedAt < vehicle.grantedAt ||
          (other.grantedAt === vehicle.grantedAt && other.id < vehicle.id);
        if (!inside && !earlier) continue;
        const leaves =
          travelTime(other, distance + conflict.otherEnd + otherHalf) + (other.speed < 1 ? 2 : 0);
        if (travelTime(vehicle, gap) > leaves + 0.3) continue;
        if (brakingFor(vehicle, gap) < kFirmBraking) z = Math.max(z, standing(gap + kStopGap));
      } else {
        // Beside each other on the way to (or from) one lane: as if one were behind the other.
        const merge = conflict.kind === 'merge';
        const mine = merge ? start + conflict.end : -start;
        const theirs = merge ? distance + conflict.otherEnd : -distance;
        const ahead = merge ? mine - theirs : theirs - mine;
        if (ahead < 0 || (ahead === 0 && other.id > vehicle.id)) continue;
        if (!merge && theirs - otherHalf > conflict.otherEnd) continue;
        if (!merge && theirs < 0) continue;
        const gap = ahead - half - otherHalf;
        z = Math.max(z, closeness(vehicle.driver, vehicle.speed, gap, other.speed));
      }
    }
    return z;
  }
}
