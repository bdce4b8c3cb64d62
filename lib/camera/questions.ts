import { WamFlowError } from '../errors.js';
import { splitMix32 } from '../scenario/random.js';
import { trackKind } from '../scenario/track-kind.js';
import { hashWords } from './hash.js';
import { nextAction } from './next-action.js';
import type { SceneTruth, SideLane } from './scene-truth.js';

/** Kinds of questions; `caption` asks for a description. */
export const kQuestionKinds = [
  'vehicle_ahead',
  'lead_distance',
  'lead_braking',
  'light_color',
  'count_vehicles',
  'count_pedestrians',
  'left_lane',
  'right_lane',
  'road_bend',
  'next_action',
  'caption',
] as const;

export type QuestionKind = (typeof kQuestionKinds)[number];

/** A question about a picture and its answer. */
export interface Question {
  kind: QuestionKind;
  question: string;
  /** What is said; numbers have two decimals, as the numeric tokens of a model. */
  content: string;
  /** The answer in its shortest form, for scoring: one of a few words, or a number. Of a caption: the caption. */
  answer: string;
}

/** Numbers as a model's numeric tokens are: two decimals. */
export const number = (value: number): string => value.toFixed(2);

const kAheadDistances = [10, 15, 20, 30, 40, 60, 80]; // metres that questions name
const kClear = 1; // metres that an answer must be away from turning
const kCountWithin = 40;

type Fields = Readonly<Record<string, string>>;
interface Draft {
  fields?: Fields;
  content: string;
  answer: string;
}

/** Wordings by kind; `{name}` stands for a field. */
const kWordings: Readonly<Record<QuestionKind, readonly string[]>> = {
  vehicle_ahead: [
    'Is there a vehicle ahead within {distance} m?',
    'Is any vehicle on your path nearer than {distance} m?',
    'Look ahead: does a vehicle drive or stand within {distance} m on your way?',
  ],
  lead_distance: [
    'How far away is the nearest vehicle ahead?',
    'What is the distance to the vehicle in front of you?',
    'How many metres is it to the next vehicle on your path?',
  ],
  lead_braking: [
    'Is the vehicle ahead braking?',
    'Do the brake lights of the vehicle ahead shine?',
    'Does the vehicle in front of you brake or hold its brakes?',
  ],
  light_color: [
    'What colour is the traffic light for you?',
    'Which colour does your light show?',
    'Is there a traffic light ahead for you, and what colour is it?',
  ],
  count_vehicles: [
    'How many vehicles are visible within {distance} m?',
    'Count the vehicles that you see nearer than {distance} m.',
  ],
  count_pedestrians: [
    'How many pedestrians are visible within {distance} m?',
    'Count the people on foot that you see nearer than {distance} m.',
  ],
  left_lane: [
    'Can you change to the left lane, judging by what is in view?',
    'Is a change to the lane on the left possible?',
  ],
  right_lane: [
    'Can you change to the right lane, judging by what is in view?',
    'Is a change to the lane on the right possible?',
  ],
  road_bend: [
    'Where does the road bend?',
    'Does the road ahead bend left, bend right or run straight?',
    'Which way does the road lead over the next {distance} m?',
  ],
  next_action: [
    'The navigation command is: {command}. You drive at {speed} m/s. What should be done next, and why?',
    'Command: {command}. Speed: {speed} m/s. What do you do next, and for which reason?',
  ],
  caption: [
    'Describe the scene.',
    'What is in the picture?',
    'Say in a few sentences what the driver sees.',
  ],
};

/** Navigation commands in words. */
export const kCommandText = {
  left: 'turn left',
  right: 'turn right',
  straight: 'go straight',
  unknown: 'none',
} as const;

/** What is said of a side lane, and its shortest form. */
export const kSideText = {
  free: 'Yes, the lane is free.',
  occupied: 'No, a vehicle is there.',
  'solid line': 'No, the line is solid.',
  none: 'No, there is no such lane.',
} as const;

export const kSideAnswer = {
  free: 'yes',
  occupied: 'occupied',
  'solid line': 'solid line',
  none: 'no lane',
};

/** Drafts by kind; null where the truth does not hold what the kind asks for. */
const kDrafts: Readonly<
  Record<QuestionKind, (truth: SceneTruth, random: () => number) => Draft | null>
