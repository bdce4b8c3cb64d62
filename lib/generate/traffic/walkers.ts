import type { Line, Pose } from '../line.js';
import type { NetLane } from '../network.js';
import type { Random } from '../random.js';
import type { Crossing, Crosswalk, Light } from '../world.js';
import { brakingFor, travelTime } from './approach.js';
import { closeness, type Size } from './driver.js';
import { kDt, type Vehicle } from './vehicle.js';

const kHalfWidth = 1.6; // metres, of a crosswalk
const kStopShort = 0.9; // metres before it that vehicles stop
const kOver = 0.6; // metres beyond that place at which they still count as standing before it
const kLead = 2; // seconds between a vehicle and the walker that it does not wait for
const kKerbGap = 0.6; // metres from the road at which people wait

/** Somebody on foot or on a bicycle outside the lanes, along a line. */
export class Walker {
  readonly type: 'pedestrian' | 'bicycle';
  readonly size: Size;
  readonly line: Line;
  readonly states: (Pose & { step: number; vx: number; vy: number })[] = [];
  /** Metres to the left of the line. */
  readonly aside: number;
  readonly pace: number;
  readonly crosswalk: Crosswalk | null;
  /** Walks from the far end of the crosswalk. */
  readonly reversed: boolean;
  /** Seconds at which it comes; before, it is nowhere. */
  readonly from: number;
  s: number;
  speed: number;
  /** On the road, from kerb to kerb. */
  crossing = false;
  /** Seconds that it stands at the kerb. */
  waited = 0;
  gone = false;

  constructor(
    random: Random,
    of: Pick<Walker, 'type' | 'line' | 's' | 'aside' | 'crosswalk' | 'reversed' | 'from'>,
  ) {
    const { type, crosswalk } = of;
    this.type = type;
    this.line = of.line;
    this.s = of.s;
    this.aside = of.aside;
    this.crosswalk = crosswalk;
    this.reversed = of.reversed;
    this.from = of.from;
    const round = (value: number) => Math.round(value * 100) / 100;
    this.size =
      type === 'pedestrian'
        ? { length: round(random.range(0.4, 0.7)), width: round(random.range(0.45, 0.75)) }
        : { length: round(random.range(1.6, 1.9)), width: round(random.range(0.55, 0.7)) };
    const ride = crosswalk ? random.range(2.2, 3.6) : random.range(3.5, 6.5);
    this.pace = type === 'pedestrian' ? Math.max(0.7, random.normal(1.35, 0.22)) : ride;
    this.speed = this.pace;
  }

  /** Moves on by one step, to a stop at `limit` (arc length) at most. */
  advance(limit: number): void {
    const room = limit - this.s - this.size.length / 2;
    const most = Math.sqrt(Math.max(0, 2 * 1.2 * room));
    const wanted = Math.min(this.pace, most);
    const step = (wanted < this.speed ? 2.4 : 1) * kDt;
    this.speed += Math.min(Math.max(wanted - this.speed, -step), step);
    if (this.speed < 0.02 && room < 0.1) this.speed = 0;
    this.waited = this.speed === 0 ? this.waited + kDt : 0;
    this.s += this.speed * kDt;
    if (this.s + this.size.length > this.line.length) this.gone = true;
  }

  record(step: number): void {
    const { heading } = this.line.at(this.s);
    const [x, y] = this.line.pointBeside(this.s, this.aside);
    const [vx, vy] = [this.speed * Math.cos(heading), this.speed * Math.sin(heading)];
    this.states.push({ step, x, y, heading, vx, vy });
  }
}

/** A vehicle on its way to (or on) a crosswalk. */
interface Arrival {
  vehicle: Vehicle;
  crossing: Crossing;
  /** Metres from its front to the middle of the crosswalk, and from its rear. */
  front: number;
  rear: number;
}

