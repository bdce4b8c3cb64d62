import { argumentError } from '../errors.js';
import { fillTemplate } from '../prompt/fill-template.js';
import { futureFromWindow, isValidAt } from '../scenario/observe.js';
import { kWaypoints, type ScenarioWindow } from '../scenario/types.js';
import { NumericTokenizer } from '../tokens/numeric-tokenizer.js';
import { formatNumberList } from '../tokens/text-form.js';
import { kCommandText } from './questions.js';

/** What a plan is asked for with: a picture, the navigation command and the state of the ego. */
export const kPlanWording =
  '<image_placeholder>\nCommand: {command}. Velocity: {vx},{vy}. Acceleration: {ax},{ay}. Next waypoints?';

/** Fields of {@link kPlanWording}. A type, so that it is one of `PromptFields`. */
export type PlanFields = {
  /** `turn left`, `turn right`, `go straight`, `none`. */
  command: string;
  /** m/s ahead and to the left. */
  vx: number;
  vy: number;
  /** m/s^2 ahead and to the left: from the velocities now and half a second ago, or as far back as the track goes. */
  ax: number;
  ay: number;
};

/** A planning case in words. */
export interface PlanConversation {
  /** On the grid of the numeric vocabulary. */
  fields: PlanFields;
  /** {@link kPlanWording} with the fields. */
  user: string;
  /** [16]: x1, y1, ..., x8, y8, metres, on the grid; null where less than 4 s are recorded after the window. */
  waypoints: Float64Array | null;
  /** The waypoints as text. */
  answer: string | null;
}

const kRateSeconds = 0.5;
const kNumbers = new NumericTokenizer();
/** The largest number, metres. */
const kReach = kNumbers.decode(kNumbers.firstId + kNumbers.size - 1);

/**
 * A window as a question about its picture and the answer of its driver: middles of the ego's box 0.5 s to 4 s later, x
 * ahead and y to the left of where it is now, as `Planner.plan` and evaluation have them. Where the window has an expert, it
 * is the driver. Numbers are rounded to hundredths and kept within 100.
 *
 * @throws WamFlowError `ERR_RANGE` when the ego is not seen at `t0`
 */
export function planConversation(window: ScenarioWindow): PlanConversation {
  const own = window.recording.tracks[window.ego];
  if (!own || !isValidAt(own, window.t0)) {
    const received = `track ${window.ego}, step ${window.t0}`;
    throw argumentError('window', 'an ego that is seen at t0', received, 'ERR_RANGE');
  }
  const fields = fieldsOf(window);
  const driven = drivenBy(window);
  const waypoints = driven && Float64Array.from(driven, onGrid);
  return {
    fields,
    user: fillTemplate(kPlanWording, fields),
    waypoints,
    answer: waypoints && formatNumberList(waypoints, kNumbers),
  };
}

/**
 * Whether what was driven can be written in the numbers of the vocabulary, which end at 100 m: at more than 90 km/h it mostly
 * cannot. True where it is not known.
 */
export function isWithinVocabulary(window: ScenarioWindow): boolean {
  return (drivenBy(window) ?? []).every((value) => Math.abs(value) < kReach);
}

const onGrid = (value: number): number => kNumbers.decode(kNumbers.encode(value, { clamp: true }));

function fieldsOf({ recording, ego, t0, command }: ScenarioWindow): PlanFields {
  const track = recording.tracks[ego];
  const now = t0 - track.start;
  const back = Math.min(now, Math.round(kRateSeconds / recording.dt));
  const [cos, sin] = [Math.cos(track.heading[now]), Math.sin(track.heading[now])];
  const rate = back === 0 ? 0 : 1 / (back * recording.dt);
  const { vx, vy } = track;
  const ahead = (x: number, y: number) => onGrid(cos * x + sin * y);
  const left = (x: number, y: number) => onGrid(cos * y - sin * x);
  const a = [(vx[now] - vx[now - back]) * rate, (vy[now] - vy[now - back]) * rate] as const;
  return {
    command: kCommandText[command],
    vx: ahead(vx[now], vy[now]),
    vy: left(vx[now], vy[now]),
    ax: ahead(...a),
    ay: left(...a),
  };
}

/** x and y of each waypoint; null where they are not known. */
function drivenBy(window: ScenarioWindow): number[] | null {
  if (window.expert) return window.expert.flatMap((pose) => pose.slice(0, 2));
  const { poses, valid } = futureFromWindow(window);
  if (valid < kWaypoints) return null;
  return [...poses].filter((_, i) => i % 3 < 2);
}
