import { type Box, boxesOverlap } from '../../eval/geometry.js';
import { lightsAt, wrapAngle } from '../../scenario/observe.js';
import type { Recording, ScenarioLane, Track } from '../../scenario/types.js';
import { DrivableArea } from './area.js';
import type { Violation } from './violation.js';

const kVehicles = new Set(['car', 'van', 'truck', 'bus']);
const kAcceleration = [-6.1, 3.1] as const; // m/s^2, vehicles
const kLateral = 3.2; // m/s^2, vehicles
const kMotion = 0.2; // m/s between the speed told and the one driven
const kHeading = 0.03; // radians between heading and velocity of who moves
const kEdge = 0.1; // metres of a vehicle that may reach beyond the road
const kAreaStride = 3; // steps

/** Every broken rule about the traffic of a recording, one of each kind a track. */
export function trackViolations(recording: Recording): Violation[] {
  const area = new DrivableArea(recording.map);
  return [
    ...collisions(recording),
    ...recording.tracks.flatMap((track) => [
      ...motionViolations(track, recording.dt),
      ...(kVehicles.has(track.type) ? offRoad(track, area) : []),
    ]),
    ...redLights(recording),
  ];
}

const where = (track: Track, k: number) => `track ${track.id} at step ${track.start + k}`;

function motionViolations(track: Track, dt: number): Violation[] {
  const { x, y, heading, vx, vy, type } = track;
  const found = new Map<string, Violation>();
  const add = (rule: Violation['rule'], k: number, detail: string) => {
    if (!found.has(rule))
      found.set(rule, { rule, where: where(track, k), detail: `${type}: ${detail}` });
  };
  const isVehicle = kVehicles.has(type);
  for (let k = 0; k < x.length; ++k) {
    const speed = Math.hypot(vx[k], vy[k]);
    const slip = Math.abs(wrapAngle(Math.atan2(vy[k], vx[k]) - heading[k]));
    if (speed > 0.5 && !(slip < kHeading))
      add('heading', k, `${slip.toFixed(3)} rad off its velocity`);
    if (k === 0) continue;
    const before = Math.hypot(vx[k - 1], vy[k - 1]);
    const driven = Math.hypot(x[k] - x[k - 1], y[k] - y[k - 1]) / dt;
    const told = (speed + before) / 2;
    if (!(Math.abs(driven - told) < kMotion)) {
      add('motion', k, `moves at ${driven.toFixed(2)} m/s, says ${told.toFixed(2)} m/s`);
    }
    if (!isVehicle) continue;
    const along = (speed - before) / dt;
    if (!(along >= kAcceleration[0] && along <= kAcceleration[1])) {
      add('acceleration', k, `${along.toFixed(2)} m/s^2`);
    }
    const across = (wrapAngle(heading[k] - heading[k - 1]) / dt) * told;
    if (!(Math.abs(across) <= kLateral))
      add('lateral-acceleration', k, `${across.toFixed(2)} m/s^2`);
  }
  return [...found.values()];
}

function offRoad(track: Track, area: DrivableArea): Violation[] {
  for (let k = 0; k < track.x.length; k += kAreaStride) {
    const [c, s] = [Math.cos(track.heading[k]), Math.sin(track.heading[k])];
    for (const [i, j] of [
      [1, 1],
      [1, -1],
      [-1, 1],
      [-1, -1],
    ]) {
      const [a, b] = [i * (track.length / 2 - kEdge), j * (track.width / 2 - kEdge)];
      const [x, y] = [track.x[k] + a * c - b * s, track.y[k] + a * s + b * c];
      if (area.containsNearly(x, y, 0.05)) continue;
      const detail = `${track.type}: a corner at (${x.toFixed(2)}, ${y.toFixed(2)}) is off the road`;
      return [{ rule: 'off-road', where: where(track, k), detail }];
    }
    if (track.vx.every((v) => v === 0) && track.vy.every((v) => v === 0)) break;
  }
  return [];
}

