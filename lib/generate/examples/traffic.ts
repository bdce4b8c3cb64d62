import type { LightColor } from '../../observation.js';
import type { ScenarioLane, SignalState } from '../../scenario/types.js';
import type { Path, Pose } from './path.js';

/** Parameters of the intelligent driver model (Treiber, Hennecke, Helbing 2000, in the improved form of 2013). */
export interface Driver {
  /** m/s on a free straight road. */
  desiredSpeed: number;
  /** Seconds to the vehicle ahead. */
  headway: number;
  /** m/s^2. */
  acceleration: number;
  comfortableBraking: number;
  /** Metres, standing. */
  gap: number;
}

/** A brake application: from `at` (seconds) down to `speed`, held for `hold` seconds. */
export interface Braking {
  at: number;
  deceleration: number;
  speed: number;
  hold: number;
}

/** A lane change that starts as soon as the gap allows, not before `from` metres along the reference. */
export interface LaneChange {
  from: number;
  /** Reference line of the road, present and wanted distance to its left, metres. */
  reference: Path;
  fromLateral: number;
  toLateral: number;
  /** Arc length of the reference at which the present lane ends. */
  laneEnd: number;
}

/** A light: its lanes and its colour over the steps of the recording; before the first state the first holds. */
export interface Light {
  lanes: readonly number[];
  states: readonly SignalState[];
}

/** A vehicle before the simulation. */
export interface VehiclePlan {
  length: number;
  width: number;
  driver: Driver;
  path: Path;
  /** Arc length of its centre at the start, metres. */
  arc: number;
  speed: number;
  /** Lanes that it may be on, to tell its route. */
  lanes: readonly ScenarioLane[];
  braking?: Braking;
  laneChange?: LaneChange;
  /** Arc length of the stop line on its path, and the light there. */
  stop?: { arc: number; light: Light };
}

/** State that is recorded: metres, radians, m/s. */
export interface State extends Pose {
  speed: number;
}

const kDt = 0.05; // seconds
const kStepsPerRecord = 2;
const kWarmUp = 4; // seconds driven before the recording begins
const kMaxBraking = 7; // m/s^2
const kMaxJerk = 5; // m/s^3
const kSideAcceleration = 2; // m/s^2 that drivers accept in a curve
const kCurveSeconds = 0.7; // in which the speed of a curve is taken up
const kLaneChangeSeconds = 5;
const kAcceptedCloseness = 1.25; // of who follows after a lane change: a soft brake at most
const kStopGap = 1; // metres between bumper and stop line or lane end

/** One vehicle on its path. */
class Vehicle {
  readonly plan: VehiclePlan;
  readonly states: State[] = [];
  path: Path;
  arc: number;
  speed: number;
  acceleration = 0;
  change: LaneChange | undefined;
  changingUntil = 0; // arc
  gone = false;
  #curveSpeed: Float64Array;
  #held = 0; // seconds at the speed that a scripted braking ends with

  constructor(plan: VehiclePlan) {
    this.plan = plan;
    this.path = plan.path;
    this.arc = plan.arc;
    this.speed = plan.speed;
    this.change = plan.laneChange;
    this.#curveSpeed = curveSpeeds(plan.path);
  }

  pose(): Pose {
    return this.path.at(this.arc);
  }

  take(path: Path): void {
    this.path = path;
    this.arc = 0;
    this.#curveSpeed = curveSpeeds(path);
  }

  /** Speed that the curves ahead allow, m/s. */
  curveSpeed(): number {
    return this.#curveSpeed[Math.min(Math.floor(this.arc), this.#curveSpeed.length - 1)];
  }

  /** Wanted gap over gap, for an obstacle `gap` metres ahead, bumper to bumper, with a speed of its own. */
  closeness(gap: number, speed: number): number {
    const { driver } = this.plan;
    const approach =
      (this.speed * (this.speed - speed)) /
      (2 * Math.sqrt(driver.acceleration * driver.comfortableBraking));
    const wanted = driver.gap + Math.max(0, this.speed * driver.headway + approach);
    return wanted / Math.max(gap, 0.1);
  }

