import type { Pose } from '../line.js';
import type { Edge, NetLane } from '../network.js';
import type { Driver, Size, VehicleKind } from './driver.js';
import { leadsOn } from './route.js';

// The sharpest bend of the quintic that moves sideways is this times its width over the square of its length.
const kSteepest = 10 / Math.sqrt(3);
const kMostAcross = 2.7; // m/s^2, of bend and lane change together
export const kDt = 0.1; // seconds, of the simulation and of the recording

/** What is recorded of a vehicle at one step. */
export interface State extends Pose {
  step: number;
  vx: number;
  vy: number;
  lane: NetLane;
}

/** A move to the side under way: from `offset` to `target` metres left of the lane's middle, over `length` metres. */
interface Sideways {
  /** The lane that is left; the present one when the vehicle only shifts within it. */
  from: NetLane;
  /** Arc length on `from` of where the vehicle is now. */
  fromS: number;
  offset: number;
  target: number;
  length: number;
  done: number;
}

/** A brake application of its own accord: from `at` seconds down to `speed`, then held for `hold` seconds. */
export interface Braking {
  at: number;
  deceleration: number;
  speed: number;
  hold: number;
}

/** A vehicle in the simulation. Its centre follows its lane; lane changes move it sideways. */
export class Vehicle {
  readonly id: number;
  readonly kind: VehicleKind;
  readonly size: Size;
  readonly driver: Driver;
  readonly route: readonly Edge[];
  readonly braking: Braking | null;
  readonly states: State[] = [];
  /** Metres to the left of the middle of the lane, while it does not move sideways. */
  #aside: number;
  /** Place of `lane.edge` in `route`. */
  at: number;
  lane: NetLane;
  s: number;
  speed: number;
  acceleration = 0;
  side: Sideways | null = null;
  /** The lane before this one, while the vehicle's end is still on it. */
  last: NetLane | null = null;
  /** Lanes from the present one on, as far as they can be driven without another lane change. */
  path: NetLane[] = [];
  /** The last lane of `path` does not lead on: a lane change is needed. */
  mustChange = false;
  /** Connector that the vehicle may enter, and when it got it. */
  granted: NetLane | null = null;
  grantedAt = 0;
  /** Seconds that it stands at its line. */
  waited = 0;
  /** It stands before a crosswalk for people on it. */
  heldBack = false;
  /** Seconds until it may think of a lane change again. */
  rest = 0;
  gone = false;
  #held = 0;

  constructor(
    of: Pick<
      Vehicle,
      'id' | 'kind' | 'size' | 'driver' | 'route' | 'braking' | 'at' | 'lane' | 's' | 'speed'
    >,
  ) {
    this.id = of.id;
    this.kind = of.kind;
    this.size = of.size;
    this.driver = of.driver;
    this.route = of.route;
    this.braking = of.braking;
    this.at = of.at;
    this.lane = of.lane;
    this.s = of.s;
    this.speed = of.speed;
    this.#aside = this.asideOn(of.lane);
    this.plan();
  }

  /** m/s on a free road here. */
  get desired(): number {
    return Math.min(this.driver.topSpeed, this.driver.haste * this.lane.speedLimit);
  }

  /** Metres to the left of the middle of the lane that the vehicle keeps. */
  asideOn(lane: NetLane): number {
    const room = Math.max(0, (lane.width - this.size.width) / 2 - 0.25);
    if (this.kind === 'bicycle') return -Math.max(0, room - 0.1);
    return Math.min(room, Math.max(-room, this.driver.aside));
  }

  /** Finds the lanes ahead again; after a lane change, and when a lane is left. */
  plan(): void {
    this.path = [this.lane];
    this.mustChange = false;
    for (let k = this.at; k + 1 < this.route.length; ++k) {
      const lane = this.path[this.path.length - 1];
      const next = leadsOn(lane, this.route, k);
      if (!next) {
        this.mustChange = true;
        return;
      }
      this.path.push(next);
    }
    if (this.path.some((lane) => lane.closedAt < lane.line.length)) this.mustChange = true;
  }

  /** Speed along the lane's line for one metre a second driven, and the vehicle's place beside it. */
  #lateral(): { d: number; slope: number } {
    if (!this.side) return { d: this.#aside, slope: 0 };
    const { offset, target, length, done } = this.side;
    const u = Math.min(1, done / length);
    const q = u * u * u * (10 - 15 * u + 6 * u * u);
    const slope = (30 * u * u * (1 - u) * (1 - u)) / length;
    return { d: offset + (target - offset) * q, slope: (target - offset) * slope };
  }

  /** Box centre and heading; the heading is that of the motion. */
  pose(): Pose {
    const { d, slope } = this.#lateral();
    const pose = this.lane.line.at(this.s);
    const cos = Math.cos(pose.heading);
    const sin = Math.sin(pose.heading);
    // `slope` is sideways metres a metre driven.
    return { x: pose.x - d * sin, y: pose.y + d * cos, heading: pose.heading + Math.asin(slope) };
  }

  /** Distance of the centre to the left of the middle of its lane. */
  get lateral(): number {
    return this.#lateral().d;
  }