function collisions({ tracks, steps }: Recording): Violation[] {
  const found: Violation[] = [];
  const hit = new Set<string>();
  const radius = tracks.map(({ length, width }) => Math.hypot(length, width) / 2);
  const still = tracks.map(({ vx, vy }) => vx.every((v) => v === 0) && vy.every((v) => v === 0));
  const present: number[] = [];
  for (let step = 0; step < steps; ++step) {
    present.length = 0;
    for (const [i, { start, x }] of tracks.entries()) {
      if (step >= start && step < start + x.length) present.push(i);
    }
    for (let p = 0; p < present.length; ++p) {
      const i = present[p];
      const a = tracks[i];
      const [ax, ay] = [a.x[step - a.start], a.y[step - a.start]];
      for (let q = p + 1; q < present.length; ++q) {
        const j = present[q];
        if (still[i] && still[j] && step > Math.max(a.start, tracks[j].start)) continue;
        const b = tracks[j];
        const [dx, dy] = [b.x[step - b.start] - ax, b.y[step - b.start] - ay];
        const reach = radius[i] + radius[j];
        if (dx * dx + dy * dy > reach * reach) continue;
        if (!boxesOverlap(boxOf(a, step), boxOf(b, step)) || hit.has(`${i}/${j}`)) continue;
        hit.add(`${i}/${j}`);
        const detail = `${a.type} ${i} and ${b.type} ${j} overlap`;
        found.push({ rule: 'collision', where: `tracks ${i} and ${j} at step ${step}`, detail });
      }
    }
  }
  return found;
}

function boxOf({ start, x, y, heading, length, width }: Track, step: number): Box {
  const k = step - start;
  return { x: x[k], y: y[k], heading: heading[k], length, width };
}

/** Vehicles whose front passes the end of a lane while its light is red. */
function redLights(recording: Recording): Violation[] {
  if (recording.signals.length === 0) return [];
  const found: Violation[] = [];
  const lit = new Set(recording.signals.flatMap(({ lanes }) => [...lanes]));
  const colors = Array.from({ length: recording.steps }, (_, step) => lightsAt(recording, step));
  for (const lane of recording.map.lanes) {
    if (!lit.has(lane.id)) continue;
    const passes = passing(lane);
    for (const track of recording.tracks) {
      if (!kVehicles.has(track.type) && track.type !== 'bicycle') continue;
      for (let k = 1; k < track.x.length; ++k) {
        if (colors[track.start + k].get(lane.id) !== 'red' || !passes(track, k)) continue;
        found.push({
          rule: 'red-light',
          where: where(track, k),
          detail: `over the line of lane ${lane.id}`,
        });
      }
    }
  }
  return found;
}

/** A test of whether a track's front passes the end of a lane between steps k - 1 and k. */
function passing({ center, left, right }: ScenarioLane): (track: Track, k: number) => boolean {
  const [[ex, ey], [bx, by]] = [center[center.length - 1], center[center.length - 2]];
  const ahead = Math.atan2(ey - by, ex - bx);
  const [c, s] = [Math.cos(ahead), Math.sin(ahead)];
  const [l, r] = [left[left.length - 1], right[right.length - 1]];
  const half = Math.hypot(l[0] - r[0], l[1] - r[1]) / 2;
  return (track, k) => {
    const front = (i: number) => {
      const x = track.x[i] + (track.length / 2) * Math.cos(track.heading[i]) - ex;
      const y = track.y[i] + (track.length / 2) * Math.sin(track.heading[i]) - ey;
      return { along: x * c + y * s, aside: y * c - x * s };
    };
    if (Math.cos(track.heading[k] - ahead) < 0.9) return false;
    const [before, now] = [front(k - 1), front(k)];
    return before.along < 0 && now.along >= 0 && Math.abs(now.aside) < half;
  };
}
