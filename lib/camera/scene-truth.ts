import type { Lane, LightColor } from '../observation.js';
import { isValidAt, lightsAt, wrapAngle } from '../scenario/observe.js';
import { trackKind } from '../scenario/track-kind.js';
import type { ScenarioWindow, Track } from '../scenario/types.js';
import { brakeLampsOn, isParked, kCameraIds } from './bodies.js';
import type { SeenObject } from './camera.js';
import { lightFurniture } from './lights.js';
import { markingsOf } from './paint.js';
import { PathAhead, turnOf } from './path-ahead.js';

/** What is true of a window and can be seen in its picture; what questions and captions are made from. */
export interface SceneTruth {
  window: ScenarioWindow;
  /** Speed of the ego, m/s. */
  speed: number;
  /** Null where the ego is in no lane: much is unknown then. */
  path: PathAhead | null;
  /** What is seen well enough to be asked for. */
  vehicles: SeenTrack[];
  pedestrians: SeenTrack[];
  cyclists: SeenTrack[];
  /** What is seen, but so little of it that nobody should be asked for it. */
  unclear: SeenTrack[];
  /** Nearest vehicle on the path ahead; null: there is none; undefined: it cannot be told from the picture. */
  lead: Lead | null | undefined;
  /** The light of the path; null: none in reach; undefined: there is one that is not seen, or that shows nothing. */
  light: PathLight | null | undefined;
  left: SideLane | undefined;
  right: SideLane | undefined;
  /** Where the road leads over the next 50 m; undefined where it forks, or hardly bends. */
  bend: 'left' | 'right' | 'straight' | undefined;
  /** Nearest person on the path ahead that is seen; null: none. */
  personAhead: (SeenTrack & { distance: number }) | null;
}

/** A track that is seen. */
export interface SeenTrack {
  track: Track;
  seen: SeenObject;
}

export interface Lead extends SeenTrack {
  /** From bumper to bumper along the path, metres. */
  gap: number;
  /** m/s along its heading. */
  speed: number;
  /** Whether its brake lamps shine; undefined where it is parked, or its rear is not seen. */
  braking: boolean | undefined;
}

export interface PathLight {
  color: Exclude<LightColor, 'unknown'>;
  /** From the ego's front to the line, metres. */
  distance: number;
}

/** Whether one may change to the lane beside the present one, judged by what is seen. */
export type SideLane = 'free' | 'occupied' | 'solid line' | 'none';

/** Seen: at least so many pixels of a picture of 384 x 384, and this share of what is inside the picture. */
const kLeastPixels = 24;
const kLeastShare = 0.3;
const kLeastLightPixels = 5;
const kOnPath = 1.5; // metres from the path's middle: on it
const kNearPath = 2.6; // beyond `kOnPath` up to here: neither on it nor clear of it
const kAlong = Math.PI / 4; // a vehicle that drives along the path is turned less from it
const kReach = 99; // metres
const kLightReach = 90;
const kSideReach = 20; // metres ahead that have to be free beside the ego
const kBendOver = 50;
const kBend = (14 * Math.PI) / 180;
const kHardlyBends = (6 * Math.PI) / 180;
const kFork = 0.3; // radians between ways on

/**
 * Gathers the truth of a window from the scenario, restricted to what its picture shows.
 *
 * @param objects what is seen ({@link CameraFrames.objects}).
 * @param pixels of the picture, width times height.
 */