> = {
  vehicle_ahead: ({ lead }, random) => {
    if (lead === undefined) return null;
    const wantsYes = random() < 0.5;
    const distances = kAheadDistances.filter((distance) => {
      if (lead === null) return true;
      return wantsYes ? distance > lead.gap + kClear : distance < lead.gap - kClear;
    });
    if (distances.length === 0 || (lead === null && wantsYes)) return null;
    const distance = distances[Math.floor(random() * distances.length)];
    const answer = lead !== null && wantsYes ? 'yes' : 'no';
    const content = answer === 'yes' ? 'Yes.' : 'No.';
    return { fields: { distance: number(distance) }, content, answer };
  },
  lead_distance: ({ lead }) => {
    if (!lead) return null;
    const answer = number(lead.gap);
    return { content: `${answer} m`, answer };
  },
  lead_braking: ({ lead }) => {
    if (lead?.braking === undefined || lead.gap > 60) return null;
    return lead.braking
      ? { content: 'Yes, its brake lights shine.', answer: 'yes' }
      : { content: 'No, its brake lights are off.', answer: 'no' };
  },
  light_color: ({ light }) => {
    if (light === undefined) return null;
    if (light === null) return { content: 'There is no light for you.', answer: 'none' };
    return { content: `It is ${light.color}.`, answer: light.color };
  },
  count_vehicles: (truth) => count(truth, truth.vehicles, 'vehicle'),
  count_pedestrians: (truth) => count(truth, truth.pedestrians, 'pedestrian'),
  left_lane: ({ left }) => sideDraft(left),
  right_lane: ({ right }) => sideDraft(right),
  road_bend: ({ bend }) => {
    if (bend === undefined) return null;
    const content = bend === 'straight' ? 'The road runs straight.' : `The road bends ${bend}.`;
    return { fields: { distance: number(50) }, content, answer: bend };
  },
  next_action: (truth) => {
    const next = nextAction(truth);
    if (!next) return null;
    const fields = {
      command: kCommandText[truth.window.command],
      speed: number(truth.speed),
    };
    const content = `${next.action[0].toUpperCase()}${next.action.slice(1)}, because ${next.reason}.`;
    return { fields, content, answer: next.action };
  },
  caption: (truth) => {
    const caption = captionOf(truth);
    return { content: caption, answer: caption };
  },
};

/** What questions are asked. */
export interface QuestionOptions {
  /** Chooses wordings and distances; an integer from 0. Default 1. */
  seed?: number;
  /** Default all. */
  kinds?: readonly QuestionKind[];
}

/**
 * Questions about a picture with their answers: one of every kind that the picture answers, in the order of the kinds.
 * The same truth and seed give the same ones.
 */
export function questionsAbout(truth: SceneTruth, options: QuestionOptions = {}): Question[] {
  const { seed = 1, kinds = kQuestionKinds } = options;
  return kinds.flatMap((kind) => {
    const random = splitMix32(hashWords(`${seed}/${truth.window.id}/${kind}`)[0]);
    const draft = kDrafts[kind](truth, random);
    if (!draft) return [];
    const wordings = kWordings[kind];
    const wording = wordings[Math.floor(random() * wordings.length)];
    const { content, answer, fields = {} } = draft;
    return [{ kind, question: fill(wording, fields), content, answer }];
  });
}

function sideDraft(side: SideLane | undefined): Draft | null {
  return side ? { content: kSideText[side], answer: kSideAnswer[side] } : null;
}

function fill(wording: string, fields: Fields): string {
  return wording.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = fields[name];
    if (value === undefined) {
      throw new WamFlowError('ERR_INTERNAL', `"${wording}" has no field ${name}`);
    }
    return value;
  });
}

function count(
  { unclear }: SceneTruth,
  items: SceneTruth['vehicles'],
  kind: 'vehicle' | 'pedestrian',
): Draft | null {
  const isNear = ({ seen }: SceneTruth['vehicles'][number]) => seen.depth < kCountWithin;
  // Who is hardly seen is neither there nor not there.
  if (unclear.some((item) => isNear(item) && isOf(item.track.type, kind))) return null;
  const answer = number(items.filter(isNear).length);
  return { fields: { distance: number(kCountWithin) }, content: answer, answer };
}

function isOf(type: string, kind: 'vehicle' | 'pedestrian'): boolean {
  return kind === 'pedestrian' ? type === 'pedestrian' : trackKind(type) === 'vehicle';
}

const kPlace: Readonly<Record<string, string>> = {
  highway: 'a motorway',
  ramp: 'a ramp',
  junction: 'a junction',
  roundabout: 'a roundabout',
  urban: 'a road',
};

/** A few sentences on what is seen. */
function captionOf(truth: SceneTruth): string {
  const { path, lead, light, bend, vehicles, pedestrians, cyclists, personAhead } = truth;
  const sentences: string[] = [];
  if (path) {
    const { lane } = path;
    const place = kPlace[(lane as { type?: string }).type ?? ''] ?? 'a road';
    const bends =
      bend === undefined ? '' : bend === 'straight' ? ' that runs straight' : ` that bends ${bend}`;
    sentences.push(`You are on ${place}${bends}.`);
  }
  if (light) sentences.push(`The light is ${light.color}.`);
  if (lead) {
    const brakes = lead.braking ? ' with its brake lights on' : '';
    sentences.push(`The vehicle ahead is ${number(lead.gap)} m away${brakes}.`);
  } else if (lead === null) {
    sentences.push('No vehicle is ahead on your path.');
  }
  if (personAhead) {
    const who = personAhead.track.type === 'pedestrian' ? 'pedestrian' : 'cyclist';
    sentences.push(`A ${who} is on the road ahead, ${number(personAhead.distance)} m away.`);
  }
  const counts: (readonly [string, number])[] = [
    ['vehicles', vehicles.length],
    ['pedestrians', pedestrians.length],
    ['cyclists', cyclists.length],
  ];
  sentences.push(`In view: ${counts.map(([name, n]) => `${name} ${number(n)}`).join(', ')}.`);
  return sentences.join(' ');
}
