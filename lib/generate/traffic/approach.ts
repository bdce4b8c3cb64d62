import type { NetLane } from '../network.js';
import type { Vehicle } from './vehicle.js';

/** The next line at which a vehicle needs its right of way. */
export interface Line {
  lane: NetLane;
  connector: NetLane;
  /** Metres from the vehicle's centre. */
  distance: number;
}

/** The next line ahead of a vehicle; null when there is none within 120 m. */
export function nextLine(vehicle: Vehicle): Line | null {
  let start = -vehicle.s;
  for (const [i, lane] of vehicle.path.entries()) {
    const distance = start + lane.line.length;
    const connector = vehicle.path[i + 1];
    if (!connector || start > 120) return null;
    if (lane.control !== null) return { lane, connector, distance };
    start = distance;
  }
  return null;
}

/** Seconds that a driver keeps to crossing traffic: less and less while standing. */
export function patience({ driver, waited }: Vehicle): number {
  return driver.crossingMargin * Math.max(0.4, 1 - waited / 25);
}

/** m/s^2 that stopping within a distance takes. */
export function brakingFor(vehicle: Vehicle, distance: number): number {
  return vehicle.speed ** 2 / (2 * Math.max(distance, 0.05));
}

/** Seconds that a vehicle takes for a distance when nobody is in its way. */
export function travelTime(vehicle: Vehicle, distance: number): number {
  if (distance <= 0) return 0;
  const a = Math.min(2, vehicle.driver.acceleration);
  const most = Math.max(vehicle.speed, Math.min(vehicle.desired, 9));
  const toMost = (most ** 2 - vehicle.speed ** 2) / (2 * a);
  if (distance < toMost)
    return (Math.sqrt(vehicle.speed ** 2 + 2 * a * distance) - vehicle.speed) / a;
  return (most - vehicle.speed) / a + (distance - toMost) / Math.max(most, 0.1);
}