export function sceneTruth(
  window: ScenarioWindow,
  objects: readonly SeenObject[],
  pixels: number,
): SceneTruth {
  const { recording, ego, t0 } = window;
  const own = recording.tracks[ego];
  const k = t0 - own.start;
  const scale = pixels / (384 * 384);
  const byId = new Map(objects.map((seen) => [seen.id, seen]));
  const isSeen = ({ visible, silhouette }: SeenObject) =>
    visible >= kLeastPixels * scale && visible >= kLeastShare * silhouette;
  const drawn: SeenTrack[] = recording.tracks.flatMap((track) => {
    const object = byId.get(track.id);
    return object ? [{ track, seen: object }] : [];
  });
  const seen = drawn.filter((item) => isSeen(item.seen));
  const ofKind = (kind: string) => seen.filter(({ track }) => trackKind(track.type) === kind);
  const path = PathAhead.of(window);
  const vehicles = ofKind('vehicle');
  const people = [...ofKind('pedestrian'), ...ofKind('bicycle')];
  return {
    window,
    speed: Math.hypot(own.vx[k], own.vy[k]),
    path,
    vehicles,
    pedestrians: ofKind('pedestrian'),
    cyclists: ofKind('bicycle'),
    unclear: drawn.filter((item) => !isSeen(item.seen)),
    lead: path ? findLead(window, path, vehicles) : undefined,
    light: path ? findLight(window, path, byId, scale) : undefined,
    left: path ? sideLane(window, path, vehicles, 'left') : undefined,
    right: path ? sideLane(window, path, vehicles, 'right') : undefined,
    bend: path ? bendOf(window, path) : undefined,
    personAhead: path ? personAhead(window, path, people) : null,
  };
}

/** Distance from the ego's front to the nearer end of a track along a path, metres. */
function gapTo(window: ScenarioWindow, path: PathAhead, track: Track) {
  const { recording, ego, t0 } = window;
  const k = t0 - track.start;
  const { s, lateral } = path.place(track.x[k], track.y[k]);
  const turned = wrapAngle(track.heading[k] - path.heading(s));
  // The box's reach along and across the path.
  const along =
    (Math.abs(Math.cos(turned)) * track.length + Math.abs(Math.sin(turned)) * track.width) / 2;
  const across =
    (Math.abs(Math.sin(turned)) * track.length + Math.abs(Math.cos(turned)) * track.width) / 2;
  return { gap: s - along - recording.tracks[ego].length / 2, s, lateral, across, turned };
}

function findLead(
  window: ScenarioWindow,
  path: PathAhead,
  seen: readonly SeenTrack[],
): Lead | null | undefined {
  const { recording, ego, t0 } = window;
  let nearest: { track: Track; gap: number; turned: number } | null = null;
  let doubtful = Number.POSITIVE_INFINITY;
  for (const track of recording.tracks) {
    if (track.id === ego || !isValidAt(track, t0) || trackKind(track.type) !== 'vehicle') continue;
    const { gap, s, lateral, across, turned } = gapTo(window, path, track);
    if (s <= 0 || s >= path.length - 0.01 || gap > kReach) continue;
    if (Math.abs(lateral) < kOnPath && Math.abs(turned) < kAlong) {
      if (!nearest || gap < nearest.gap) nearest = { track, gap, turned };
    } else if (Math.abs(lateral) - across < kNearPath - kOnPath) {
      doubtful = Math.min(doubtful, gap);
    }
  }
  if (doubtful < (nearest?.gap ?? Number.POSITIVE_INFINITY)) return undefined;
  if (!nearest) return path.length >= kReach ? null : undefined;
  const { track, gap } = nearest;
  const found = seen.find((item) => item.track === track);
  if (!found || gap < 0) return undefined;
  const k = t0 - track.start;
  // Seen from behind, and its rear inside the picture.
  const rear = Math.abs(nearest.turned) < 0.6 && found.seen.visible > 0.6 * found.seen.silhouette;
  return {
    ...found,
    gap,
    speed: Math.hypot(track.vx[k], track.vy[k]),
    braking: rear && !isParked(track) ? brakeLampsOn(track, t0, recording.dt) : undefined,
  };
}

