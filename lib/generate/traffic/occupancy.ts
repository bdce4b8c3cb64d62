import type { NetLane } from '../network.js';
import type { Vehicle } from './vehicle.js';

/** Something on a lane: a vehicle, or one that stands there for good (`vehicle` null). */
export interface Occupant {
  vehicle: Vehicle | null;
  s: number;
  length: number;
  speed: number;
  acceleration: number;
}

/** Somebody ahead or behind: bumper-to-bumper metres. */
export interface Neighbor {
  occupant: Occupant;
  gap: number;
}

/** Who is on which lane, in order; made anew each step. */
export class Occupancy {
  readonly #byLane: Occupant[][];
  readonly #standing: readonly { lane: NetLane; occupant: Occupant }[];

  constructor(lanes: number, standing: readonly { lane: NetLane; occupant: Occupant }[]) {
    this.#byLane = Array.from({ length: lanes }, () => []);
    this.#standing = standing;
  }

  update(vehicles: readonly Vehicle[]): void {
    for (const list of this.#byLane) list.length = 0;
    for (const { lane, occupant } of this.#standing) this.#byLane[lane.index].push(occupant);
    for (const vehicle of vehicles) {
      const { size, speed, acceleration, s, lane, side } = vehicle;
      const occupant = { vehicle, s, length: size.length, speed, acceleration };
      this.#byLane[lane.index].push(occupant);
      // Who changes lanes is in the way on both.
      if (vehicle.straddles && side) {
        this.#byLane[side.from.index].push({ ...occupant, s: side.fromS });
      }
    }
    for (const list of this.#byLane) list.sort((a, b) => a.s - b.s);
  }

  on(lane: NetLane): readonly Occupant[] {
    return this.#byLane[lane.index];
  }

  /** The nearest ahead of arc length `s` on a lane and on those that follow it, for a vehicle of some length. */
  ahead(
    path: readonly NetLane[],
    s: number,
    length: number,
    self: Vehicle | null,
    reach: number,
  ): Neighbor | null {
    let start = 0;
    for (const lane of path) {
      if (start - s > reach) return null;
      for (const occupant of this.#byLane[lane.index]) {
        const along = start + occupant.s - s;
        if (occupant.vehicle === self && self !== null) continue;
        if (along < 0 || (along === 0 && (occupant.vehicle?.id ?? -1) < (self?.id ?? 0))) continue;
        return { occupant, gap: along - (occupant.length + length) / 2 };
      }
      start += lane.line.length;
    }
    return null;
  }

  /** The nearest behind arc length `s` on a lane and on those before it. */
  behind(
    lane: NetLane,
    s: number,
    length: number,
    self: Vehicle | null,
    reach: number,
  ): Neighbor | null {
    const list = this.#byLane[lane.index];
    for (let i = list.length - 1; i >= 0; --i) {
      const occupant = list[i];
      if (occupant.vehicle === self && self !== null) continue;
      if (occupant.s > s) continue;
      return { occupant, gap: s - occupant.s - (occupant.length + length) / 2 };
    }
    if (s > reach) return null;
    let nearest: Neighbor | null = null;
    for (const last of lane.predecessors) {
      const found = this.behind(last, s + last.line.length, length, self, reach);
      // Who drives elsewhere after that lane is nobody's follower here.
      if (found?.occupant.vehicle && !found.occupant.vehicle.path.includes(lane)) continue;
      if (found && (!nearest || found.gap < nearest.gap)) nearest = found;
    }
    return nearest;
  }
}
