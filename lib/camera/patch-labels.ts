import { argumentError } from '../errors.js';
import { RoadArea } from '../eval/road-area.js';
import type { LightColor, RoadMap } from '../observation.js';
import { lightsAt, wrapAngle } from '../scenario/observe.js';
import { trackKind } from '../scenario/track-kind.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { kCameraIds } from './bodies.js';
import { type CameraFrames, cameraPose } from './camera.js';
import { lightFurniture } from './lights.js';
import { type CheckedCameraOptions, checkCameraOptions, type CameraOptions } from './options.js';
import { PathAhead } from './path-ahead.js';

/** Metres along the optical axis at which labels of vehicles change. */
export const kVehicleDepths = [8, 12, 18, 25, 35, 50, 80] as const;
/** The same for everything else that stands or walks there. */
export const kOtherDepth = 20;

const kVehicles = 'EFGHIJKL';
const kOthers = 'MN';
const kLights: Readonly<Record<Exclude<LightColor, 'unknown'>, string>> = {
  red: 'O',
  yellow: 'P',
  green: 'Q',
};
const kFar = 'A';
const kBeside = 'B';
const kRoad = 'C';
const kOwnWay = 'D';

/** What each label of a patch says. Labels are letters: tokens of every vocabulary that has text. */
export const kPatchLabels: Readonly<Record<string, string>> = {
  [kFar]: 'sky, horizon, ground beyond 120 m',
  [kBeside]: 'ground beside the road',
  [kRoad]: 'road',
  [kOwnWay]: 'the way ahead',
  ...Object.fromEntries(
    [...kVehicles].map((letter, i) => [letter, `vehicle ${between(kVehicleDepths, i)}`]),
  ),
  ...Object.fromEntries(
    [...kOthers].map((letter, i) => [
      letter,
      `person, cycle or obstacle ${between([kOtherDepth], i)}`,
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(kLights).map(([color, letter]) => [letter, `${color} light for this direction`]),
  ),
};

/** What rows of labels ask. */
export const kPatchQuestion = 'What does each part of the picture show?';

function between(edges: readonly number[], i: number): string {
  if (i === 0) return `nearer than ${edges[0]} m`;
  return i === edges.length
    ? `from ${edges[i - 1]} m on`
    : `from ${edges[i - 1]} m to ${edges[i]} m`;
}

/** Share of a patch from which a body, and the head of a light, is its label. */
const kBodyShare = 1 / 48;
const kHeadShare = 1 / 288;
const kGroundReach = 120; // metres
const kHalfLane = 1.75;
const kTowards = Math.PI / 3; // of headings: a light further turned is for others
const kSamples = 3; // a side, of the ground of a patch

/**
 * What each patch of a picture shows, a letter of {@link kPatchLabels} for each, row by row from the top left: a light for
 * the ego's direction before bodies, the nearest body before the ground, of the ground what most of nine points show (the
 * way ahead from three points on).
 *
 * @param frames with `ids` and `depth`
 * @param i frame of the window
 * @param side patches a side
 * @param options those that the frames were rendered with
 * @throws WamFlowError `ERR_ARGUMENT` where the picture is no square of `side` patches, or has no ids and depths
 */
export function patchLabelsOf(
  window: ScenarioWindow,
  frames: CameraFrames,
  i: number,
  side: number,
  options: CameraOptions = {},
): string {
  const { width, height, ids, depth } = frames;
  checkPatches(side, width, height);
  if (!ids || !depth) throw argumentError('frames', 'frames with ids and depth', frames);
  const camera = checkCameraOptions({ ...options, width, height });
  const picture = { ids, depth, begin: i * width * height, width };
  const size = width / side;
  const bodies = new BodyLabels(window);
  const ground = new GroundLabels(window, camera);
  let labels = '';
  for (let y = 0; y < height; y += size) {
    for (let x = 0; x < width; x += size) {
      labels += bodies.at(picture, x, y, size) ?? ground.at(picture, x, y, size);
    }
  }
  return labels;
}

/** @throws WamFlowError `ERR_ARGUMENT` */
export function checkPatches(side: unknown, width: number, height: number): number {
  const isSide = Number.isInteger(side) && (side as number) > 0;
  if (isSide && width === height && width % (side as number) === 0) return side as number;
  const expected = `a number of patches that divides a square picture's side, here ${width} x ${height}`;
  throw argumentError('patches', expected, side);
}

interface Picture {
  ids: Int32Array;
  depth: Float32Array;
  /** Where its first pixel is. */
  begin: number;
  width: number;
}

/** Labels of lights and bodies. */
class BodyLabels {
  readonly #window: ScenarioWindow;
  readonly #colors: ReadonlyMap<number, string>;

  constructor(window: ScenarioWindow) {
    const { recording, ego, t0 } = window;
    const track = recording.tracks[ego]!;
    const heading = track.heading[t0 - track.start]!;
    const lights = lightsAt(recording, t0);
    this.#window = window;
    this.#colors = new Map(
      lightFurniture(recording).heads.flatMap((head, k) => {
        const color = lights.get(head.lane);
        if (color === undefined || color === 'unknown') return [];
        if (Math.abs(wrapAngle(head.heading - heading)) > kTowards) return [];
        return [[kCameraIds.firstHead - k, kLights[color]] as const];
      }),
    );
  }

  /** Undefined where none is large enough. */
  at({ ids, depth, begin, width }: Picture, x0: number, y0: number, size: number) {
    const seen = new Map<number, { pixels: number; depth: number }>();
    for (let y = y0; y < y0 + size; ++y) {
      for (let at = begin + y * width + x0, end = at + size; at < end; ++at) {
        const id = ids[at]!;
        if (id < 0 && id > kCameraIds.firstHead) continue;
        const entry = seen.get(id);
        if (entry) {
          entry.pixels += 1;
          entry.depth = Math.min(entry.depth, depth[at]!);
        } else {
          seen.set(id, { pixels: 1, depth: depth[at]! });
        }
      }
    }
    let light: string | undefined;
    let body: string | undefined;
    let nearest = Number.POSITIVE_INFINITY;
    for (const [id, entry] of seen) {
      const isHead = id < 0;
      if (entry.pixels < (isHead ? kHeadShare : kBodyShare) * size * size) continue;
      if (isHead) light ??= this.#colors.get(id);
      else if (entry.depth < nearest) {
        nearest = entry.depth;
        body = this.#bodyLabel(id, entry.depth);
      }
    }
    return light ?? body;
  }

  #bodyLabel(id: number, depth: number): string {
    const isVehicle = trackKind(this.#window.recording.tracks[id]!.type) === 'vehicle';
    if (!isVehicle) return kOthers[depth < kOtherDepth ? 0 : 1]!;
    return kVehicles[kVehicleDepths.filter((edge) => depth >= edge).length]!;
  }
}

const roads = new WeakMap<RoadMap, RoadArea>();

/** Labels of the ground and of what is above it. */
class GroundLabels {
  readonly #camera: CheckedCameraOptions;
  readonly #pose: ReturnType<typeof cameraPose>;
  readonly #road: RoadArea;
  readonly #path: PathAhead | null;

  constructor(window: ScenarioWindow, camera: CheckedCameraOptions) {
    const { recording, ego, t0 } = window;
    let road = roads.get(recording.map);
    if (!road) {
      road = new RoadArea(recording.map, 0); // nothing is drawn beyond the map
      roads.set(recording.map, road);
    }
    this.#camera = camera;
    this.#pose = cameraPose(recording, ego, t0, camera);
    this.#road = road;
    this.#path = PathAhead.of(window);
  }

  at({ ids, depth, begin, width }: Picture, x0: number, y0: number, size: number): string {
    const votes = new Map<string, number>();
    const offset = (k: number) => Math.floor(((k + 0.5) * size) / kSamples);
    for (let a = 0; a < kSamples; ++a) {
      for (let b = 0; b < kSamples; ++b) {
        const [x, y] = [x0 + offset(b), y0 + offset(a)];
        const at = begin + y * width + x;
        const id = ids[at]!;
        if (id !== kCameraIds.ground && id !== kCameraIds.sky) continue; // a little of something else
        const isFar = id === kCameraIds.sky || depth[at]! > kGroundReach;
        const label = isFar ? kFar : this.#labelAt(x, y, depth[at]!);
        votes.set(label, (votes.get(label) ?? 0) + 1);
      }
    }
    if ((votes.get(kOwnWay) ?? 0) >= kSamples) return kOwnWay;
    let best = kFar;
    for (const [label, count] of votes) if (count > (votes.get(best) ?? 0)) best = label;
    return best;
  }

  /** Of the ground at a pixel, `depth` metres along the optical axis. */
  #labelAt(column: number, row: number, depth: number): string {
    const { focalPx, width, height } = this.#camera;
    const { x, y, heading, pitch } = this.#pose;
    const below = (row + 0.5 - height / 2) / focalPx;
    const ahead = depth * (Math.cos(pitch) - below * Math.sin(pitch));
    const left = (-depth * (column + 0.5 - width / 2)) / focalPx;
    const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
    const [px, py] = [x + cos * ahead - sin * left, y + sin * ahead + cos * left];
    const place = this.#path?.place(px, py);
    const isOwn = place && Math.abs(place.lateral) < kHalfLane && place.s > 0;
    if (isOwn && place.s < this.#path!.length) return kOwnWay;
    return this.#road.contains(px, py) ? kRoad : kBeside;
  }
}
