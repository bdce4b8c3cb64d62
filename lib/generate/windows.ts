import type { Command } from '../observation.js';
import { wrapAngle } from '../scenario/observe.js';
import type { Recording, ScenarioWindow, Track } from '../scenario/types.js';
import type { NetLane } from './network.js';
import type { Random } from './random.js';
import type { Recorded } from './record.js';
import { leadsOn, towardsAllowed } from './traffic/route.js';
import type { State, Vehicle } from './traffic/vehicle.js';

const kHistory = 20; // steps
const kHorizon = 40; // steps that a plan covers
const kFutures = [50, kHorizon]; // least steps of future, the wanted one first
const kMostFuture = 80;
const kTurnDegrees = 25; // heading change over the future that makes a command, as the format defines it
const kRouteAhead = 60; // metres of route beyond where the ego is after 4 s
const kStandingMetres = 2; // driven in 4 s
const kApart = 20; // steps between windows of one ego

/** What an ego does in a window; windows are spread over these. */
type Manoeuvre = 'turn' | 'lane change' | 'stop' | 'start' | 'slow' | 'stand' | 'follow';

/** How many windows are cut. */
export interface CutOptions {
  /** Of one recording. */
  perScene: number;
  /** Of one ego in one recording. */
  perEgo: number;
}

interface Candidate {
  vehicle: Vehicle;
  track: Track;
  t0: number;
  future: number;
  manoeuvre: Manoeuvre;
}

/** Cuts windows of different egos and manoeuvres; in an order that depends on `random` alone. */
export function cutWindows(random: Random, recorded: Recorded, cut: CutOptions): ScenarioWindow[] {
  const groups = new Map<Manoeuvre, Candidate[]>();
  for (const candidate of random.shuffled(candidates(recorded))) {
    const group = groups.get(candidate.manoeuvre) ?? [];
    group.push(candidate);
    groups.set(candidate.manoeuvre, group);
  }
  const order = random.shuffled([...groups.keys()]);
  // Standing is the most frequent and teaches the least: at most one window of it.
  const left = new Map(order.map((name) => [name, name === 'stand' ? 1 : Infinity]));
  const chosen: Candidate[] = [];
  for (let found = true; found && chosen.length < cut.perScene; ) {
    found = false;
    for (const name of order) {
      if (chosen.length >= cut.perScene || (left.get(name) as number) < 1) continue;
      const group = groups.get(name) as Candidate[];
      const at = group.findIndex((candidate) => isNew(candidate, chosen, cut.perEgo));
      if (at < 0) continue;
      chosen.push(...group.splice(at, 1));
      left.set(name, (left.get(name) as number) - 1);
      found = true;
    }
  }
  return chosen
    .sort((a, b) => a.track.id - b.track.id || a.t0 - b.t0)
    .map((candidate) => toWindow(recorded.recording, candidate));
}

function isNew(candidate: Candidate, chosen: readonly Candidate[], perEgo: number): boolean {
  const own = chosen.filter(({ track }) => track === candidate.track);
  return own.length < perEgo && own.every(({ t0 }) => Math.abs(t0 - candidate.t0) >= kApart);
}

function candidates({ recording, driven }: Recorded): Candidate[] {
  const found: Candidate[] = [];
  for (const [id, vehicle] of driven) {
    if (vehicle.kind === 'bicycle') continue;
    const track = recording.tracks[id];
    const n = track.x.length;
    // A step in five is a candidate; shorter futures only where an ego has no longer one.
    for (const least of kFutures) {
      const before = found.length;
      for (let k = kHistory; k + least < n; k += 5) {
        const future = Math.min(kMostFuture, n - 1 - k);
        const manoeuvre = manoeuvreOf(vehicle, track, k);
        found.push({ vehicle, track, t0: track.start + k, future, manoeuvre });
      }
      if (found.length > before) break;
    }
  }
  return found;
}