  record(step: number): void {
    const pose = this.pose();
    this.states.push({
      step,
      ...pose,
      vx: this.speed * Math.cos(pose.heading),
      vy: this.speed * Math.sin(pose.heading),
      lane: this.lane,
    });
  }

  /** Scripted braking at a time, m/s^2; null when there is none then. */
  scripted(time: number): number | null {
    const { braking } = this;
    if (!braking || time < braking.at || this.#held > braking.hold) return null;
    if (this.speed > braking.speed) return -braking.deceleration;
    this.#held += kDt;
    return 0;
  }

  /**
   * Metres that a lane change takes here: the driver's seconds at the present speed, and so many that it does not add
   * more than is left to the acceleration across of the bend. Infinity where the bend leaves nothing.
   */
  changeLength(): number {
    // Who changes from a standstill or from a ramp is faster at its end.
    const v = Math.min(Math.max(this.desired, this.speed), this.speed + 3);
    const { curvature } = this.lane.line.at(this.s + 2 * v);
    const left = kMostAcross - v * v * Math.abs(curvature);
    if (left < 0.4) return Number.POSITIVE_INFINITY;
    const gentle = v * Math.sqrt((kSteepest * this.lane.width) / left);
    return Math.max(16, this.driver.changeTime * (this.speed + 1), gentle);
  }

  /** m/s at which the move to the side under way, begun at a lower speed, is still comfortable. */
  sidewaysSpeed(): number {
    if (!this.side) return Number.POSITIVE_INFINITY;
    const width = Math.max(0.1, Math.abs(this.side.target - this.side.offset));
    return this.side.length * Math.sqrt((kMostAcross - 0.4) / (kSteepest * width));
  }

  /** Begins to move over to a lane beside. */
  change(to: NetLane): void {
    const { x, y } = this.pose();
    const share = this.s / this.lane.line.length;
    const there = to.line.project(x, y, share * to.line.length);
    this.side = {
      from: this.lane,
      fromS: this.s,
      offset: there.lateral,
      target: this.asideOn(to),
      length: this.changeLength(),
      done: 0,
    };
    this.lane = to;
    this.s = there.s;
    this.last = null;
    this.plan();
  }

  /** Whether the vehicle still reaches into the lane that it leaves. */
  get straddles(): boolean {
    if (!this.side || this.side.from === this.lane) return false;
    const between = (this.side.from.width + this.lane.width) / 2;
    const moved = Math.abs(this.side.offset) - Math.abs(this.lateral);
    return between - moved > 0 && moved < this.side.from.width / 2 + this.size.width / 2 + 0.2;
  }

  /** Moves on by one step; acceleration changes no faster than feet do. */
  advance(wanted: number, emergency: boolean): void {
    const most = emergency ? 5.9 : 5;
    const bounded = Math.min(Math.max(wanted, -most), this.driver.acceleration);
    const jerk = emergency || bounded < -3 ? 20 : 4;
    const step = jerk * kDt;
    this.acceleration += Math.min(Math.max(bounded - this.acceleration, -step), step);
    let next = this.speed + this.acceleration * kDt;
    if (next <= 0.02 && this.acceleration <= 0) {
      next = 0;
      this.acceleration = 0;
    }
    const driven = ((this.speed + next) / 2) * kDt;
    this.speed = next;
    this.#move(driven);
    this.rest = Math.max(0, this.rest - kDt);
  }

  #move(driven: number): void {
    const { d, slope } = this.#lateral();
    const { curvature } = this.lane.line.at(this.s);
    this.s += (driven * Math.sqrt(1 - slope * slope)) / (1 - curvature * d);
    if (this.side) {
      this.side.done += driven;
      this.#followOld(driven);
      if (this.side.done >= this.side.length) {
        this.#aside = this.side.target;
        this.side = null;
      }
    }
    if (this.last && this.s > this.size.length) this.last = null;
    while (this.s > this.lane.line.length && !this.gone) this.#enterNext();
    const onBorder = this.lane.successors.length === 0 && this.at === this.route.length - 1;
    if (onBorder && this.s + this.size.length / 2 > this.lane.line.length - 0.2) this.gone = true;
  }

  #followOld(driven: number): void {
    const side = this.side as Sideways;
    if (side.from === this.lane) return;
    side.fromS += driven;
    if (side.fromS <= side.from.line.length) return;
    const next = side.from.successors.find(({ edge }) => edge === this.route[this.at + 1]);
    if (!next) return;
    side.fromS -= side.from.line.length;
    side.from = next;
  }

  #enterNext(): void {
    const next = this.path[1];
    if (!next) {
      this.gone = true;
      return;
    }
    this.s -= this.lane.line.length;
    this.last = this.lane;
    // What it keeps to the side may differ from lane to lane: no jumps.
    this.lane = next;
    this.at += 1;
    const target = this.asideOn(next);
    if (!this.side && Math.abs(this.#aside - target) > 1e-6) {
      const length = Math.max(16, 4 * this.speed);
      this.side = { from: next, fromS: this.s, offset: this.#aside, target, length, done: 0 };
    }
    this.path.shift();
    if (this.granted === this.lane) this.waited = 0;
  }
}