  /** Scripted braking at a time, m/s^2; null when there is none then. */
  scripted(time: number): number | null {
    const { braking } = this.plan;
    if (!braking || time < braking.at || this.#held > braking.hold) return null;
    if (this.speed > braking.speed) return -braking.deceleration;
    this.#held += kDt;
    return 0;
  }

  /** Moves on by kDt; the acceleration changes no faster than feet do. */
  advance(wanted: number): void {
    const bounded = Math.min(Math.max(wanted, -kMaxBraking), this.plan.driver.acceleration);
    const step = kMaxJerk * kDt * (bounded < -4 ? 3 : 1);
    this.acceleration += Math.min(Math.max(bounded - this.acceleration, -step), step);
    const next = Math.max(0, this.speed + this.acceleration * kDt);
    this.arc += ((this.speed + next) / 2) * kDt;
    if (next === 0) this.acceleration = Math.max(0, this.acceleration);
    this.speed = next;
    if (this.arc >= this.path.length) this.gone = true;
  }
}

/** Drives all vehicles for `seconds` after a warm-up and returns their states every 0.1 s; fewer when they leave. */
export function simulate(plans: readonly VehiclePlan[], seconds: number): State[][] {
  const vehicles = plans.map((plan) => new Vehicle(plan));
  const warmUp = Math.round(kWarmUp / kDt);
  const total = warmUp + Math.round(seconds / kDt);
  for (let k = 0; k < total; ++k) {
    const time = (k - warmUp) * kDt;
    const present = vehicles.filter((vehicle) => !vehicle.gone);
    if (k >= warmUp && (k - warmUp) % kStepsPerRecord === 0) {
      for (const vehicle of present)
        vehicle.states.push({ ...vehicle.pose(), speed: vehicle.speed });
    }
    for (const vehicle of present) startLaneChange(vehicle, present);
    const wanted = present.map((vehicle) => accelerate(vehicle, present, time));
    for (const [i, vehicle] of present.entries()) vehicle.advance(wanted[i]);
  }
  return vehicles.map((vehicle) => vehicle.states);
}

/** Colour of a light at a time in seconds. */
export function colorAt(light: Light, time: number): LightColor {
  const step = Math.max(0, Math.floor(time * 10 + 1e-6));
  return light.states.find((state) => step >= state.from && step < state.to)?.color ?? 'unknown';
}

/**
 * Improved intelligent driver model: as IDM, but a far obstacle costs nothing, so that nobody creeps
 * to a red light from a hundred metres away.
 */
function accelerate(vehicle: Vehicle, all: readonly Vehicle[], time: number): number {
  const { acceleration, comfortableBraking, desiredSpeed } = vehicle.plan.driver;
  const ratio = vehicle.speed / desiredSpeed;
  const z = closestObstacle(vehicle, all, time);
  let wanted: number;
  if (ratio <= 1) {
    const free = acceleration * (1 - ratio ** 4);
    wanted =
      z >= 1
        ? acceleration * (1 - z * z)
        : free * (1 - z ** ((2 * acceleration) / Math.max(free, 1e-3)));
  } else {
    const free = -comfortableBraking * (1 - ratio ** -4);
    wanted = z >= 1 ? free + acceleration * (1 - z * z) : free;
  }
  const curve = (vehicle.curveSpeed() - vehicle.speed) / kCurveSeconds;
  return Math.min(wanted, curve, vehicle.scripted(time) ?? wanted);
}

/** The largest ratio of wanted gap to gap: vehicles ahead, a stop line, the end of the lane. */
function closestObstacle(vehicle: Vehicle, all: readonly Vehicle[], time: number): number {
  let z = 0;
  for (const other of all) {
    const gap = gapTo(vehicle, other);
    if (gap) z = Math.max(z, vehicle.closeness(gap.gap, gap.speed));
  }
  const front = vehicle.arc + vehicle.plan.length / 2;
  const standing = (gap: number) => vehicle.closeness(gap - kStopGap + vehicle.plan.driver.gap, 0);
  const { stop } = vehicle.plan;
  if (stop && mustStop(vehicle, stop.arc - front, colorAt(stop.light, time))) {
    z = Math.max(z, standing(stop.arc - front));
  }
  if (vehicle.change) {
    const { reference, laneEnd } = vehicle.change;
    const { x, y } = vehicle.pose();
    z = Math.max(z, standing(laneEnd - reference.project(x, y).arc - vehicle.plan.length / 2));
  }
  return z;
}

/** Red stops; yellow stops those who can brake in comfort. Who is past the line, or could not stop, goes on. */
function mustStop(vehicle: Vehicle, distance: number, color: LightColor): boolean {
  if (distance < 0 || color === 'green' || color === 'unknown') return false;
  const needed = vehicle.speed ** 2 / (2 * Math.max(distance, 0.1));
  return needed < (color === 'yellow' ? 3 : kMaxBraking);
}

/** Bumper-to-bumper gap to a vehicle that is on the path ahead, or about to be. */
function gapTo(vehicle: Vehicle, other: Vehicle): { gap: number; speed: number } | null {
  if (other === vehicle) return null;
  const now = other.pose();
  if ((now.x - vehicle.pose().x) ** 2 + (now.y - vehicle.pose().y) ** 2 > 100 ** 2) return null;
  const place = vehicle.path.project(now.x, now.y);
  const along = place.arc - vehicle.arc;
  if (along <= 0 || Math.cos(now.heading - vehicle.path.at(place.arc).heading) < 0.5) return null;
  const reach = (vehicle.plan.width + other.plan.width) / 2 + 0.3;
  let lateral = Math.abs(place.lateral);
  if (other.arc < other.changingUntil) {
    // Its indicator is on: where will it be in a second and a half?
    const soon = other.path.at(other.arc + 1.5 * other.speed);
    lateral = Math.min(lateral, Math.abs(vehicle.path.project(soon.x, soon.y).lateral));
  }
  if (lateral > reach) return null;
  return { gap: along - (vehicle.plan.length + other.plan.length) / 2, speed: other.speed };
}

/** Begins the wanted lane change when there is room ahead and behind in the other lane. */
function startLaneChange(vehicle: Vehicle, all: readonly Vehicle[]): void {
  const { change } = vehicle;
  if (!change) return;
  const { reference, fromLateral, toLateral } = change;
  const here = vehicle.pose();
  const { arc } = reference.project(here.x, here.y);
  if (arc < change.from) return;
  for (const other of all) {
    if (other === vehicle) continue;
    const { x, y } = other.pose();
    const place = reference.project(x, y);
    if (Math.abs(place.lateral - toLateral) > 2) continue;
    const clear = Math.abs(place.arc - arc) - (vehicle.plan.length + other.plan.length) / 2;
    const follower = place.arc < arc ? other : vehicle;
    const leader = follower === other ? vehicle : other;
    if (clear < 0 || follower.closeness(clear, leader.speed) > kAcceptedCloseness) return;
  }
  const length = Math.max(25, kLaneChangeSeconds * vehicle.speed);
  vehicle.take(
    reference.offset((s) => {
      const u = Math.min(1, Math.max(0, (s - arc) / length));
      return fromLateral + (toLateral - fromLateral) * u ** 3 * (10 - 15 * u + 6 * u * u);
    }, arc),
  );
  vehicle.changingUntil = length;
  vehicle.change = undefined;
}

/** Speed at each metre of a path that keeps the curves ahead comfortable, reached by soft braking. */
function curveSpeeds(path: Path): Float64Array {
  const speeds = new Float64Array(Math.ceil(path.length) + 1);
  for (let s = speeds.length - 1; s >= 0; --s) {
    const curve = Math.sqrt(kSideAcceleration / Math.max(Math.abs(path.curvature(s)), 1e-4));
    const ahead = s + 1 < speeds.length ? Math.sqrt(speeds[s + 1] ** 2 + 2 * 1.2) : curve;
    speeds[s] = Math.min(curve, ahead);
  }
  return speeds;
}