function findLight(
  window: ScenarioWindow,
  path: PathAhead,
  byId: ReadonlyMap<number, SeenObject>,
  scale: number,
): PathLight | null | undefined {
  const { recording, ego, t0 } = window;
  const lights = lightsAt(recording, t0);
  const half = recording.tracks[ego].length / 2;
  const lit = path.lanes.find(({ lane, to }) => lights.has(lane.id) && to > half);
  if (!lit) return path.length >= kLightReach ? null : undefined;
  if (lit.to - half > kLightReach) return undefined;
  const color = lights.get(lit.lane.id);
  if (color === undefined || color === 'unknown') return undefined;
  const isSeen = lightFurniture(recording).heads.some(
    ({ lane }, i) =>
      lane === lit.lane.id &&
      (byId.get(kCameraIds.firstHead - i)?.visible ?? 0) >= kLeastLightPixels * scale,
  );
  return isSeen ? { color, distance: lit.to - half } : undefined;
}

function sideLane(
  { recording, ego, t0 }: ScenarioWindow,
  path: PathAhead,
  seen: readonly SeenTrack[],
  side: 'left' | 'right',
): SideLane | undefined {
  const { lane } = path;
  const [leftMarking, rightMarking] = markingsOf(lane);
  const isLeft = side === 'left';
  const id = isLeft ? lane.leftNeighbor : lane.rightNeighbor;
  const same = isLeft ? lane.leftSameDirection : lane.rightSameDirection;
  const marking = isLeft ? leftMarking : rightMarking;
  if (id === null || !same) return isLaneOfRoad(lane) ? 'none' : undefined;
  // Without paint nothing in the picture tells where the lane is.
  if (marking === null) return undefined;
  if (!marking.includes('dashed')) return 'solid line';
  const beside = recording.map.lanes.find((other) => other.id === id);
  if (!beside) return undefined;
  const half = recording.tracks[ego].length / 2;
  const occupied = seen.some(({ track }) => {
    const k = t0 - track.start;
    const [x, y] = [track.x[k], track.y[k]];
    const { s } = path.place(x, y);
    return (
      s - track.length / 2 - half < kSideReach && s + track.length / 2 > 0 && isIn(beside, x, y)
    );
  });
  return occupied ? 'occupied' : 'free';
}

/** Whether a lane belongs to a road between junctions, which has borders that are seen. */
function isLaneOfRoad(lane: Lane): boolean {
  return markingsOf(lane).some((marking) => marking !== null);
}

/** Whether a point lies between the borders of a lane. */
function isIn({ left, right }: Lane, x: number, y: number): boolean {
  const ring = [...right, ...[...left].reverse()];
  let inside = false;
  for (let i = 0, k = ring.length - 1; i < ring.length; k = i++) {
    const [[ax, ay], [bx, by]] = [ring[i], ring[k]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

function bendOf({ recording }: ScenarioWindow, path: PathAhead): SceneTruth['bend'] {
  if (path.length < kBendOver) return undefined;
  const lanes = new Map(recording.map.lanes.map((lane) => [lane.id, lane as Lane]));
  for (const { lane, to } of path.lanes) {
    if (to > kBendOver) continue;
    const turns = lane.successors.flatMap((id) => lanes.get(id) ?? []).map(turnOf);
    if (Math.max(...turns) - Math.min(...turns) > kFork) return undefined;
  }
  const turn = wrapAngle(path.heading(kBendOver) - path.heading(0));
  if (Math.abs(turn) < kHardlyBends) return 'straight';
  if (Math.abs(turn) < kBend) return undefined;
  return turn > 0 ? 'left' : 'right';
}

function personAhead(
  window: ScenarioWindow,
  path: PathAhead,
  people: readonly SeenTrack[],
): SceneTruth['personAhead'] {
  let nearest: SceneTruth['personAhead'] = null;
  for (const person of people) {
    const { gap, s, lateral } = gapTo(window, path, person.track);
    if (s <= 0 || gap < 0 || s >= path.length - 0.01 || Math.abs(lateral) > kOnPath + 0.4) continue;
    if (!nearest || gap < nearest.distance) nearest = { ...person, distance: gap };
  }
  return nearest;
}
