import { formatNumberList } from '../tokens/text-form.js';
import { NumericTokenizer } from '../tokens/numeric-tokenizer.js';
import type { Track } from '../scenario/types.js';
import { kCommandText } from './questions.js';
import type { SceneTruth } from './scene-truth.js';

/** Kinds of layouts: what of a picture is told in metres. */
export const kLayoutKinds = ['road', 'road_users'] as const;

export type LayoutKind = (typeof kLayoutKinds)[number];

/** A question for places, and the places. */
export interface Layout {
  kind: LayoutKind;
  question: string;
  /** [16]: x1, y1, ..., x8, y8, metres ahead and to the left of the ego's middle, on the grid of the numeric vocabulary. */
  places: Float64Array;
  /** The places as text. */
  answer: string;
}

/** Metres along the way at which it is asked where it leads. */
export const kRoadDistances = [5, 10, 15, 20, 30, 40, 50, 60] as const;

const kPlaces = kRoadDistances.length;
const kReach = 60;
const kNumbers = new NumericTokenizer();

const kWordings: Readonly<Record<LayoutKind, string>> = {
  road: 'Command: {command}. Where does your lane lead?',
  road_users: 'Where are the nearest road users in view?',
};

/**
 * What can be measured in a picture, as two lists of places. No state of the ego is told, so that nothing but the picture says
 * them.
 *
 * - `road`: the middle of the way ahead at 5, 10, 15, 20, 30, 40, 50 and 60 m along it. Left out where the way ends before.
 * - `road_users`: middles of the vehicles, people and cycles that are seen, nearest first, up to 60 m away; the rest is
 *   0, 0. Left out where none is seen.
 */
export function layoutsOf(truth: SceneTruth): Layout[] {
  const lists = { road: roadPlaces(truth), road_users: userPlaces(truth) };
  const command = kCommandText[truth.window.command];
  return kLayoutKinds.flatMap((kind): Layout[] => {
    const list = lists[kind];
    if (list === null) return [];
    const places = Float64Array.from(list.flat(), (value) =>
      kNumbers.decode(kNumbers.encode(value, { clamp: true })),
    );
    const question = kWordings[kind].replace('{command}', command);
    return [{ kind, question, places, answer: formatNumberList(places, kNumbers) }];
  });
}

type Place = readonly [number, number];

function roadPlaces({ path, window }: SceneTruth): Place[] | null {
  if (path === null || path.length < kReach) return null;
  const inEgo = egoFrame(window);
  return kRoadDistances.map((s) => inEgo(...path.at(s)));
}

function userPlaces({ window, vehicles, pedestrians, cyclists }: SceneTruth): Place[] | null {
  const inEgo = egoFrame(window);
  const placeOf = (track: Track) => {
    const k = window.t0 - track.start;
    return inEgo(track.x[k]!, track.y[k]!);
  };
  const near = [...vehicles, ...pedestrians, ...cyclists]
    .map(({ track }) => placeOf(track))
    .map((place) => ({ place, distance: Math.hypot(...place) }))
    .filter(({ distance }) => distance <= kReach)
    .sort((a, b) => a.distance - b.distance);
  if (near.length === 0) return null;
  return Array.from({ length: kPlaces }, (_, i) => near[i]?.place ?? [0, 0]);
}

/** From the frame of the map to that of the ego now. */
function egoFrame({ recording, ego, t0 }: SceneTruth['window']) {
  const track = recording.tracks[ego]!;
  const k = t0 - track.start;
  const [x0, y0, heading] = [track.x[k]!, track.y[k]!, track.heading[k]!];
  const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
  return (x: number, y: number): Place => [
    cos * (x - x0) + sin * (y - y0),
    cos * (y - y0) - sin * (x - x0),
  ];
}
