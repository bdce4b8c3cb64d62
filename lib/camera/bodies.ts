import { kBodyCode, kLamps } from '../native.js';
import { isValidAt, lightsAt } from '../scenario/observe.js';
import { trackKind } from '../scenario/track-kind.js';
import type { Recording, Track } from '../scenario/types.js';
import { hashWords } from './hash.js';
import { kHeadSize, lightFurniture } from './lights.js';

/** What the object-id buffer holds where no track is seen. */
export const kCameraIds = {
  ground: -1,
  sky: -2,
  /** Poles and arms of traffic lights. */
  pole: -3,
  /** Head k of {@link lightFurniture} has `firstHead - k`. */
  firstHead: -4,
} as const;

/** Shape of a track. */
export type BodyShape = keyof typeof kBodyCode;

const kReach = 320; // metres from the camera
const kBrakingAt = -0.6; // m/s^2
const kStandingBelow = 0.3; // m/s
const kBrakingSpan = 0.5; // seconds that the deceleration is taken over
const kParkedWithin = 1; // metres that a parked vehicle stays within

/** The shape by the type of a track, or by its size where the type says nothing (recorded data call all `car`). */
export function shapeOf({
  type,
  length,
  width,
}: Pick<Track, 'type' | 'length' | 'width'>): BodyShape {
  const kind = trackKind(type);
  if (kind !== 'vehicle') return kind;
  if (type === 'van' || type === 'truck' || type === 'bus' || type === 'motorcycle') return type;
  if (length < 2.8 && width < 1.4) return 'motorcycle';
  if (length > 7.2) return 'truck';
  return length > 5.6 ? 'van' : 'car';
}

const kHeights: Readonly<Partial<Record<BodyShape, readonly [number, number]>>> = {
  car: [1.42, 1.66],
  van: [2.0, 2.5],
  truck: [3.2, 3.8],
  bus: [3.0, 3.3],
  motorcycle: [1.5, 1.65],
  pedestrian: [1.55, 1.88],
  bicycle: [1.65, 1.85],
  traffic_cone: [0.7, 0.78],
  barrier: [0.95, 1.05],
  czone_sign: [1.3, 1.5],
};

/** Height in metres; files hold none, so it is drawn by `tint`. */
export function heightOf(shape: BodyShape, tint: number): number {
  const [low, high] = kHeights[shape] ?? [0.8, 1.0];
  return low + ((high - low) * ((tint >>> 12) & 255)) / 255;
}

/** A word that chooses the colours of a track: the same in all frames of a recording with one seed. */
export function tintOf(recording: Recording, track: number, seed: number): number {
  return hashWords(`${seed}/${recording.id}/${track}`)[0];
}

/** Whether a track never leaves its place. */
export function isParked({ x, y }: Track): boolean {
  return x.every((_, k) => Math.hypot(x[k] - x[0], y[k] - y[0]) < kParkedWithin);
}

/**
 * Whether the brake lamps of a vehicle shine: it slowed down by more than 0.6 m/s^2 over the last half second, or it
 * stands and is not parked. `step` must be one at which the track is valid.
 */
export function brakeLampsOn(track: Track, step: number, dt: number): boolean {
  const k = step - track.start;
  const speed = (i: number) => Math.hypot(track.vx[i], track.vy[i]);
  if (speed(k) < kStandingBelow) return !isParked(track);
  const span = Math.min(k, Math.max(1, Math.round(kBrakingSpan / dt)));
  return span > 0 && (speed(k) - speed(k - span)) / (span * dt) < kBrakingAt;
}

const kStride = { pedestrian: 1.4, bicycle: 2.8 } as const; // metres for a full turn of legs

/**
 * Rows of bodies (lib/native-camera.ts) for what stands around a camera of vehicle `ego` at `step`: the other tracks and
 * the traffic lights.
 */
export function bodyRows(
  recording: Recording,
  ego: number,
  step: number,
  camera: { x: number; y: number },
  seed: number,
): number[][] {
  const isNear = (x: number, y: number) => Math.hypot(x - camera.x, y - camera.y) < kReach;
  const rows: number[][] = [];
  for (const track of recording.tracks) {
    if (track.id === ego || !isValidAt(track, step)) continue;
    const k = step - track.start;
    const [x, y, heading] = [track.x[k], track.y[k], track.heading[k]];
    if (!isNear(x, y)) continue;
    const shape = shapeOf(track);
    const tint = tintOf(recording, track.id, seed);
    let lamps = 0;
    if (trackKind(track.type) === 'vehicle') {
      if (brakeLampsOn(track, step, recording.dt)) lamps |= kLamps.brake;
      if (!isParked(track)) lamps |= kLamps.head;
    }
    const stride = shape === 'pedestrian' || shape === 'bicycle' ? kStride[shape] : 0;
    // Legs move with the way that is made, and stand still with whom they carry.
    const way = stride > 0 ? (x * Math.cos(heading) + y * Math.sin(heading)) % stride : 0;
    const phase = stride > 0 ? (2 * Math.PI * way) / stride : 0;
    rows.push([
      kBodyCode[shape],
      x,
      y,
      0,
      heading,
      track.length,
      track.width,
      heightOf(shape, tint),
      tint,
      lamps,
      phase,
      track.id,
    ]);
  }
  const lights = lightsAt(recording, step);
  const { heads, poles } = lightFurniture(recording);
  for (const { x, y, z, heading, length, width, height } of poles) {
    if (!isNear(x, y)) continue;
    const size = [length, width, height];
    rows.push([kBodyCode.pole, x, y, z, heading, ...size, 0, 0, 0, kCameraIds.pole]);
  }
  for (const [k, { x, y, z, heading, lane }] of heads.entries()) {
    if (!isNear(x, y)) continue;
    const color = lights.get(lane) ?? 'unknown';
    const lamp = color === 'unknown' ? 0 : kLamps[color];
    const { length, width, height } = kHeadSize;
    const id = kCameraIds.firstHead - k;
    rows.push([kBodyCode.trafficLight, x, y, z, heading, length, width, height, 0, lamp, 0, id]);
  }
  return rows;
}
