import type { Random } from '../random.js';

/** What a vehicle is; it becomes `Track.type`. */
export type VehicleKind = 'car' | 'van' | 'truck' | 'bus' | 'bicycle';

/** Parameters of the intelligent driver model (IDM), of lane changing (MOBIL) and of gap acceptance. */
export interface Driver {
  /** Desired speed over the speed limit. */
  haste: number;
  /** m/s; the desired speed is never above. */
  topSpeed: number;
  /** Seconds to the vehicle ahead. */
  headway: number;
  /** m/s^2. */
  acceleration: number;
  comfortableBraking: number;
  /** Metres, standing. */
  gap: number;
  /** m/s^2 across that the driver takes in a bend. */
  lateralAcceleration: number;
  /** How much a disadvantage of others counts, 0 to 1. */
  politeness: number;
  /** m/s^2 that a lane change must gain. */
  threshold: number;
  /** m/s^2 of braking that a lane change may force on who follows. */
  safeBraking: number;
  /** Seconds in which a lane change is done. */
  changeTime: number;
  /** Seconds between one's own and crossing traffic. */
  crossingMargin: number;
  /** Metres to the left of the middle of the lane. */
  aside: number;
}

/** Metres. */
export interface Size {
  length: number;
  width: number;
}

const kShares: Readonly<Record<VehicleKind, number>> = {
  car: 0.8,
  van: 0.09,
  truck: 0.06,
  bus: 0.03,
  bicycle: 0.02,
};
const kKinds = Object.keys(kShares) as VehicleKind[];

/** A kind of vehicle by its share in traffic; `allowed` says which may come here. */
export function drawKind(random: Random, allowed: (kind: VehicleKind) => boolean): VehicleKind {
  return random.weighted(kKinds.filter(allowed), (kind) => kShares[kind]);
}

/** Length and width as on the road, whole centimetres. */
export function drawSize(random: Random, kind: VehicleKind): Size {
  const [l0, l1, w0, w1] = {
    car: [3.6, 5.1, 1.65, 2],
    van: [4.9, 6.4, 1.9, 2.15],
    truck: [6.8, 12, 2.3, 2.5],
    bus: [10, 12.4, 2.45, 2.5],
    bicycle: [1.6, 1.9, 0.55, 0.7],
  }[kind];
  const length = Math.round(random.range(l0, l1) * 100) / 100;
  // Longer cars are wider, roughly.
  const share = (length - l0) / (l1 - l0);
  const width = w0 + (w1 - w0) * (0.6 * share + 0.4 * random.next());
  return { length, width: Math.round(width * 100) / 100 };
}

/** A driver; spreads are those of calibrated fits, from timid to pushy. */
export function drawDriver(random: Random, kind: VehicleKind): Driver {
  const heavy = kind === 'truck' || kind === 'bus';
  const pushy = random.next();
  const slow = heavy ? 0.55 : kind === 'van' ? 0.85 : 1;
  return {
    haste: random.normal(0.98 + 0.1 * pushy, 0.06),
    topSpeed: kind === 'bicycle' ? random.range(3.5, 6.5) : heavy ? random.range(22, 25.5) : 45,
    headway: (heavy ? 1.3 : 1) * random.range(1.5 - 0.7 * pushy, 2.1 - 0.9 * pushy),
    acceleration: slow * random.range(1.1, 1.6 + 0.7 * pushy),
    comfortableBraking: random.range(1.4, 2 + 0.6 * pushy),
    gap: random.range(1.6, 3),
    lateralAcceleration: slow ** 0.5 * random.range(1.3, 1.8 + 0.4 * pushy),
    politeness: Math.max(0, 0.6 - 0.7 * pushy),
    threshold: random.range(0.1, 0.3),
    safeBraking: 1.5 + 1.2 * pushy,
    changeTime: random.range(3.2, 5.6) + (heavy ? 1 : 0),
    crossingMargin: random.range(1, 2.2) - 0.7 * pushy,
    aside: kind === 'bicycle' ? 0 : random.normal(0, 0.14),
  };
}

/** Ratio of the gap that the driver wants, to the gap there is, for an obstacle with a speed of its own. */
export function closeness(driver: Driver, speed: number, gap: number, ahead: number): number {
  const approach =
    (speed * (speed - ahead)) / (2 * Math.sqrt(driver.acceleration * driver.comfortableBraking));
  const wanted = driver.gap + Math.max(0, speed * driver.headway + approach);
  return wanted / Math.max(gap, 0.1);
}

/**
 * Acceleration by the improved intelligent driver model (Treiber and Kesting, Traffic Flow Dynamics, 2013, section
 * 11.3.7): as IDM, but at the desired gap the vehicle ahead costs nothing, so platoons drive at the speed they want.
 *
 * @param z the largest {@link closeness} of what is ahead; 0 on a free road.
 */
export function idmAcceleration(driver: Driver, speed: number, desired: number, z: number): number {
  const { acceleration: a, comfortableBraking: b } = driver;
  if (speed <= desired) {
    const free = a * (1 - (speed / desired) ** 4);
    if (z >= 1) return a * (1 - z * z);
    return free < 1e-3 ? free : free * (1 - z ** ((2 * a) / free));
  }
  const free = -b * (1 - (desired / speed) ** ((4 * a) / b));
  return z >= 1 ? free + a * (1 - z * z) : free;
}