/** What happens in the 4 s after index `k` of a track. */
function manoeuvreOf(vehicle: Vehicle, track: Track, k: number): Manoeuvre {
  const end = k + kHorizon;
  const speed = (i: number) => Math.hypot(track.vx[i], track.vy[i]);
  if (metres(track, k, end) < kStandingMetres) return 'stand';
  const turn = Math.abs(wrapAngle(track.heading[end] - track.heading[k]));
  if (turn > (kTurnDegrees * Math.PI) / 180) return 'turn';
  const { states } = vehicle;
  for (let i = k + 1; i <= end; ++i) {
    if (states[i].lane.edge === states[i - 1].lane.edge && states[i].lane !== states[i - 1].lane) {
      return 'lane change';
    }
  }
  const [now, later] = [speed(k), speed(end)];
  if (later < now - 3) return 'stop';
  if (later > now + 3) return 'start';
  return now < 5 ? 'slow' : 'follow';
}

function metres(track: Track, from: number, to: number): number {
  let sum = 0;
  for (let k = from + 1; k <= to; ++k) {
    sum += Math.hypot(track.x[k] - track.x[k - 1], track.y[k] - track.y[k - 1]);
  }
  return sum;
}

function toWindow(recording: Recording, { vehicle, track, t0, future }: Candidate): ScenarioWindow {
  const k = t0 - track.start;
  const turnDeg = (wrapAngle(track.heading[k + future] - track.heading[k]) * 180) / Math.PI;
  const route = routeOf(vehicle, k - kHistory, k + kHorizon, k + future);
  const changed = route.driven.some(
    (lane, i) => i > 0 && !route.driven[i - 1].successors.includes(lane),
  );
  const isNear = (other: Track) => {
    const i = t0 - other.start;
    if (other === track || i < 0 || i >= other.x.length) return false;
    return Math.hypot(other.x[i] - track.x[k], other.y[i] - track.y[k]) <= 40;
  };
  return {
    id: `${recording.id}-e${track.id}-t${t0}`,
    recording,
    split: recording.split,
    ego: track.id,
    t0,
    history: kHistory,
    future,
    command: commandOf(turnDeg),
    route: route.lanes.map((lane) => lane.index + 1),
    laneChange: changed,
    turnDeg: Math.round(turnDeg * 10) / 10 + 0, // no -0
    v0: Math.round(Math.hypot(track.vx[k], track.vy[k]) * 100) / 100,
    path4s: Math.round(metres(track, k, k + kHorizon) * 100) / 100,
    agents40m: recording.tracks.filter(isNear).length,
  };
}

function commandOf(turnDeg: number): Command {
  if (turnDeg > kTurnDegrees) return 'left';
  return turnDeg < -kTurnDegrees ? 'right' : 'straight';
}

/**
 * Lanes that the vehicle drives from one of its states to another, and on along its route: to at least 60 m beyond
 * where it is after the horizon, or to the border of the map.
 */
function routeOf(vehicle: Vehicle, from: number, horizon: number, to: number) {
  const { states } = vehicle;
  const driven: NetLane[] = [];
  for (let i = from; i <= to; ++i) {
    if (states[i].lane !== driven.at(-1)) driven.push(states[i].lane);
  }
  const lanes = [...driven];
  let room = kRouteAhead - ahead(states, horizon, to);
  let lane = driven[driven.length - 1];
  let at = vehicle.route.indexOf(lane.edge);
  room -= lane.line.length - lane.line.project(states[to].x, states[to].y, lane.line.length / 2).s;
  while (room > 0) {
    const next = leadsOn(lane, vehicle.route, at);
    if (!next) {
      const beside = towardsAllowed(lane, vehicle.route, at);
      if (at + 1 >= vehicle.route.length || !beside) break;
      lanes.push(beside);
      lane = beside;
      continue;
    }
    lanes.push(next);
    room -= next.line.length;
    lane = next;
    at += 1;
  }
  return { driven, lanes };
}

/** Metres between two states. */
function ahead(states: readonly State[], from: number, to: number): number {
  let sum = 0;
  for (let i = from + 1; i <= to; ++i) {
    sum += Math.hypot(states[i].x - states[i - 1].x, states[i].y - states[i - 1].y);
  }
  return sum;
}