/** People who cross, and the vehicles that let them. */
export class Crossings {
  readonly walkers: readonly Walker[];
  readonly #lights: readonly Light[];
  readonly #byLane = new Map<NetLane, { crosswalk: Crosswalk; crossing: Crossing }[]>();
  readonly #arrivals = new Map<Crosswalk, Arrival[]>();
  constructor(
    crosswalks: readonly Crosswalk[],
    walkers: readonly Walker[],
    lights: readonly Light[],
  ) {
    this.walkers = walkers;
    this.#lights = lights;
    for (const crosswalk of crosswalks) {
      this.#arrivals.set(crosswalk, []);
      for (const crossing of crosswalk.crossings) {
        const list = this.#byLane.get(crossing.lane) ?? [];
        list.push({ crosswalk, crossing });
        this.#byLane.set(crossing.lane, list);
      }
    }
  }

  /** Finds the vehicles at each crosswalk and moves the people. */
  update(vehicles: readonly Vehicle[], time: number): void {
    for (const list of this.#arrivals.values()) list.length = 0;
    for (const vehicle of vehicles) {
      this.#forEach(vehicle, (crosswalk, crossing, front, rear) =>
        this.#arrivals.get(crosswalk)?.push({ vehicle, crossing, front, rear }),
      );
    }
    for (const walker of this.walkers) {
      if (walker.gone || time < walker.from) continue;
      walker.advance(this.#limit(walker, time));
    }
  }

  /**
   * The largest closeness of a crosswalk at which the vehicle stops: for people on it, for people at the kerb, and when
   * it would have to stand on it.
   *
   * @param next rear of the vehicle ahead, metres from this one's centre, and its speed; null on a free road.
   */
  closest(vehicle: Vehicle, time: number, next: { rear: number; speed: number } | null): number {
    let z = 0;
    vehicle.heldBack = false;
    const half = vehicle.size.length / 2;
    this.#forEach(vehicle, (crosswalk, crossing, front, rear) => {
      const gap = front - kHalfWidth - kStopShort;
      if (gap < -kOver) return;
      const braking = brakingFor(vehicle, Math.max(gap, 0.3));
      // Its centre would have to be here to have the crosswalk free.
      const beyond = rear + kHalfWidth;
      const full =
        next !== null && next.speed < 2 && next.rear - half - 1 < beyond && next.rear > front;
      const stops =
        (full && braking < 2.5) ||
        this.walkers.some(
          (walker) =>
            walker.crosswalk === crosswalk &&
            !walker.gone &&
            walker.from <= time &&
            this.#isLetGo(walker, crossing, vehicle, braking, beyond),
        );
      if (stops) {
        if (gap < 4 && vehicle.speed < 1) vehicle.heldBack = true;
        z = Math.max(z, closeness(vehicle.driver, vehicle.speed, gap + vehicle.driver.gap, 0));
      }
    });
    return z;
  }

  /** Whether a vehicle stops for a walker when that takes `braking` m/s^2 and it is past after `toRear` metres. */
  #isLetGo(
    walker: Walker,
    crossing: Crossing,
    vehicle: Vehicle,
    braking: number,
    toRear: number,
  ): boolean {
    const left = this.#leftToGo(walker, crossing);
    const half = crossing.lane.width / 2 + 0.4;
    if (left + half < 0) return false;
    // Who is still far from this lane is not waited for: the vehicle is gone before.
    if ((left - half) / walker.pace > travelTime(vehicle, toRear) + kLead) return false;
    if (walker.crossing) return braking < 5.5;
    // Waiting at the kerb: most drivers stop who can in comfort, and all when people have waited long.
    const [kerb] = this.#kerbs(walker);
    const waits = walker.s > kerb - 2.5 && (walker.crosswalk as Crosswalk).lights.length === 0;
    return waits && (vehicle.driver.politeness > 0.1 || walker.waited > 4) && braking < 2.2;
  }

  #forEach(
    vehicle: Vehicle,
    visit: (crosswalk: Crosswalk, crossing: Crossing, front: number, rear: number) => void,
  ): void {
    if (this.#byLane.size === 0) return;
    const half = vehicle.size.length / 2;
    const at = (lane: NetLane, start: number) => {
      for (const { crosswalk, crossing } of this.#byLane.get(lane) ?? []) {
        const middle = start + crossing.s;
        visit(crosswalk, crossing, middle - half, middle + half);
      }
    };
    let start = -vehicle.s;
    if (vehicle.last) at(vehicle.last, start - vehicle.last.line.length);
    if (vehicle.straddles && vehicle.side) at(vehicle.side.from, -vehicle.side.fromS);
    const reach = 15 + 4 * vehicle.speed + vehicle.speed ** 2 / 4;
    for (const lane of vehicle.path) {
      if (start > reach) return;
      at(lane, start);
      start += lane.line.length;
    }
  }

  /** Metres that a walker has to go to the middle of a lane; negative beyond it. */
  #leftToGo(walker: Walker, crossing: Crossing): number {
    const line = walker.line.length;
    const place = walker.reversed ? line - crossing.walk : crossing.walk;
    return place - walker.s;
  }

  #kerbs(walker: Walker): readonly [number, number] {
    const { kerbs } = walker.crosswalk as Crosswalk;
    if (!walker.reversed) return kerbs;
    return [walker.line.length - kerbs[1], walker.line.length - kerbs[0]];
  }

  /** How far a walker may go: on to the end, or to the kerb. */
  #limit(walker: Walker, time: number): number {
    const { crosswalk } = walker;
    if (!crosswalk) return Number.POSITIVE_INFINITY;
    const [near, far] = this.#kerbs(walker);
    if (walker.crossing) {
      if (walker.s > far + 0.5) walker.crossing = false;
      return this.#freeUntil(walker, crosswalk);
    }
    if (walker.s > far) return Number.POSITIVE_INFINITY;
    const wait = near - kKerbGap + walker.size.length / 2;
    // Decides a step before it would have to slow down for the kerb.
    const brake = walker.speed ** 2 / 2.4 + 2 * walker.speed * kDt;
    if (walker.s + brake < wait - walker.size.length) return wait;
    if (!this.#mayStart(walker, crosswalk, far, time)) return wait;
    walker.crossing = true;
    return Number.POSITIVE_INFINITY;
  }

  /** Arc length up to which no vehicle stands on the crosswalk before a walker who is on it. */
  #freeUntil(walker: Walker, crosswalk: Crosswalk): number {
    let limit = Number.POSITIVE_INFINITY;
    for (const { crossing, front, rear } of this.#arrivals.get(crosswalk) ?? []) {
      const left = this.#leftToGo(walker, crossing) - crossing.lane.width / 2 - 0.2;
      if (left < 0 || front > kHalfWidth + 0.3 || rear < -kHalfWidth) continue;
      limit = Math.min(limit, walker.s + left + walker.size.length / 2);
    }
    return limit;
  }

  #mayStart(walker: Walker, crosswalk: Crosswalk, far: number, time: number): boolean {
    const needed = (far - walker.s) / walker.pace + 1;
    for (const index of crosswalk.lights) {
      const light = this.#lights[index];
      for (const share of [0, 0.5, 1]) {
        if (light.colorAt(time + share * needed) !== 'red') return false;
      }
    }
    return (this.#arrivals.get(crosswalk) ?? []).every(({ vehicle, crossing, front, rear }) => {
      if (rear < -kHalfWidth) return true;
      const gap = front - kHalfWidth - kStopShort;
      const passed = (this.#leftToGo(walker, crossing) + 2.5) / walker.pace;
      if (gap < -kOver) return false;
      if (gap > vehicle.speed * (passed + 1.5) + 3) return true;
      return gap > vehicle.speed ** 2 / 3.6 + 0.8 * vehicle.speed - kOver;
    });
  }
}
